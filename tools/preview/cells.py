"""Write an executed notebook as the Markdown that Quarto would hand to Pandoc."""

import base64
import re
from pathlib import Path
from typing import Any

from nbformat import NotebookNode

from preview.metadata import as_list

ANSI = re.compile(r"\x1b\[[0-9;]*m")
# In Quarto's order of preference for HTML.
IMAGES = {"image/svg+xml": "svg", "image/png": "png", "image/jpeg": "jpg"}
MIME_TYPES = ("text/html", "text/markdown", *IMAGES, "text/latex", "text/plain")
DISPLAYS = ("display_data", "execute_result")
PLOT_OBJECTS = ("[<matplotlib", "<matplotlib", "<seaborn.", "<ggplot:")
# Attributes of an image that come from the options of the cell.
FORWARDED = ("tbl-cap", "layout-ncol", "layout-nrow", "layout")


def to_markdown(nb: NotebookNode, execute_options: dict[str, Any], media: Path) -> str:
    """Assemble the document; displayed images are written to `media` and referred to by name."""
    parts = []
    for number, cell in enumerate(nb.cells, start=1):
        if cell.cell_type == "markdown":
            parts.append(cell.source)
        else:
            text = CodeCell(cell, number, execute_options, media).markdown()
            parts.append(_indented(text, cell.metadata.indent))
    return "\n\n".join(parts) + "\n"


class CodeCell:
    """One executed cell on its way to Markdown."""

    def __init__(
        self, cell: NotebookNode, number: int, execute_options: dict[str, Any], media: Path
    ) -> None:
        self.cell = cell
        self.options: dict[str, Any] = dict(cell.metadata.options)
        self.settings = {**execute_options, **self.options}
        self.media = media
        self.label = str(self.options.get("label") or "").lstrip("#")
        self.name = re.sub(r"[^\w-]+", "-", self.label) or f"cell-{number}"
        self.asis = self.settings["output"] == "asis"
        self.outputs = self._kept_outputs()
        self.captions = [str(text) for text in as_list(self.options.get("fig-cap"))]

    def markdown(self) -> str:
        """The cell's code and outputs, fenced as a `.cell` unless the output is `asis`."""
        if not self.settings["include"]:
            return ""
        parts = [self._code()] if self.settings["echo"] else []
        if self.settings["output"]:
            parts += self._outputs()
        if "fig-subcap" in self.options and self.options.get("fig-cap"):
            parts.append(str(self.options["fig-cap"]))
        body = "\n\n".join(part for part in parts if part)
        if not body or (self.asis and not self._needs_fence()):
            return body
        return f"{_fence(body)} {{{self._attributes()}}}\n{body}\n{_fence(body)}"

    def _kept_outputs(self) -> list[NotebookNode]:
        outputs = [
            output
            for output in self.cell.outputs
            if self.settings["warning"] or output.get("name") != "stderr"
        ]
        has_image = any(_mime_type(output) in IMAGES for output in outputs)
        return [output for output in outputs if not _is_plot_repr(output, has_image)]

    def _labels_container(self) -> bool:
        """Whether the label names the whole cell, or the one thing it displays."""
        displayed = [output for output in self.outputs if output.output_type in DISPLAYS]
        if not self.settings["output"] or not displayed or self.label.startswith("tbl-"):
            return True
        return len(displayed) > 1 and not isinstance(self.options.get("fig-cap"), list)

    def _needs_fence(self) -> bool:
        labelled = bool(self.label) and self._labels_container()
        return labelled or any(key in self.options for key in ("classes", "column", *FORWARDED))

    def _attributes(self) -> str:
        words = [".cell"]
        if self.label and self._labels_container():
            words.insert(0, f"#{self.label}")
        words += [f".{str(name).lstrip('.')}" for name in as_list(self.options.get("classes"))]
        if "column" in self.options:
            words.append(f".column-{self.options['column']}")
        words += [f"{key}={_quoted(self.options[key])}" for key in FORWARDED if key in self.options]
        return " ".join(words)

    def _code(self) -> str:
        source = self.cell.source.strip("\n")
        if not source:
            return ""
        ticks = _ticks(source)
        return f"{ticks} {{.python .cell-code}}\n{source}\n{ticks}"

    def _outputs(self) -> list[str]:
        parts = []
        displayed = 0
        captions = list(self.captions)
        if "fig-subcap" in self.options:
            subcaptions = self.options["fig-subcap"]
            captions = [] if subcaptions is True else [str(text) for text in as_list(subcaptions)]
        for number, output in enumerate(self.outputs, start=1):
            caption = ""
            if output.output_type in DISPLAYS:
                displayed += 1
                caption = captions.pop(0) if captions else ""
            label = self._output_label(displayed)
            text = self._output(output, f"{self.name}-output-{number}", label, caption, displayed)
            parts.append(text if self.asis else self._fenced(text, output, label))
        return parts

    def _output_label(self, displayed: int) -> str:
        if not self.label or self.label.startswith("tbl-"):
            return ""
        # With a caption for each output the first keeps the label; a second one needs its own.
        numbered = self._labels_container() or displayed > 1
        return f"{self.label}-{displayed}" if numbered else self.label

    def _output(
        self, output: NotebookNode, name: str, label: str, caption: str, displayed: int
    ) -> str:
        if output.output_type == "stream":
            raw = self.asis and output.name == "stdout"
            return str(output.text) if raw else _code_block(output.text)
        if output.output_type == "error":
            return _code_block(f"{output.ename}: {output.evalue}")
        mime_type = _mime_type(output)
        if mime_type in IMAGES:
            self._write_image(output.data[mime_type], mime_type, name)
            size = output.metadata.get(mime_type, {})
            return self._image(f"{name}.{IMAGES[mime_type]}", label, caption, displayed, size)
        text = _text_display(output.data, mime_type)
        return f"{text}\n\n{_one_line(caption)}" if caption else text

    def _image(
        self, file: str, label: str, caption: str, displayed: int, size: dict[str, Any]
    ) -> str:
        words = [f"#{label}"] if label else []
        words += [f"{key}={size[key]}" for key in ("width", "height") if size.get(key)]
        alt = self.options.get("fig-alt")
        if isinstance(alt, list):
            alt = alt[displayed - 1] if displayed <= len(alt) else None
        if alt:
            words.append(f"fig-alt={_quoted(alt)}")
        return f"![{_one_line(caption)}](<{file}>){{{' '.join(words)}}}"

    def _write_image(self, data: str, mime_type: str, name: str) -> None:
        path = self.media / f"{name}.{IMAGES[mime_type]}"
        if mime_type == "image/svg+xml":
            path.write_text(data, encoding="utf-8")
        else:
            path.write_bytes(base64.b64decode(data))

    def _fenced(self, text: str, output: NotebookNode, label: str) -> str:
        kind = "display" if output.output_type in DISPLAYS else output.output_type
        kind = output.name if kind == "stream" else kind
        labelled = label and kind == "display" and _mime_type(output) not in IMAGES
        identifier = f"#{label} " if labelled else ""
        fence = _fence(text)
        return f"{fence} {{{identifier}.cell-output .cell-output-{kind}}}\n{text}\n{fence}"


