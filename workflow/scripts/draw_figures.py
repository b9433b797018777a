"""Draw figures of one dataset, each with its alt text beside it: those that the rule's outputs name."""

from pathlib import Path

import pandas as pd
from job import logged, read_json, read_results, write_text

from groupwise import figures

ROLES = ("outcome", "treatment", "group", "block", "period", "individual", "exposure")

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
        for path in map(Path, snakemake.output.svg):
            figure = figures.draw(path.stem, tables)
            write_text(path, figures.render(figure, "svg"))
            write_text(path.with_suffix(".png"), figures.render(figure, "png"))
            write_text(path.with_suffix(".txt"), figure.alt + "\n")
