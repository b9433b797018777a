"""Make a notebook of a document's chunks and execute it."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError
from nbformat import NotebookNode
from papermill.parameterize import (  # type: ignore[import-untyped, unused-ignore]
    parameterize_notebook,
)
from papermill.utils import (  # type: ignore[import-untyped, unused-ignore]
    find_first_tagged_cell_index,
)

from preview import inline
from preview.errors import PreviewError, warn
from preview.kernel import figure_arguments, kernel_environment, kernel_manager
from preview.metadata import as_list, scalar
from preview.source import Chunk

ANSI = re.compile(r"\x1b\[[0-9;]*m")
STARTUP_TIMEOUT = 600
"""Seconds a kernel may take to answer first: a busy machine may give it hardly any time."""

CELL_LINE = re.compile(r"Cell In\[\d+\], line (\d+)")


def build(chunks: list[Chunk], parameters: dict[str, str]) -> NotebookNode:
    """A notebook with one cell per chunk, and the parameters injected as Quarto's ``-P`` does."""
    nb: NotebookNode = nbformat.v4.new_notebook()  # type: ignore[no-untyped-call, unused-ignore]
    nb.metadata.kernelspec = {"name": "python3", "language": "python", "display_name": "Python 3"}
    nb.metadata.papermill = {}
    nb.cells = [_cell(chunk, number) for number, chunk in enumerate(chunks, start=1)]
    return _parameterize(nb, parameters) if parameters else nb


def execute(
    nb: NotebookNode,
    *,
    name: str,
    folder: Path,
    scratch: Path,
    metadata: dict[str, Any],
    execute_options: dict[str, Any],
    env: dict[str, str] | None,
) -> None:
    """Run every cell and inline expression in order; outputs are stored in `nb`.

    Parameters
    ----------
    nb : NotebookNode
        From `build`; changed in place. A Markdown cell's expressions are replaced by their values.
    name : str
        What the document is called in errors.
    folder, scratch : Path
        Where the code runs; where the kernel may write its own files.
    metadata, execute_options : dict
        Metadata of the page; defaults of the cells' options.
    env : dict, optional
        Added to the kernel's environment.

    Raises
    ------
    PreviewError
        If a cell or an inline expression fails, or the kernel dies.
    """
    client = NotebookClient(
        nb,
        km=kernel_manager(scratch),
        timeout=None,
        startup_timeout=STARTUP_TIMEOUT,
        record_timing=False,
        allow_errors=bool(execute_options["error"]),
        extra_arguments=figure_arguments({**metadata, **execute_options}),
        resources={"metadata": {"path": str(folder)}},
    )
    # nbclient leaves a manager it was given running, unless it is told that it owns it.
    client.owns_km = True
    with client.setup_kernel(env=kernel_environment(scratch, env)):
        for index, cell in enumerate(nb.cells):
            if cell.cell_type == "markdown":
                _execute_inline(client, cell, name)
            elif cell.metadata.options.get("eval", execute_options["eval"]):
                _execute_cell(client, cell, index, name)


def _cell(chunk: Chunk, number: int) -> NotebookNode:
    tags = [str(tag) for tag in as_list(chunk.options.get("tags"))]
    if chunk.options.get("error") is True:
        tags.append("raises-exception")
    metadata = {"options": chunk.options, "line": chunk.line, "indent": chunk.indent, "tags": tags}
    new: Callable[..., NotebookNode] = (
        nbformat.v4.new_code_cell if chunk.is_code else nbformat.v4.new_markdown_cell
    )
    return new(source=chunk.text, metadata=metadata, id=f"chunk-{number}")


def _parameterize(nb: NotebookNode, parameters: dict[str, str]) -> NotebookNode:
    index = find_first_tagged_cell_index(nb, "parameters")
    if index < 0:
        warn("parameters are ignored, because no cell is tagged 'parameters'")
        return nb
    values = {key: scalar(value) for key, value in parameters.items()}
    nb = parameterize_notebook(nb, values, comment="Injected Parameters")
    tagged, injected = nb.cells[index], nb.cells[index + 1]
    options = {key: value for key, value in tagged.metadata.options.items() if key != "label"}
    injected.metadata.update(options=options, line=tagged.metadata.line, indent="")
    # papermill draws a random id, which would make two renders differ.
    injected.id = "injected-parameters"
    return nb


def _execute_cell(client: NotebookClient, cell: NotebookNode, index: int, name: str) -> None:
    try:
        client.execute_cell(cell, index)
        cell.outputs = joined(cell.outputs)
    except CellExecutionError as error:
        line = cell.metadata.line + _failing_line(error.traceback) - 1
        reason = _last_line(f"{error.ename}: {error.evalue}")
        raise PreviewError(f"{name}: {_which(cell)} failed at line {line}: {reason}") from error
    except DeadKernelError as error:
        raise PreviewError(f"{name}: Python died while it ran {_which(cell)}.") from error


def joined(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """A cell's outputs, each run of prints as one: the kernel sends slow ones in pieces."""
    merged: list[NotebookNode] = []
    for output in outputs:
        last = merged[-1] if merged else None
        if last and output.output_type == last.output_type == "stream" and output.name == last.name:
            last.text += output.text
        else:
            merged.append(output)
    return merged


def _execute_inline(client: NotebookClient, cell: NotebookNode, name: str) -> None:
    expressions = inline.expressions(cell.source)
    if not expressions:
        return
    codes = {str(number): code for number, (_, code) in enumerate(expressions)}
    assert client.kc is not None
    message = client.kc.execute("", user_expressions=codes, store_history=False)
    reply = client.wait_for_reply(message)
    results = reply["content"]["user_expressions"] if reply else {}
    values: dict[tuple[int, str], str] = {}
    for number, (offset, code) in enumerate(expressions):
        where = f"{name}: the inline expression `{code}` at line {cell.metadata.line + offset}"
        values[offset, code] = _inline_value(results.get(str(number), {}), where)
    cell.source = inline.substitute(cell.source, lambda offset, code: values[offset, code])


def _inline_value(result: dict[str, Any], where: str) -> str:
    if result.get("status") != "ok":
        reason = _last_line(f"{result.get('ename')}: {result.get('evalue')}")
        raise PreviewError(f"{where} failed: {reason}")
    value = inline.as_markdown(result["data"])
    if not value:
        warn(f"{where} is empty; Quarto prints the expression itself then")
    return value


def _which(cell: NotebookNode) -> str:
    label = cell.metadata.options.get("label")
    return f"the cell '{label}'" if label else f"the cell at line {cell.metadata.line}"


def _failing_line(traceback: str) -> int:
    lines = CELL_LINE.findall(ANSI.sub("", traceback))
    return int(lines[-1]) if lines else 1


def _last_line(message: str) -> str:
    lines = [line.strip() for line in ANSI.sub("", message).splitlines() if line.strip()]
    return lines[-1] if lines else "no reason given"
