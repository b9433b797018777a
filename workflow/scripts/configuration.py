"""Checks of the configuration, each failure one sentence that names file, key and fix.

The schema says what is allowed; what it cannot say (an arm that a simulation does not have, a file
that is not there) is checked below it. All of it comes before the first job, which removes what an
earlier run made. Light on imports: Snakemake runs this at every start.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from configuration_error import ConfigError
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from groupwise.catalogue.methods import NAMES
from groupwise.data.declared_kind import contradictions
from groupwise.data.errors import dotted, nearest
from groupwise.data.simulated_kind import first_mistake
from groupwise.data.simulated_sequences import (
    arms_of,
    n_groups,
    where_arms_are,
)
from groupwise.data.values import as_value

SCHEMA = Path(__file__).parents[1] / "schemas" / "config.schema.yaml"
TAKEN = {
    "index": "the page that leads to all reports has this name",
    "study": "the page of the general study has this name",
}
WEIGHTS = {"weight", "weights"}
NO_WEIGHTS = "individuals cannot be weighted: none of the methods here is defined for it"
UNWEIGHTED = "remove the key; adjust for what the weights are made of by `covariates`"

VALUES = frozenset(
    [
        *("reference", "levels", "where", "subsets", "recode", "baseline", "missing_codes"),
        "event",
    ]
)
"""Keys of a dataset below which stand values of the data."""

Key = tuple[Any, ...]
Mistake = tuple[Key, str, str]
"""(key, problem, fix), the key as its parts."""


def check_configuration(config: Mapping[str, Any], files: Sequence[str | Path]) -> None:
    """Raise ConfigError at the first mistake in the merged configuration or one of its files."""
    given = [from_here(file) for file in files]
    for file in given:
        check_file(file)
    for error in sorted(Draft202012Validator(load_schema()).iter_errors(config), key=_depth):
        raise _explain(_cause(error), given)
    for path, value, of_key in _scalars(config["datasets"]):
        written = _written(path, given, of_key=of_key)
        if as_value(written) != as_value(value):
            raise _at(path[:-1] if of_key else path, given, *_unquoted(written, value))
    for path, problem, fix in (*_verdict_mistakes(config), *_mistakes(config["datasets"])):
        raise _at(path, given, problem, fix)


def _scalars(datasets: Mapping[str, Any]) -> Iterator[tuple[Key, Any, bool]]:
    """(key, value, whether it is the key itself) of values of the data that YAML reads as no text.

    The data may hold true and 7, but `No`, or `007`, in a configuration is a text without quotes.
    """
    for name, block in datasets.items():
        for key in VALUES & block.keys():
            yield from _scalars_in(block[key], ("datasets", name, key))


def _scalars_in(node: Any, path: Key) -> Iterator[tuple[Key, Any, bool]]:
    if _is_scalar(node) and path[-1] not in ("missing", "min", "max"):
        yield path, node, False
    parts: Iterable[tuple[Any, Any]] = ()
    if isinstance(node, Mapping):
        yield from (((*path, key), key, True) for key in node if _is_scalar(key))
        parts = node.items()
    elif isinstance(node, list):
        parts = enumerate(node)
    for part, value in parts:
        yield from _scalars_in(value, (*path, part))


def expand_datasets(datasets: Mapping[str, Any]) -> dict[str, Any]:
    """Datasets with one outcome and one set of rows each; those of one block are a family."""
    return {name: block for _, name, block in _expanded(datasets)}


def _expanded(datasets: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(name as written, name, block) of every dataset that a configuration describes."""
    for parent, block in datasets.items():
        outcome, subsets = block["roles"]["outcome"], block.get("subsets")
        if not isinstance(outcome, list) and subsets is None:
            yield parent, parent, dict(block)
            continue
        kept = {key: value for key, value in block.items() if key != "subsets"}
        listed = outcome if isinstance(outcome, list) else [outcome]
        for each in listed:
            for label, where in (subsets or {None: {}}).items():
                several = [each] if isinstance(outcome, list) else []
                parts = [*several, *([] if label is None else [label])]
                name = "_".join(
                    [parent, *(re.sub(r"\W+", "_", part, flags=re.A).strip("_") for part in parts)]
                )
                one = kept | {
                    "title": ", ".join([block["title"], *parts]),
                    "roles": block["roles"] | {"outcome": each},
                    "family": block.get("family", parent),
                }
                if conditions := block.get("where", {}) | where:
                    one["where"] = conditions
                yield parent, name, one


