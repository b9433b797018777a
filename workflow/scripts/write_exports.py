"""Write what is known of one dataset for other programs, beside its report.

All of it as one JSON file, and the tables and paragraphs for a paper, for a word processor and LaTeX.
"""

import os
from collections.abc import Sequence
from pathlib import Path

import pypandoc  # type: ignore[import-untyped, unused-ignore]
from job import logged, read_json, read_result, whole, write_text
from report_data import load

from groupwise.report import paper
from groupwise.report.document import document, text

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


def known(files: Sequence[Path]) -> str:
    """The content of results, tables and other, as one JSON text."""
    return text(
        document(
            {path.stem: read_result(path, path.stem) for path in files if path.suffix == ".csv"},
            {path.stem: read_json(path) for path in files if path.suffix == ".json"},
        )
    )


if __name__ == "__main__":
    with logged(snakemake):
        truth = snakemake.input.get("truth")
        files = map(Path, [*snakemake.input.known, *([truth] if truth else [])])
        write_text(snakemake.output.json, known(list(files)))
        markdown = paper.document(load(snakemake.wildcards.dataset))
        bibliographies = [str(file) for file in snakemake.input.bibliographies]
        for file in (snakemake.output.docx, snakemake.output.tex):
            run(markdown, Path(file), bibliographies)
