"""The tables of `make cost`: ratios, rules that only one checkout has, and their place on the page."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def report_cost(monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import report_cost

    yield report_cost
    sys.modules.pop("report_cost")


def test_ratios_are_to_the_other_checkout(report_cost) -> None:  # type: ignore[no-untyped-def]
    here = pd.Series({"simulate_calibration": 10.0, "draw_figures": 2.0})
    there = pd.Series({"draw_figure": 8.0, "simulate_calibration": 40.0})
    assert list(report_cost.table("rules", [here, there])) == [
        "| rules | here | other checkout | ratio |",
        "|---|---:|---:|---:|",
        "| simulate_calibration | 10.00 | 40.00 | 0.25 |",
        "| draw_figures | 2.00 | – | – |",
        "",
    ]
    assert report_cost.line("alone", [np.float64(1.5)]) == "| alone | 1.50 |"


def test_tables_stand_last_on_the_page_and_once(report_cost) -> None:  # type: ignore[no-untyped-def]
    page = "# Measured costs\n\nText.\n"
    assert report_cost.tables_in(page) == ""
    first = report_cost.kept(page) + f"{report_cost.HEADING}\n\nOld.\n"
    assert report_cost.kept(first) == report_cost.kept(page) == page + "\n"
    assert page + report_cost.tables_in(first) == first


def test_examples_are_compared_that_every_checkout_has(report_cost, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    for root, names in {"here": ["oats", "new"], "there": ["oats", "old"]}.items():
        (tmp_path / root / "examples").mkdir(parents=True)
        for name in names:
            (tmp_path / root / "examples" / f"{name}.yaml").touch()
    roots = [tmp_path / "here", tmp_path / "there"]
    assert report_cost.shared_examples(roots) == ["oats"]
    assert report_cost.shared_examples(roots[:1]) == ["new", "oats"]