@cache
def load_schema() -> dict[str, Any]:
    """The schema of the configuration, with the names of the methods there are; read once."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # by libyaml: ten times as fast
    schema: dict[str, Any] = yaml.load(SCHEMA.read_text(encoding="utf-8"), Loader=loader)
    schema["$defs"]["method"]["enum"] = list(NAMES)
    schema["$defs"]["headline"]["enum"] = ["auto", *NAMES]
    return schema


def modules(folder: Path, besides: Iterable[str] = ()) -> list[str]:
    """Names of the modules in a folder: what is registered by its file name."""
    hidden = {"__init__", *besides}
    return sorted(path.stem for path in folder.glob("*.py") if path.stem not in hidden)


def check_file(file: str) -> None:
    """The file is there, is YAML, has keys, and each of them once: YAML keeps the last in silence."""
    root = _compose(file)
    if not isinstance(root, yaml.MappingNode):
        problem = "the file holds no keys" if root else "the file is empty"
        raise ConfigError(file, "", problem, "describe a dataset under `datasets:` (see README.md)")
    for path, line in _duplicates(root, ()):
        problem = f"the key appears twice (again in line {line})"
        raise ConfigError(file, dotted(path), problem, "rename or remove one of them")


def from_here(file: str | Path) -> str:
    """A path as a user types it: Snakemake makes those of its command line absolute."""
    path = Path(file)
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def _compose(file: str) -> yaml.Node | None:
    """The file as a tree of YAML's nodes."""
    try:
        root: yaml.Node | None = yaml.compose(Path(file).read_text(encoding="utf-8"))
    except FileNotFoundError:
        fix = "check its name, or bring it back"
        raise ConfigError(file, "", "there is no such configuration file", fix) from None
    except UnicodeDecodeError:
        raise ConfigError(file, "", "it is not text in UTF-8", "save it as UTF-8") from None
    except yaml.YAMLError as error:
        where = getattr(error, "problem_mark", None)
        line = f"line {where.line + 1}" if where else ""
        raise ConfigError(file, line, *_syntax(error)) from None
    return root


def _syntax(error: yaml.YAMLError) -> tuple[str, str]:
    """Problem and fix for what is no YAML."""
    problem = getattr(error, "problem", None) or "it is not valid YAML"
    if "'\\t'" in problem:
        return "a tab stands where YAML wants spaces", "indent with spaces"
    if "mapping values" in problem:
        fix = "put a text that holds a colon in quotes, and check the indentation"
        return "a colon stands where none can be", fix
    if "alias" in problem:
        return problem, "put a text that starts with * in quotes"
    fix = "check indentation, colons, brackets and quotes there and in the line before"
    return f"this is not valid YAML ({problem})", fix


def _duplicates(node: yaml.Node | None, path: Key) -> Iterator[tuple[Key, int]]:
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


def _cause(error: ValidationError) -> ValidationError:
    """Of alternatives that all fail, what is wrong inside the one that was meant, if that is clear."""
    inside = [
        each
        for each in error.context or ()
        if each.validator != "type" or each.path or "propertyNames" in each.schema_path
    ]
    return inside[0] if error.validator == "anyOf" and inside else error


def _explain(error: ValidationError, files: Sequence[str]) -> ConfigError:
    """A sentence for what jsonschema found."""
    path, value = tuple(error.absolute_path), error.instance
    meaning = _meaning(error.schema)
    if "propertyNames" in error.absolute_schema_path:
        return _bad_name((*path, value), files)
    if error.validator == "additionalProperties" and WEIGHTS & value.keys():
        return _at((*path, *sorted(WEIGHTS & value.keys())[:1]), files, NO_WEIGHTS, UNWEIGHTED)
    if error.validator == "additionalProperties":
        allowed = error.schema.get("properties", {})
        odd = next(key for key in value if key not in allowed)
        return _at((*path, odd), files, "unknown key", nearest(str(odd), allowed))
    if error.validator == "required":
        missing = next(key for key in error.validator_value if key not in value)
        meaning = _meaning(error.schema["properties"][missing])
        return _at((*path, missing), files, "this key is missing", f"add it: {meaning}")
    if error.validator == "enum" and value is not None:
        fix = nearest(str(value), error.validator_value)
        return _at(path, files, f"{_shown(value)} is not one of the choices", fix)
    if error.validator == "uniqueItems":
        return _at(path, files, "an entry of this list appears twice", "remove one of them")
    if (
        error.validator == "anyOf"
        and {"type": "string"} in error.validator_value
        and _is_scalar(value)
    ):
        return _at(path, files, *_unquoted(_written(path, files), value))
    if error.validator == "type" and "string" in error.validator_value and _is_scalar(value):
        return _at(path, files, *_unquoted(_written(path, files), value))
    problem = "it has no value" if value in (None, {}, []) else f"{_shown(value)} does not fit"
    return _at(path, files, problem, f"this key holds: {meaning}")


