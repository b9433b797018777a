"""The datasets of examples/*.yaml, as the pipeline reads them."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml
from experiments import ROOT, sample_of
from raw_table import read_raw

from groupwise.data.validate import Roles
from groupwise.sample import Sample

EXAMPLES = {path.stem: path for path in sorted((ROOT / "examples").glob("*.yaml"))}


def datasets(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))["datasets"]
    return found


@cache
def sample(name: str) -> Sample:
    """The dataset of examples/NAME.yaml, ready for a specification."""
    block = datasets(EXAMPLES[name])[name]
    roles = Roles.from_settings(block["roles"])
    keys = ("blocks_as", "random_slopes", "outcome_kind", "event", "effect_as")
    options = {key: block[key] for key in keys if key in block}
    return sample_of(
        read_raw(ROOT / block["file"], roles).table,
        roles,
        dataset=name,
        reference=block["reference"],
        levels=block.get("levels"),
        **options,
    )
