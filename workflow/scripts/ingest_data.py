"""Type and order a checked dataset, and describe its design."""

from pathlib import Path

from job import logged, read_json, write_json, write_table
from raw_table import read_dataset

from groupwise.data.looks import Looks
from groupwise.data.validate import Roles
from groupwise.intake import take_in


def run(raw, settings, looks=None):
    """The analysis table, what is missing where, and what was understood of both."""
    taken = take_in(
        raw,
        Roles.from_settings(settings["roles"]),
        conf_level=settings["conf_level"],
        reading=settings["ingest"],
        modelling=settings["design"],
        assigned=settings.get("assigned"),
        looks=looks,
    )
    return taken.table, taken.missing, taken.understood


if __name__ == "__main__":
    raw, params = snakemake.input.raw, snakemake.params
    with logged(snakemake, file=raw, dataset=snakemake.wildcards.dataset):
        checked = read_json(snakemake.input.checked)
        looks = Looks(**checked.pop("looks"))
        dataset = read_dataset(Path(raw), params.settings)
        table, missing, design = run(dataset.table, params.settings, looks)
        design["alerts"] += checked.pop("suspicions")
        source = {"simulated": bool(params.simulated)} | checked
        header = {"dataset": snakemake.wildcards.dataset, "title": params.title}
        header |= {"note": params.note, "source": source}
        write_table(snakemake.output.data, table)
        write_table(snakemake.output.missing, missing)
        write_json(snakemake.output.design, header | design)