def _meaning(schema: Mapping[str, Any]) -> str:
    """What the schema says of a key, as a half-sentence."""
    if "$ref" in schema and "description" not in schema:
        schema = load_schema()["$defs"][schema["$ref"].rpartition("/")[2]]
    text = str(schema.get("description", "something else")).rstrip(".")
    return text[:1].lower() + text[1:]


def _bad_name(path: Key, files: Sequence[str]) -> ConfigError:
    """For a key that the user chose: the name of a dataset, or an arm."""
    name = path[-1]
    if path[:-1] == ("datasets",):
        fix = "use letters, digits and underscores, starting with a letter"
        return _at(("datasets", str(name)), files, "this name cannot be used", fix)
    return _at(path[:-1], files, *_unquoted(_written(path, files, of_key=True), name))


def _is_scalar(value: object) -> bool:
    return isinstance(value, bool | int | float | datetime.date)


def _unquoted(text: str, value: object) -> tuple[str, str]:
    """Problem and fix for a text that YAML takes for something else."""
    read = "a date" if isinstance(value, datetime.date) else "a number"
    if isinstance(value, bool):
        read = "true" if value else "false"
    return f"YAML reads {text} as {read}, not as a text", f"put it in quotes: '{text}'"


def _written(path: Key, files: Sequence[str], *, of_key: bool = False) -> str:
    """A value, or the key itself, as it is written in its file: `No` is False once it is read."""
    node: Any = _compose(file_with(path, files))
    pair = (None, node)
    for part in path:
        pair = _entry(pair[1], part)
    node = pair[0] if of_key else pair[1]
    return str(getattr(node, "value", path[-1]))


def _entry(node: Any, part: object) -> tuple[Any, Any]:
    """(key, value) of one entry of a node, also if it comes by `<<`; (None, None) without one."""
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int):
        return (None, node.value[part])
    merged: list[Any] = []
    for key, value in node.value if isinstance(node, yaml.MappingNode) else ():
        if key.value == "<<":
            merged += value.value if isinstance(value, yaml.SequenceNode) else [value]
        elif _is_key(key, part):
            return (key, value)
    pairs = (_entry(each, part) for each in merged)
    return next((pair for pair in pairs if pair[1] is not None), (None, None))


def _is_key(node: yaml.Node, part: object) -> bool:
    read = node.value if node.style else yaml.safe_load(node.value)
    return read == part and isinstance(read, type(part))


def _at(path: Key, files: Sequence[str], problem: str, fix: str) -> ConfigError:
    return ConfigError(file_with(path, files), dotted(path), problem, fix)


def _shown(value: object) -> str:
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "a mapping"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


@cache
def _parsed(text: str) -> Any:
    """What is written in YAML, parsed once: rules ask for each job in which file its dataset is."""
    return yaml.safe_load(text)


def file_with(path: Sequence[Any], files: Sequence[str]) -> str:
    """The last file that holds the longest part of this path: where the user has to look."""
    best, depth = (files[-1] if files else "the configuration"), 0
    for file in files:
        node, matched = _parsed(Path(file).read_text(encoding="utf-8")), 0
        while matched < len(path) and isinstance(node, Mapping) and path[matched] in node:
            node, matched = node[path[matched]], matched + 1
        if matched >= max(depth, 1):
            best, depth = file, matched
    return best


def _verdict_mistakes(config: Mapping[str, Any]) -> Iterator[Mistake]:
    """A rate cannot be too high for a valid method and low enough for it."""
    settings, given = (
        load_schema()["properties"]["verdict"]["properties"],
        config.get("verdict", {}),
    )
    tolerance, allowance = (
        given.get(name, settings[name]["default"]) for name in ("tolerance", "allowance")
    )
    if tolerance <= allowance:
        problem = f"{tolerance:g} is not above `verdict.allowance`, {allowance:g}"
        yield ("verdict", "tolerance"), problem, "make it greater, or the other smaller"


