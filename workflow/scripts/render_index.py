"""Render the page from which every report is reached."""

from pathlib import Path

from job import logged
from rendering import render_page

if __name__ == "__main__":
    with logged(snakemake):
        datasets = snakemake.params.datasets
        render_page(
            Path(snakemake.input.qmd),
            Path(snakemake.output.html),
            datasets=datasets,
            parameters={
                "datasets": ",".join(datasets),
                "study": "made" if snakemake.params.study else "",
            },
            further=[snakemake.input.families],
            quarto=snakemake.params.quarto,
        )
