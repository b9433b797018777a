"""Say what an experiment like a dataset's can find, and how many groups it would need."""

from job import logged, write_table
from sample_data import read_sample

from groupwise import tidy
from groupwise.planning.outlook import NotPlanned, planned
from groupwise.simulation.workload import Options


def run(*asked):
    """Table `planning`, see `outlook.planned`; empty where nothing can be planned."""
    try:
        return planned(*asked)
    except NotPlanned as reason:
        print(reason)
        return tidy.table("planning", [])


if __name__ == "__main__":
    params = snakemake.params
    with logged(snakemake, file=params.config_file, dataset=snakemake.wildcards.dataset):
        sample = read_sample(snakemake.input.data, snakemake.input.design)
        options = Options(**params.options)
        write_table(snakemake.output.planning, run(sample, options, params.effect, params.power))
