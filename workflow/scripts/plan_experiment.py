"""Say what an experiment like a dataset's can find, and how many groups it would need."""

from job import logged, read_json, write_table
from sample_data import read_sample

from groupwise import tidy
from groupwise.catalogue.tables import made_by
from groupwise.planning.outlook import NotPlanned, plans
from groupwise.simulation.options import Options
from groupwise.simulation.processes import read_process


def run(*given, **asked):
    """Tables by name, see `outlook.plans`; empty where nothing can be planned."""
    try:
        return plans(*given, **asked)
    except NotPlanned as reason:
        print(reason)
        return {name: tidy.table(name, []) for name in made_by("plan_experiment")}


if __name__ == "__main__":
    params = snakemake.params
    with logged(snakemake, file=params.config_file, dataset=snakemake.wildcards.dataset):
        tables = run(
            read_sample(snakemake.input.data, snakemake.input.design).design,
            read_process(read_json(snakemake.input.process)),
            Options(**params.options),
            effect=params.effect,
            power=params.power,
            methods=params.methods,
            curves=params.curves,
        )
        for name, table in tables.items():
            write_table(snakemake.output[name], table)
