"""Print the table of config.yaml's keys, made from the schema; `--write docs/settings.md` puts it there.

python tools/setup/config_table.py --write docs/settings.md
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

SCHEMA = Path(__file__).parents[2] / "workflow" / "schemas" / "config.schema.yaml"
BEGIN = "<!-- config table: begin -->"
END = "<!-- config table: end -->"
PLACEHOLDER = "NAME"  # stands for a name that the user chooses
REQUIRED = "required"


def resolve(node: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """A node with its `$ref` followed; what is said beside the `$ref` comes first."""
    if "$ref" not in node:
        return dict(node)
    target: Any = schema
    for part in node["$ref"].removeprefix("#/").split("/"):
        target = target[part]
    return resolve(target, schema) | {key: value for key, value in node.items() if key != "$ref"}


def keys(schema: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any], bool]]:
    """(path, node, required) of every key that has a meaning of its own, depth first."""
    yield from _keys(schema, schema, "")


def _keys(
    node: Mapping[str, Any], schema: Mapping[str, Any], path: str
) -> Iterator[tuple[str, dict[str, Any], bool]]:
    for name, child in node.get("properties", {}).items():
        here, child = f"{path}{name}", resolve(child, schema)
        yield here, child, name in node.get("required", ())
        yield from _keys(child, schema, f"{here}.")
        entries = resolve(child.get("additionalProperties") or {}, schema)
        yield from _keys(entries, schema, f"{here}.{PLACEHOLDER}.")


def table(schema: Mapping[str, Any]) -> str:
    """The Markdown table."""
    lines = ["| key | meaning | default |", "|---|---|---|"]
    for path, node, required in keys(schema):
        meaning = " ".join([node["description"].strip(), *_choices(node)])
        default = REQUIRED if required else _shown(node)
        lines.append(f"| `{path}` | {meaning} | {default} |".replace("|  |", "| |"))
    return "\n".join(lines) + "\n"


def _choices(node: Mapping[str, Any]) -> list[str]:
    """The allowed values, unless the description names them all."""
    named = [f"`{_written(value)}`" for value in node.get("enum", ())]
    if all(name in node["description"] for name in named):
        return []
    return [f"One of {', '.join(named)}."]


def _shown(node: Mapping[str, Any]) -> str:
    if "default" not in node:
        return "-"
    return f"`{_written(node['default'])}`"


def _written(value: Any) -> str:
    """As in YAML."""
    return value if isinstance(value, str) else json.dumps(value)


def replaced(text: str, new: str) -> str:
    """The text with the table between its two marks."""
    marks = re.compile(f"(?<={re.escape(BEGIN)}\n).*?(?={re.escape(END)})", re.DOTALL)
    if len(marks.findall(text)) != 1:
        raise ValueError(f"the lines '{BEGIN}' and '{END}' must stand there once, in this order")
    return marks.sub(lambda _: new, text)


def main() -> None:
    """Print the table, or write it into a page."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--write", type=Path, metavar="PAGE", help="replace the table in this page")
    page = parser.parse_args().write
    new = table(yaml.safe_load(SCHEMA.read_text(encoding="utf-8")))
    if page is None:
        print(new, end="")
        return
    try:
        page.write_text(replaced(page.read_text(encoding="utf-8"), new), encoding="utf-8")
    except (OSError, ValueError) as error:
        sys.exit(f"{page}: {error}")


if __name__ == "__main__":
    main()
