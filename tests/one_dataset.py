"""One dataset through the configuration and the checks of its data, as the workflow runs them."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import check_data
import ingest_data
import pandas as pd
import yaml
from configuration import SCHEMA, ConfigError, check_configuration, expand_datasets
from raw_table import read_dataset
from settings import Settings
from snakemake.utils import validate

from groupwise.data.errors import InputError
from groupwise.data.looks import Looks

SETTING = re.compile(r"`(\w+: [^`]*)`( under `roles`)?")
"""A setting in a message."""


@dataclass(frozen=True)
class Read:
    """A dataset that was read: its table, and what was understood of it."""

    table: pd.DataFrame
    design: dict[str, Any]
    source: dict[str, Any]


def read_dataset_of(folder: Path, block: Mapping[str, Any]) -> Read:
    """The dataset that a block of config.yaml describes, its file in this folder."""
    file = folder / "config.yaml"
    text = yaml.safe_dump({"datasets": {"mine": dict(block)}}, allow_unicode=True, sort_keys=False)
    return read_configured(folder, file, text)


def read_configured(folder: Path, file: Path, text: str) -> Read:
    """The first dataset of a configuration, as it is written."""
    file.write_text(text, encoding="utf-8")
    config = yaml.safe_load(text)
    check_configuration(config, [str(file)])
    config["datasets"] = expand_datasets(config["datasets"])
    validate(config, SCHEMA)
    name = next(iter(config["datasets"]))
    settings = Settings(config, [str(file)]).ingest(SimpleNamespace(dataset=name))
    sums = folder / "SHA256SUMS"
    sums.touch()
    path = Path(config["datasets"][name]["file"])
    checked = json.loads(json.dumps(check_data.run(path, sums, settings)))
    looks = Looks(**checked.pop("looks"))
    raw = read_dataset(path, settings)
    table, _, design = ingest_data.run(raw.table, settings, looks)
    design["alerts"] += checked["suspicions"]
    return Read(table, design, checked)


def advised(block: Mapping[str, Any], message: str, *which: int) -> dict[str, Any]:
    """The block after doing what a message says: with its settings of these numbers."""
    found = SETTING.findall(message)
    assert found, f"no setting is named: {message}"
    new = copy.deepcopy(dict(block))
    for i in which:
        text, below = found[i]
        target = new["roles"] if below else new
        target |= _merged(target, yaml.safe_load(text))
    return new


def _merged(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Mappings in one another; lists of one column are joined."""
    merged = dict(old)
    for key, value in new.items():
        if isinstance(value, dict) and isinstance(merged.get(key), dict):
            merged[key] = _merged(merged[key], value)
        elif isinstance(value, list) and isinstance(merged.get(key), list):
            merged[key] = [*merged[key], *(each for each in value if each not in merged[key])]
        else:
            merged[key] = value
    return merged


def led_on(folder: Path, block: Mapping[str, Any]) -> tuple[Read, list[str]]:
    """The dataset after following the first setting of every refusal, and the refusals."""
    said: list[str] = []
    while True:
        try:
            return read_dataset_of(folder, block), said
        except (InputError, ConfigError) as error:
            assert str(error) not in said, f"the advice did not help: {error}"
            said.append(str(error))
            block = advised(block, str(error), 0)
