"""Type and order a checked dataset, and describe its design."""

from pathlib import Path

from job import logged, read_json, write_json, write_table
from raw_table import also_read, read_raw

from groupwise.data.validate import Roles
from groupwise.intake import take_in

if __name__ == "__main__":
    raw, params = snakemake.input.raw, snakemake.params
    with logged(snakemake, file=raw, dataset=snakemake.wildcards.dataset):
        settings = params.settings
        roles = Roles.from_settings(settings["roles"])
        found = read_raw(Path(raw), roles, form=settings["form"], also=also_read(settings))
        taken = take_in(
            found.table,
            roles,
            conf_level=settings["conf_level"],
            reading=settings["ingest"],
            modelling=settings["design"],
        )
        source = {"simulated": bool(params.simulated)} | read_json(snakemake.input.checked)
        header = {"dataset": snakemake.wildcards.dataset, "title": params.title}
        header |= {"note": params.note, "source": source}
        write_table(snakemake.output.data, taken.table)
        write_table(snakemake.output.missing, taken.missing)
        write_json(snakemake.output.design, header | dict(taken.understood))
