"""Draw figures of one dataset, each with its alt text beside it: those that the rule's outputs name."""

import gc
from pathlib import Path

import pandas as pd
from job import logged, read_json, read_results, write_text

from groupwise import figures

ROLES = ("outcome", "treatment", "group", "block", "period", "individual", "exposure")


def write(path: Path, tables: figures.Tables) -> None:
    """Draw the figure that this file is named after."""
    figure = figures.draw(path.stem, tables)
    for kind, content in figures.rendered(figure).items():
        write_text(path.with_suffix(f".{kind}"), content)
    write_text(path.with_suffix(".txt"), figure.alt + "\n")


if __name__ == "__main__":
    with logged(snakemake):
        truth, design = snakemake.input.get("truth"), read_json(snakemake.input.design)
        columns = dict.fromkeys(design["roles"].get(role) for role in ROLES)
        tables = figures.Tables(
            data=pd.read_parquet(snakemake.input.data, columns=list(filter(None, columns))),
            design=design,
            results=read_results(snakemake.input),
            headline=read_json(snakemake.input.lead)["lead"],
            truth=read_json(truth) if truth else None,
        )
        gc.freeze()  # what is loaded stays: it need not be looked through for each figure
        for path in map(Path, snakemake.output.svg):
            write(path, tables)
            gc.collect()  # a drawing refers to itself, and would stay until much of it is there
