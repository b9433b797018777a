"""Type and order a checked dataset, and describe its design."""

from pathlib import Path

from job import logged, read_json, write_json, write_table
from raw_table import also_read, read_raw

from groupwise.data.validate import Roles
from groupwise.intake import take_in


def run(raw, settings):
    """The analysis table, what is missing where, and what was understood of both."""
    taken = take_in(
        raw,
        Roles.from_settings(settings["roles"]),
        conf_level=settings["conf_level"],
        reading=settings["ingest"],
        modelling=settings["design"],
    )
    return taken.table, taken.missing, taken.understood


if __name__ == "__main__":
    raw, params = snakemake.input.raw, snakemake.params
    with logged(snakemake, file=raw, dataset=snakemake.wildcards.dataset):
        roles = Roles.from_settings(params.settings["roles"])
        form, also = params.settings["form"], also_read(params.settings)
        found = read_raw(Path(raw), roles, form=form, also=also)
        table, missing, design = run(found.table, params.settings)
        source = {"simulated": bool(params.simulated)} | read_json(snakemake.input.checked)
        header = {"dataset": snakemake.wildcards.dataset, "title": params.title}
        header |= {"note": params.note, "source": source}
        write_table(snakemake.output.data, table)
        write_table(snakemake.output.missing, missing)
        write_json(snakemake.output.design, header | design)
