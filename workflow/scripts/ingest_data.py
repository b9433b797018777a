"""Type and order a checked dataset, and describe its design."""

from pathlib import Path

from job import logged, read_json, write_json, write_table
from raw_table import read_raw

from groupwise.data.ingest import ingest
from groupwise.data.validate import Roles
from groupwise.design import describe, make_design


def run(raw, settings):
    """The analysis table and design.json."""
    roles = Roles.from_settings(settings["roles"])
    ingested = ingest(raw, roles, **settings["ingest"])
    design = make_design(ingested.table, roles, blocks_as=settings["blocks_as"])
    understood = {
        "roles": {"block": None, "covariates": []} | dict(settings["roles"]),
        "conf_level": settings["conf_level"],
        "reference": design.arm_labels[0],
        "n_read": ingested.n_read,
        "dropped": dict(ingested.dropped),
    }
    return ingested.table, describe(design) | understood


if __name__ == "__main__":
    raw, params = snakemake.input.raw, snakemake.params
    with logged(snakemake, file=raw, dataset=snakemake.wildcards.dataset):
        roles = Roles.from_settings(params.settings["roles"])
        table, design = run(read_raw(Path(raw), roles), params.settings)
        source = {"simulated": bool(params.simulated)} | read_json(snakemake.input.checked)
        header = {"dataset": snakemake.wildcards.dataset, "title": params.title}
        header |= {"note": params.note, "source": source}
        write_table(snakemake.output.data, table)
        write_json(snakemake.output.design, header | design)
