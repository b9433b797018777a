"""Check a raw file and the settings that describe it, before any earlier result is touched."""

from pathlib import Path

from job import logged, write_json
from raw_table import also_read, check_sum, read_raw

from groupwise.data.ingest import ingest
from groupwise.data.validate import Roles
from groupwise.design import make_design


def run(path, sums, settings):
    """What was read, once every check has passed; the checks are those of the ingest itself."""
    roles = Roles.from_settings(settings["roles"])
    found = check_sum(path, sums)
    raw = read_raw(path, roles, form=settings["form"], also=also_read(settings))
    ingested = ingest(raw.table, roles, **settings["ingest"])
    make_design(ingested.table, roles, **settings["design"])
    return {"file": str(path), "sha256": found, "n_read": ingested.n_read, "read_as": raw.notes}


if __name__ == "__main__":
    raw = snakemake.input.raw
    with logged(snakemake, file=raw, dataset=snakemake.wildcards.dataset):
        found = run(Path(raw), Path(snakemake.input.sums), snakemake.params.settings)
        write_json(snakemake.output.checked, found)