def _mistakes(datasets: Mapping[str, Any]) -> Iterator[Mistake]:
    """What the schema cannot say."""
    yield from _name_mistakes(datasets)
    for parent, _, block in _expanded(datasets):
        mistakes = (*_source_mistakes(block), *_role_mistakes(block), *contradictions(block))
        for key, problem, fix in mistakes:
            yield ("datasets", parent, *key), problem, fix


def _name_mistakes(datasets: Mapping[str, Any]) -> Iterator[Mistake]:
    """A dataset's name is a file name, and some systems do not tell upper from lower case."""
    seen = dict(TAKEN)
    for parent, name, _ in _expanded(datasets):
        if name.casefold() in seen:
            what = "" if name == parent else f"its dataset '{name}' clashes: "
            yield ("datasets", parent), what + seen[name.casefold()], "choose another"
        seen[name.casefold()] = f"'{name}' is the same name but for upper and lower case"


def _source_mistakes(block: Mapping[str, Any]) -> Iterator[Mistake]:
    if "simulate" in block and "where" in block:
        yield ("where",), "a simulation makes just the rows that it describes", "remove it"
    if "simulate" in block and "format" in block:
        yield ("format",), "it is for files, and this dataset is simulated", "remove it"
    if "simulate" in block and "file" in block:
        problem = "a dataset is simulated or read from a file, never both"
        yield ("file",), problem, "remove `file` or `simulate`"
    elif "simulate" in block:
        yield from _simulation_mistakes(block["simulate"], block)
    elif "file" not in block:
        problem = "there is neither `file` nor `simulate`"
        yield (), problem, "add the one that says where the data come from"
    else:
        yield from _file_mistakes(block["file"])


def _file_mistakes(file: str) -> Iterator[Mistake]:
    path = Path(file)
    if not path.is_absolute() and ".." in path.parts:
        fix = "copy the file to data/raw, or give its absolute path"
        yield ("file",), f"'{file}' may lead out of the project's folder", fix
        return
    if path.is_file():
        return
    folder = path if path.is_dir() else path.parent
    there = [str(each) for each in sorted(folder.glob("*.*"))] if folder.is_dir() else []
    fix = nearest(file, there) if there else "put it there, or correct the path"
    yield ("file",), f"'{file}' is a folder" if path.is_dir() else f"there is no file '{file}'", fix


def _role_mistakes(block: Mapping[str, Any]) -> Iterator[Mistake]:
    """Every column plays one part, also those that a simulation makes; an individual may be a group."""
    seen: dict[Any, str] = {}
    units = [block["roles"].get(role) for role in ("group", "block", "second_group")]
    for key, column in (*_roles(block["roles"]), *_made(block.get("simulate") or {})):
        if key == ("roles", "individual") and block["roles"]["individual"] in units:
            continue
        covariate = key[0] == "simulate" and seen.get(column, "").startswith("roles.covariates")
        if column in seen and not covariate:
            name = ", ".join(column) if isinstance(column, tuple) else column
            problem = f"column '{name}' already is {seen[column]}"
            yield key, problem, "give each role a column of its own"
        seen[column] = dotted(key)
    if "baseline" in block and not block["roles"].get("individual"):
        problem = "nothing says which rows are of one individual"
        fix = "name the column of the individuals' ids as `individual` under `roles`"
        yield ("baseline",), problem, fix


def _roles(roles: Mapping[str, Any]) -> Iterator[tuple[Key, Any]]:
    """(key, column) of the columns in use; an identifier of several columns is a tuple."""
    named = ("outcome", "treatment", "group", "block", "second_group", "period", "exposure")
    for role in (*named, "individual"):
        if roles.get(role) is not None:
            column = roles[role]
            yield ("roles", role), tuple(column) if isinstance(column, list) else column
    for i, column in enumerate(roles.get("covariates") or ()):
        yield ("roles", "covariates", i), column


def _made(recipe: Mapping[str, Any]) -> Iterator[tuple[Key, str]]:
    """(key, column) of the covariates that a simulation makes."""
    for name in ("group_covariate", "individual_covariate"):
        if name in recipe:
            yield ("simulate", name, "name"), recipe[name]["name"]


