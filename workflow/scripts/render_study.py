"""Render the page of the general study."""

from pathlib import Path

from job import logged
from rendering import render_page

if __name__ == "__main__":
    with logged(snakemake):
        render_page(
            Path(snakemake.input.qmd),
            Path(snakemake.output.html),
            datasets=["study"],
            parameters={"folder": "study"},
            quarto=snakemake.params.quarto,
        )
