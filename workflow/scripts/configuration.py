"""Checks of the configuration, each failure one sentence that names file, key and fix.

The schema says what is allowed; what it cannot say (an arm that a simulation does not have, a file
that is not there) is checked below it. Light on imports: Snakemake runs this at every start.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from groupwise.data.errors import nearest, sentence

SCHEMA = Path(__file__).parents[1] / "schemas" / "config.schema.yaml"


class ConfigError(ValueError):
    """A mistake in a configuration file."""

    def __init__(self, file: str, key: str, problem: str, fix: str) -> None:
        super().__init__(sentence(*filter(None, (file, key)), problem, fix))


def check_configuration(config: Mapping[str, Any], files: Sequence[str | Path]) -> None:
    """Raise ConfigError at the first mistake in the merged configuration or one of its files."""
    files = [str(file) for file in files]
    for file in files:
        check_duplicates(file)
    for error in sorted(Draft202012Validator(load_schema()).iter_errors(config), key=_depth):
        raise _explain(error, files)
    for name, block in config["datasets"].items():
        for key, problem, fix in _dataset_mistakes(block):
            path = ("datasets", name, *key)
            raise ConfigError(file_with(path, files), ".".join(path), problem, fix)


def load_schema() -> dict[str, Any]:
    schema: dict[str, Any] = yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))
    return schema


def modules(folder: Path, besides: Iterable[str] = ()) -> list[str]:
    """Names of the modules in a folder: what is registered by its file name."""
    hidden = {"__init__", *besides}
    return sorted(path.stem for path in folder.glob("*.py") if path.stem not in hidden)


def check_duplicates(file: str) -> None:
    """YAML keeps the last of two equal keys in silence; here it is a mistake."""
    try:
        root = yaml.compose(Path(file).read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        where = getattr(error, "problem_mark", None)
        line = f"line {where.line + 1}" if where else ""
        what = getattr(error, "problem", None) or "it is not valid YAML"
        raise ConfigError(file, line, what, "check indentation and colons there") from None
    for path, line in _duplicates(root, ()):
        problem = f"the key appears twice (again in line {line})"
        raise ConfigError(file, ".".join(path), problem, "rename or remove one of them")


def _duplicates(
    node: yaml.Node | None, path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], int]]:
    if isinstance(node, yaml.MappingNode):
        seen = set()
        for key, value in node.value:
            here = (*path, str(key.value))
            if key.value in seen:
                yield here, key.start_mark.line + 1
            seen.add(key.value)
            yield from _duplicates(value, here)


def _depth(error: ValidationError) -> tuple[int, str]:
    return len(error.absolute_path), error.json_path


def _explain(error: ValidationError, files: Sequence[str]) -> ConfigError:
    """A sentence for what jsonschema found."""
    path = tuple(str(part) for part in error.absolute_path)
    if error.validator in ("anyOf", "oneOf"):
        allowed = error.schema.get("description", "").rstrip(".")
        return _at(
            path, files, f"{_shown(error.instance)} does not fit", f"it should be: {allowed}"
        )
    if error.validator == "additionalProperties":
        known = error.schema.get("properties", {})
        odd = next(str(key) for key in error.instance if key not in known)
        return _at((*path, odd), files, "unknown key", nearest(odd, known))
    if error.validator == "propertyNames":
        fix = "use letters, digits and underscores, starting with a letter"
        return _at((*path, str(error.instance)), files, "this name cannot be used", fix)
    if error.validator == "required":
        missing = next(key for key in error.validator_value if key not in error.instance)
        what = error.schema.get("properties", {}).get(missing, {}).get("description", "")
        return _at((*path, missing), files, "this key is missing", f"add it: {what.rstrip('.')}")
    if error.validator == "enum":
        fix = nearest(str(error.instance), error.validator_value)
        return _at(path, files, f"{_shown(error.instance)} is not one of the choices", fix)
    what = error.schema.get("description", f"needs {error.validator} {error.validator_value}")
    return _at(
        path, files, f"{_shown(error.instance)} does not fit", f"it should be: {what.rstrip('.')}"
    )


def _at(path: tuple[str, ...], files: Sequence[str], problem: str, fix: str) -> ConfigError:
    return ConfigError(file_with(path, files), ".".join(path), problem, fix)


def _shown(value: object) -> str:
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def file_with(path: Sequence[str], files: Sequence[str]) -> str:
    """The last file that holds the longest part of this path: where the user has to look."""
    best, depth = (files[-1] if files else "the configuration"), 0
    for file in files:
        node, found = yaml.safe_load(Path(file).read_text(encoding="utf-8")), 0
        while found < len(path) and isinstance(node, Mapping) and path[found] in node:
            node, found = node[path[found]], found + 1
        if found >= max(depth, 1):
            best, depth = file, found
    return best


def _dataset_mistakes(block: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], str, str]]:
    """(key, problem, fix) of what the schema cannot say about one dataset."""
    if "simulate" in block and "file" in block:
        yield ("file",), "a dataset is simulated or read from a file, never both", "remove one"
    elif "simulate" in block:
        yield from _simulation_mistakes(block)
    elif "file" not in block:
        yield (), "there is neither `simulate` nor `file`", "say where the data come from"
    elif not Path(block["file"]).is_file():
        folder = Path(block["file"]).parent
        there = [str(path) for path in sorted(folder.glob("*.*"))] if folder.is_dir() else []
        yield ("file",), f"there is no file '{block['file']}'", nearest(block["file"], there)


def _simulation_mistakes(block: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], str, str]]:
    recipe = block["simulate"]
    arms = list(recipe["groups_per_arm"])
    named = {("reference",): [block["reference"]], ("simulate", "effects"): recipe["effects"]}
    if isinstance(recipe["sd_residual"], Mapping):
        named["simulate", "sd_residual"] = recipe["sd_residual"]
    for key, labels in named.items():
        for label in labels:
            if label not in arms:
                yield key, f"'{label}' is not an arm of groups_per_arm", nearest(str(label), arms)
    if block["roles"].get("block"):
        yield ("roles", "block"), "a simulation has no blocks", "remove the role"
    made = [
        recipe[key]["name"]
        for key in ("group_covariate", "individual_covariate")
        if recipe.get(key)
    ]
    for column in block["roles"].get("covariates") or ():
        if column not in made:
            yield (
                ("roles", "covariates"),
                f"the simulation makes no '{column}'",
                nearest(column, made),
            )