def _mime_type(output: NotebookNode) -> str:
    data = output.get("data", {})
    return next((name for name in MIME_TYPES if name in data), "")


def _is_plot_repr(output: NotebookNode, has_image: bool) -> bool:
    """Whether an output only echoes the object a plotting call returned."""
    if output.output_type != "execute_result" or _mime_type(output) != "text/plain":
        return False
    text = str(output.data["text/plain"]).strip()
    if not has_image:
        return text.startswith(PLOT_OBJECTS)
    if "\n" in text:
        return "<matplotlib." in text
    return bool(re.match(r"^[<(\[].*[>)\]]$|^Text\([-\d]", text))


def _text_display(data: NotebookNode, mime_type: str) -> str:
    if mime_type == "text/html":
        return _code_block(data[mime_type], "{=html}")
    if mime_type in ("text/markdown", "text/latex"):
        return str(data[mime_type])
    return _code_block(data.get("text/plain", ""))


def _code_block(text: str, info: str = "") -> str:
    text = ANSI.sub("", text).rstrip("\n")
    ticks = _ticks(text)
    return f"{ticks}{info}\n{text}\n{ticks}"


def _ticks(text: str) -> str:
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    return "`" * max(longest + 1, 3)


def _fence(body: str) -> str:
    """Colons that enclose `body`, whatever fenced divs it opens itself."""
    longest = max((len(run) for run in re.findall(r"^\s*(:{3,})", body, re.M)), default=2)
    return ":" * (longest + 1)


def _quoted(value: Any) -> str:
    escaped = _one_line(str(value)).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _indented(text: str, indent: str) -> str:
    return "\n".join(indent + line if line else line for line in text.split("\n"))
