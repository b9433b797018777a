"""Write the tables and paragraphs for a paper of one dataset, for a word processor and for LaTeX."""

import os
from collections.abc import Sequence
from pathlib import Path

import pypandoc  # type: ignore[import-untyped, unused-ignore]
from job import logged, whole
from report_data import load

from groupwise.report import paper

FORMATS = {".docx": "docx", ".tex": "latex"}
ARGUMENTS = ("--standalone", "--citeproc", "--columns=1000000")
"""Pandoc divides a table with a line over `columns` characters by the dashes under its header."""


def run(markdown: str, output: Path, bibliographies: Sequence[str]) -> None:
    """Convert to the format that the output's name says; citations are resolved.

    The same text gives the same file: a document has no date.
    """
    os.environ["SOURCE_DATE_EPOCH"] = "0"
    with whole(output) as partial:
        pypandoc.convert_text(
            markdown,
            FORMATS[output.suffix],
            format="markdown",
            outputfile=str(partial),
            extra_args=[*ARGUMENTS, *(f"--bibliography={file}" for file in bibliographies)],
        )


if __name__ == "__main__":
    with logged(snakemake):
        text = paper.document(load(snakemake.wildcards.dataset))
        bibliographies = [str(file) for file in snakemake.input.bibliographies]
        for file in snakemake.output:
            run(text, Path(file), bibliographies)
