"""Draw the pictures of docs/first_analysis.md anew, from the lecture's dataset in config.yaml.

PYTHONPATH=workflow/scripts .venv/bin/python tools/setup/draw_docs.py

Methods that draw at random are left out, so that it takes a minute.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"  # before numpy is loaded: sums are rounded as in the workflow

import yaml

import groupwise

ROOT = Path(__file__).parents[2]
METHODS = (
    *("ols_classical", "ols_cr1", "ols_cr2", "ols_cr3", "group_means", "dummy_nested"),
    *("mixed_wald", "mixed_satterthwaite", "mixed_kenward_roger", "gee_bias_reduced"),
)
PICTURES = {
    "scores_by_group": "first_groups.png",
    "calibration_rates": "first_rates.png",
    "power_curves": "first_power.png",
}


def analysed(block: dict[str, Any]) -> groupwise.Analysis:
    """The dataset of a block, simulated, analysed and judged."""
    roles = {key: block["roles"][key] for key in ("outcome", "treatment", "group")}
    result = groupwise.analyse(
        groupwise.simulate(**roles, **block["simulate"]),
        **roles,
        reference=block["reference"],
        true_effects=block["simulate"]["effects"],
        methods=METHODS,
        dataset="flipped_classroom",
    )
    result.calibrate()
    result.plan()
    return result


def main() -> None:
    """Write the pictures, and print what they show: their alt texts."""
    config = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
    result = analysed(config["datasets"]["flipped_classroom"])
    for figure, file in PICTURES.items():
        result.figure(figure).save(ROOT / "docs" / file, dpi=110, verbose=False)
        print(f"{file}: {result.alt_text(figure)}\n")
    print(result)


if __name__ == "__main__":
    main()
