"""Render a .qmd of reports/ with Quarto, or with the preview renderer where there is no Quarto.

Pages are rendered in a folder of their own: Quarto writes beside its input, and several pages may be
rendered at once. The finished page is moved to its place in one step.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from job import whole
from places import REFERENCES, is_study

from groupwise.report.markdown import escape

SHARED = (
    "_quarto.yml", "references.bib", "page.html", "page.lua", "scroll.lua", "pdf.typ", "theme.scss",
)  # fmt: skip
SCRIPTS = Path(__file__).parent
TOOLS = SCRIPTS.parents[1] / "tools"  # holds the preview renderer
# Quarto's format by the suffix of the page.
FORMATS = {".html": "html", ".pdf": "typst"}


def render_page(
    qmd: Path,
    output: Path,
    *,
    datasets: Sequence[str],
    parameters: Mapping[str, str],
    quarto: str | None,
    title: str | None = None,
    further: Sequence[str] = (),
) -> None:
    """Render `qmd`, with results beside it, to `output` (HTML, or with Quarto also PDF).

    These are the folders of `datasets` and the files `further`, relative to the project.

    `quarto` is the path of the executable, or None for the preview renderer; `title`, a plain
    text, takes the place of the document's own.

    Raises
    ------
    RuntimeError
        If Quarto fails, or a PDF is asked for where there is no Quarto.
    """
    if quarto is None and output.suffix != ".html":
        raise RuntimeError(f"{output}: a PDF needs Quarto, which was not found: run `make quarto`.")
    with tempfile.TemporaryDirectory(prefix="groupwise-") as folder:
        stage = Path(folder)
        for name in SHARED:
            shutil.copy(qmd.parent / name, stage)
        _add_references(stage / "references.bib")
        copy = stage / f"{output.stem}.qmd"
        copy.write_text(_retitled(qmd.read_text(encoding="utf-8"), title), encoding="utf-8")
        for dataset in datasets:
            _stage_results(dataset, stage)
        for file in further:
            (stage / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, stage / file)
        page = stage / output.name
        if quarto is None:
            _preview(copy, page, parameters)
        else:
            _quarto(quarto, copy, parameters, FORMATS[output.suffix])
        with whole(output) as partial:
            shutil.copyfile(page, partial)


def _add_references(bibliography: Path) -> None:
    """What a study of its own cites, after what all reports do."""
    if is_study() and Path(REFERENCES).is_file():
        cited = Path(REFERENCES).read_text(encoding="utf-8")
        shared = bibliography.read_text(encoding="utf-8")
        bibliography.write_text(f"{shared}\n{cited}", encoding="utf-8")


def _retitled(document: str, title: str | None) -> str:
    """The document with another title in its front matter, where both renderers read Markdown.

    (On Quarto's command line, -M takes a title as YAML and then literally.)
    """
    if title is None:
        return document
    line = "title: " + json.dumps(escape(title), ensure_ascii=False)
    return re.sub(r"^title: .*$", lambda _: line, document, count=1, flags=re.MULTILINE)


def _stage_results(dataset: str, stage: Path) -> None:
    source, target = Path("results") / dataset, stage / "results" / dataset
    (target / "figures").mkdir(parents=True)
    for path in [*source.glob("*.csv"), *source.glob("*.json")]:
        shutil.copy(path, target)
    for path in [*source.glob("figures/*.svg"), *source.glob("figures/*.txt")]:
        shutil.copy(path, target / "figures")


def _environment() -> dict[str, str]:
    """The kernel finds the package beside the scripts, and Quarto finds this Python."""
    return dict(os.environ) | {
        "PYTHONPATH": str(SCRIPTS),
        "QUARTO_PYTHON": sys.executable,
    }


def _preview(qmd: Path, page: Path, parameters: Mapping[str, str]) -> None:
    sys.path.append(str(TOOLS))
    import preview

    given = {key: json.dumps(value) for key, value in parameters.items()}
    preview.render(qmd, page, parameters=given, metadata={}, env=_environment())


def _quarto(quarto: str, qmd: Path, parameters: Mapping[str, str], to: str) -> None:
    command = [quarto, "render", qmd.name, "--to", to]
    for key, value in parameters.items():
        command += ["-P", f"{key}:{json.dumps(value)}"]  # read as YAML: quoted, `no` is a word
    done = subprocess.run(
        command, cwd=qmd.parent, env=_environment(), capture_output=True, text=True, check=False
    )
    print(done.stdout, done.stderr, sep="\n")
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        raise RuntimeError(f"Quarto could not render {qmd.name}: {lines[-1] if lines else ''}")
