"""Every figure, on every kind of data: it is drawn, the same each time, and says what it shows."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import hard_cases
import pytest
from figure_checks import STARTS, check_alt, check_svg, check_text
from matplotlib.ticker import FixedFormatter

from groupwise import figures

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "workflow" / "scripts"
NAMES = sorted(
    path.stem
    for path in (SCRIPTS / "groupwise" / "figures").glob("*.py")
    if path.stem not in ("__init__", "style")
)
IN_FULL = {
    *("usual", "failed", "many_arms", "many_groups", "awkward", "blocked", "within", "slopes"),
    *("stepped_wedge", "odds", "rates"),
}
DRAWN = [
    (name, case)
    for i, name in enumerate(NAMES)
    for j, case in enumerate(hard_cases.RECIPES)
    if case in IN_FULL or (i + j) % 3 == 0
]
"""All figures of the cases that differ most, a third of them in turn of the others."""

# Every figure of one experiment is drawn again in another process.
AGAIN = "usual"


@cache
def tables(case: str) -> figures.Tables:
    made = hard_cases.make(case)
    return figures.Tables(
        data=made.data,
        design=made.design,
        results=made.results,
        headline=made.verdict["headline"],
        truth=made.truth,
    )


def digests(case: str) -> dict[str, str]:
    """A hash of each figure's bytes; called here and, by `test_other_process`, elsewhere."""
    found = {}
    for name in NAMES:
        figure = figures.draw(name, tables(case))
        for kind in ("svg", "png"):
            content = figures.render(figure, kind)
            assert len(content) > 5_000 and content.startswith(STARTS[kind])
            found[f"{name}.{kind}"] = hashlib.sha256(content).hexdigest()
    return found


@pytest.mark.parametrize(("name", "case"), DRAWN)
def test_figure_is_drawn_and_described_in_a_size_that_a_page_can_show(name: str, case: str) -> None:
    figure = figures.draw(name, tables(case))
    assert 4 <= figure.width <= 10
    assert 2 <= figure.height <= 60
    svg = figures.render(figure, "svg")
    check_svg(svg.decode())
    check_alt(figure.alt, needs_number=case != "failed")


@pytest.mark.parametrize(
    "case",
    ["usual", "many_arms", "long_labels", "long_groups", "blocked", "within", "some_within"],
)
@pytest.mark.parametrize("name", NAMES)
def test_text_is_neither_cut_off_nor_on_top_of_other_text(name: str, case: str) -> None:
    check_text(figures.draw(name, tables(case)))


def test_figure_does_not_change_its_tables() -> None:
    before = {name: table.copy() for name, table in tables(AGAIN).results.items()}
    for name in NAMES:
        figures.draw(name, tables(AGAIN))
    assert all(table.equals(before[name]) for name, table in tables(AGAIN).results.items())


def test_other_process_draws_the_same_bytes() -> None:
    code = f"import json, test_figures; print(json.dumps(test_figures.digests({AGAIN!r})))"
    path = os.pathsep.join([str(SCRIPTS), str(Path(__file__).parent)])
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env=os.environ | {"PYTHONHASHSEED": "12345", "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.strip() == str(digests(AGAIN)).replace("'", '"')


@pytest.mark.parametrize("case", ["usual", "many_arms", "long_labels", "stepped_wedge"])
@pytest.mark.parametrize("name", ["calibration_rates", "randomization_distribution", "shrinkage"])
def test_one_drawing_gives_the_same_files_as_one_drawing_for_each(name: str, case: str) -> None:
    figure = figures.draw(name, tables(case))
    assert figures.rendered(figure) == {
        kind: figures.render(figure, kind) for kind in ("svg", "png")
    }


def test_negative_numbers_on_axes_have_a_minus_sign(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures.svg, "themed", lambda drawn: drawn)  # texts stay
    drawn = figures.render(figures.draw("residuals_fitted", tables("usual")), "svg").decode()
    assert "<!-- \u2212" in drawn and not re.search(r"<!-- -\d", drawn)


def test_labels_that_are_no_negative_numbers_stay() -> None:
    labels = figures.MinusSigns(FixedFormatter(["-2.5", "-.5", "-A", "4-5", "7", ""]))
    assert [labels(0, i) for i in range(6)] == ["\u22122.5", "\u2212.5", "-A", "4-5", "7", ""]