def _simulation_mistakes(recipe: Mapping[str, Any], block: Mapping[str, Any]) -> Iterator[Mistake]:
    if mistake := first_mistake(recipe):
        below, problem, fix = mistake
        yield ("simulate", *below), problem, fix
        return
    yield from _arm_mistakes(recipe, block)
    yield from _size_mistakes(recipe["group_size"], n_groups(recipe))
    if block["roles"].get("block"):
        yield ("roles", "block"), "a simulation has no blocks", "remove the role"
    for role in ("group", "individual"):
        if isinstance(block["roles"].get(role), list):
            yield ("roles", role), "a simulation makes one column of labels", "name one column"
    yield from _time_mistakes(recipe, block["roles"])
    yield from _event_mistakes(recipe, block)
    made = [column for _, column in _made(recipe)]
    for key, column in _roles(block["roles"]):
        if "covariates" in key and column not in made:
            fix = nearest(column, made) if made else "describe it as `simulate.group_covariate`"
            yield key, f"the simulation makes no '{column}'", fix


def _time_mistakes(recipe: Mapping[str, Any], roles: Mapping[str, Any]) -> Iterator[Mistake]:
    """Columns of periods and of individuals are named just where a simulation makes them."""
    period, individual = roles.get("period"), roles.get("individual")
    if "sequences" in recipe and not period:
        problem = "the simulation has periods, and no column is named for them"
        yield ("roles", "period"), problem, "name one as `period` under `roles`"
    if "sequences" not in recipe and period:
        problem = "the simulation has no periods"
        yield ("roles", "period"), problem, "remove the role, or describe `simulate.sequences`"
    if recipe.get("cohort") and individual in (None, roles["group"]):
        problem = "the individuals of a cohort need a column of their own"
        yield ("roles", "individual"), problem, "name one as `individual` under `roles`"
    if not recipe.get("cohort") and individual not in (None, roles["group"]):
        problem = "the simulation measures each individual once"
        fix = "remove the role, or make a cohort by `simulate.sequences` and `simulate.cohort`"
        yield ("roles", "individual"), problem, fix


def _event_mistakes(recipe: Mapping[str, Any], block: Mapping[str, Any]) -> Iterator[Mistake]:
    """Counts are declared, and exposures are named just where a simulation makes them."""
    if recipe.get("rates") and "outcome_kind" not in block:
        problem = "the simulation draws numbers of events, and counts are never guessed"
        yield ("outcome_kind",), problem, "write `outcome_kind: count`"
    exposure = block["roles"].get("exposure")
    if recipe.get("exposure") is not None and not exposure:
        problem = "the simulation has exposures, and no column is named for them"
        yield ("roles", "exposure"), problem, "name one as `exposure` under `roles`"
    if recipe.get("exposure") is None and exposure:
        problem = "the simulation has no exposures"
        yield ("roles", "exposure"), problem, "remove the role, or describe `simulate.exposure`"


def _arm_mistakes(recipe: Mapping[str, Any], block: Mapping[str, Any]) -> Iterator[Mistake]:
    """Every arm that is named is an arm, has groups enough and whatever each arm needs."""
    arms = arms_of(recipe)
    named: dict[Key, Iterable[str]] = {
        ("reference",): _labels([block["reference"]]),
        ("levels",): _labels(block.get("levels", ())),
        ("simulate", "effects"): recipe.get("effects", ()),
        ("assumed_effects",): block.get("assumed_effects", ()),
    }
    if isinstance(recipe.get("sd_residual"), Mapping):
        named["simulate", "sd_residual"] = recipe["sd_residual"]
        for arm in set(arms) - recipe["sd_residual"].keys():
            yield ("simulate", "sd_residual"), f"it has no value for the arm '{arm}'", "add one"
    for key, labels in named.items():
        for label in labels:
            if label not in arms:
                problem = f"'{label}' is not an arm of {where_arms_are(recipe)}"
                yield key, problem, nearest(label, arms)
    for arm, number in recipe.get("groups_per_arm", {}).items():
        if number < 2:
            problem = "one group does not show how much groups differ"
            yield ("simulate", "groups_per_arm", arm), problem, "give every arm two groups or more"


def _labels(levels: Any) -> Iterable[str]:
    """The values of the treatment that `levels` is about, as text."""
    return [str(level) for level in levels]


def _size_mistakes(size: Any, n_groups: int) -> Iterator[Mistake]:
    key = ("simulate", "group_size")
    if isinstance(size, Mapping) and size["min"] > size["max"]:
        yield key, f"min {size['min']} is above max {size['max']}", "exchange them"
    if isinstance(size, list) and len(size) != n_groups:
        problem = f"{len(size)} sizes are listed for {n_groups} groups"
        yield key, problem, "list one size per group, or give one size for all"
