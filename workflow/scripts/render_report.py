"""Render the report of one dataset, as HTML or PDF."""

from pathlib import Path

from job import logged, read_json
from rendering import render_page

if __name__ == "__main__":
    with logged(snakemake):
        dataset = snakemake.wildcards.dataset
        render_page(
            Path(snakemake.input.qmd),
            Path(snakemake.output[0]),
            datasets=[dataset],
            parameters={"dataset": dataset, "teaching": bool(snakemake.params.teaching)},
            title=read_json(snakemake.input.design)["title"],
            quarto=snakemake.params.quarto,
        )
