"""Render a document: execute it, give it to Pandoc, check the page, put it in place."""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pypandoc  # type: ignore[import-untyped, unused-ignore]

from preview import cells, notebook
from preview.errors import PreviewError
from preview.metadata import as_list, execute_defaults, page_metadata
from preview.selfcontained import violations
from preview.source import FENCE, read_qmd

HERE = Path(__file__).parent
FILTERS = ("syntax.lua", "crossref.lua", "finish.lua")
# Where a document's own filters can run: before these, and after them.
ENTRY_POINTS = ("pre-ast", "post-render")
NOWHERE = "http://127.0.0.1:9"
# Keys that Quarto acts on and Pandoc must not see as metadata of the page.
NOT_FOR_PANDOC = (
    "format", "execute", "jupyter", "filters", "toc", "css", "theme", "template",
    "include-after-body",
)  # fmt: skip


def render(
    qmd: Path,
    output: Path,
    *,
    parameters: dict[str, str],
    metadata: dict[str, str],
    env: dict[str, str] | None = None,
) -> None:
    """Render a Quarto document to one self-contained HTML file, without Quarto.

    Parameters
    ----------
    qmd : Path
        The document. It runs in its own folder; paths in it are relative to that.
    output : Path
        The page, replaced in one step. Its folder is made if it is missing.
    parameters : dict
        Values for the cell tagged ``parameters``, as Quarto's ``-P key:value``.
    metadata : dict
        Overrides of the front matter, as Quarto's ``-M key:value``.
    env : dict, optional
        Additions to the environment of the document's code.

    Raises
    ------
    PreviewError
        If the document cannot be read, a cell fails, Pandoc fails, or the page would
        not be self-contained.
    """
    front, chunks = read_qmd(qmd)
    page = page_metadata(qmd, front, metadata)
    page["filters"] = _filters(page, qmd.name)
    options = execute_defaults(page)
    nb = notebook.build(chunks, parameters)
    with tempfile.TemporaryDirectory(prefix="preview-") as name:
        scratch = Path(name)
        notebook.execute(
            nb,
            name=qmd.name,
            folder=qmd.resolve().parent,
            scratch=scratch,
            metadata=page,
            execute_options=options,
            env=env,
        )
        markdown = fence_html_tables(cells.to_markdown(nb, options, scratch))
        html = _pandoc(markdown, page, qmd, scratch)
    _refuse_violations(html, qmd.name, _included(page, qmd))
    _replace(output, html)


def _filters(page: dict[str, Any], name: str) -> dict[str, list[str]]:
    """The document's own Lua filters by the entry point at which they run."""
    filters: dict[str, list[str]] = {point: [] for point in ENTRY_POINTS}
    for entry in as_list(page.get("filters")):
        path, at = (entry.get("path"), entry.get("at")) if isinstance(entry, dict) else (entry, "")
        if at not in ENTRY_POINTS:
            allowed = " or ".join(ENTRY_POINTS)
            raise PreviewError(f"{name}: the filter {path} should run at {allowed} in a preview.")
        filters[at].append(str(path))
    return filters


def fence_html_tables(markdown: str) -> str:
    """Fence HTML tables as raw blocks, so that Pandoc hands each of them to the filter whole."""
    result: list[str] = []
    closing = None
    in_table = False
    for line in markdown.split("\n"):
        fence = FENCE.match(line)
        if closing is not None:
            if fence and fence["ticks"].startswith(closing) and not fence["info"].strip():
                closing = None
        elif fence and not in_table:
            closing = fence["ticks"]
        indent = line[: len(line) - len(line.lstrip())]
        opens = closing is None and not in_table and re.match(r"\s*<table\b", line)
        in_table = bool(opens) or in_table
        result += [f"{indent}```{{=html}}", line] if opens else [line]
        if in_table and "</table>" in line:
            result += [f"{indent}```", ""]
            in_table = False
    return "\n".join(result)


def _pandoc(markdown: str, page: dict[str, Any], qmd: Path, scratch: Path) -> str:
    kept = {key: value for key, value in page.items() if key not in NOT_FOR_PANDOC}
    if not page.get("title"):
        kept.setdefault("pagetitle", qmd.stem)
    metadata_file = scratch / "metadata.json"
    metadata_file.write_text(json.dumps(kept, default=str), encoding="utf-8")
    done = subprocess.run(
        [pypandoc.get_pandoc_path(), *_arguments(page, scratch, metadata_file)],
        input=markdown.encode(),
        cwd=qmd.resolve().parent,
        env=_offline(),
        capture_output=True,
        check=False,
    )
    messages = done.stderr.decode(errors="replace").strip()
    if done.returncode:
        reason = messages.splitlines()[-1] if messages else f"exit code {done.returncode}"
        raise PreviewError(f"{qmd.name}: Pandoc failed: {reason}")
    if messages:
        print(messages, file=sys.stderr)
    return done.stdout.decode()


def _arguments(page: dict[str, Any], scratch: Path, metadata_file: Path) -> list[str]:
    version = pypandoc.get_pandoc_version()
    arguments = [
        "--from=markdown",
        "--to=html5",
        "--standalone",
        "--embed-resources",
        "--mathml",
        "--wrap=none",
        # Pipe tables with a line longer than this get relative column widths.
        "--columns=1000000",
        f"--template={HERE / 'template.html'}",
        f"--resource-path={os.pathsep.join(['.', str(scratch)])}",
        # Templates and defaults in the user's own Pandoc folder must not change the page.
        f"--data-dir={scratch}",
        f"--metadata-file={metadata_file}",
        f"--variable=generator:Groupwise preview (Pandoc {version})",
    ]
    if page.get("toc"):
        arguments += ["--toc", f"--toc-depth={page.get('toc-depth', 3)}"]
    of_page = page["filters"]
    filters = [*of_page["pre-ast"], *(HERE / name for name in FILTERS), *of_page["post-render"]]
    arguments += [f"--lua-filter={path}" for path in filters]
    arguments += [
        f"--include-after-body={path}" for path in as_list(page.get("include-after-body"))
    ]
    if page.get("bibliography") or page.get("references"):
        arguments.append("--citeproc")
    return arguments


def _offline() -> dict[str, str]:
    """An environment in which Pandoc can fetch nothing: its proxy is a port nobody listens on."""
    proxies = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), NOWHERE)
    return {**os.environ, **proxies, "no_proxy": "", "NO_PROXY": "", "SOURCE_DATE_EPOCH": "0"}


def _included(page: dict[str, Any], qmd: Path) -> str:
    """What the page's settings put at its end: the one place for a script."""
    folder = qmd.resolve().parent
    paths = [folder / path for path in as_list(page.get("include-after-body"))]
    return "".join(path.read_text(encoding="utf-8") for path in paths)


def _refuse_violations(html: str, name: str, included: str) -> None:
    problems = violations(html, included)
    if problems:
        raise PreviewError(f"{name}: the page would not be self-contained: {problems[0]}.")


def _replace(output: Path, html: str) -> None:
    output.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=output.parent, prefix=f".{output.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(html)
        # mkstemp makes files private; a page should have the permissions of any other file.
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(name, 0o666 & ~umask)
        os.replace(name, output)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
