"""Type and order a checked dataset, and describe its design."""

from pathlib import Path

from job import logged, read_json, write_json, write_table
from raw_table import also_read, read_raw

from groupwise.data.ingest import ingest, missing_by_arm
from groupwise.data.validate import Roles
from groupwise.design import describe, make_design


def run(raw, settings):
    """The analysis table, what is missing where, and design.json."""
    roles = Roles.from_settings(settings["roles"])
    ingested = ingest(raw, roles, **settings["ingest"])
    design = make_design(ingested.table, roles, **settings["design"])
    found = describe(design)
    understood = {
        "roles": {"block": None, "second_group": None, "covariates": []} | dict(settings["roles"]),
        "conf_level": settings["conf_level"],
        "reference": design.arm_labels[0],
        "n_read": ingested.n_read,
        "where": settings["ingest"]["where"] or {},
        "recode": _listed(settings["ingest"]["recode"] or {}),
        "outcome": dict(ingested.outcome),
        "dropped": dict(ingested.dropped),
        "missing": missing_by_arm(ingested.missing),
        "rank_deficient": settings["design"]["rank_deficient"],
        "warnings": [*found["warnings"], *ingested.warnings],
    }
    return ingested.table, ingested.missing, found | understood


def _listed(recodes):
    """Recodes as [old, new] pairs: JSON has no keys that are numbers."""
    return {column: [list(pair) for pair in pairs.items()] for column, pairs in recodes.items()}


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
