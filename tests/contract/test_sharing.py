"""A figure says so if it draws individuals: the archive of data that are not shared leaves it out."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import hard_cases
import pandas as pd
import pytest

from archive.sharing import Sharing, drawn_individuals
from groupwise import figures

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "workflow" / "scripts" / "groupwise" / "figures"
NAMES = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem not in ("__init__", "style"))


@cache
def tables() -> figures.Tables:
    made = hard_cases.make("usual")
    return figures.Tables(
        data=made.data,
        design=made.design,
        results=made.results,
        headline="mixed_wald",
        truth=made.truth,
    )


def with_other_individuals(given: figures.Tables) -> figures.Tables:
    """Every outcome reflected about the mean of its group: all that is said of groups stays."""
    roles = given.design["roles"]
    outcome = given.data[roles["outcome"]]
    means = outcome.groupby(given.data[roles["group"]], observed=True).transform("mean")
    residuals = given.results["residuals"]
    return replace(
        given,
        data=given.data.assign(**{roles["outcome"]: 2 * means - outcome}),
        results={
            **given.results,
            "residuals": residuals.assign(residual=-residuals["residual"]),
        },
    )


@pytest.mark.parametrize("name", NAMES)
def test_figure_that_draws_individuals_is_marked(name: str) -> None:
    one = tables()
    same = [
        figures.render(figures.draw(name, each), "svg")
        for each in (one, with_other_individuals(one))
    ]
    draws_them = same[0] != same[1]
    assert draws_them == (name in drawn_individuals(ROOT)), "see SHOWS_INDIVIDUALS in its module"


def test_data_are_known_by_an_identifier_of_several_columns(tmp_path: Path) -> None:
    roles = {"outcome": "score", "treatment": "arm", "group": ["center", "patient"]}
    sharing = Sharing(frozenset(), {"trial": {"roles": roles}})
    table = pd.DataFrame({"score": [1.0], "center_patient": ["1 / 7"]})
    table.to_csv(tmp_path / "a.csv", index=False)
    table[["score"]].to_csv(tmp_path / "b.csv", index=False)
    assert sharing._is_data(tmp_path / "a.csv") and not sharing._is_data(tmp_path / "b.csv")
