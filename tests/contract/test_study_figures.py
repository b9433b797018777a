"""Figures of the general study, held to what is asked of a dataset's."""

from __future__ import annotations

from pathlib import Path

import configuration
import numpy as np
import pytest
from configuration import modules
from figure_checks import STARTS, check_alt, check_svg, check_text, overlapping
from hypothesis import given
from hypothesis import strategies as st
from study_cases import STUDIES

from groupwise import figures
from groupwise.catalogue.methods import METHODS
from groupwise.figures import study
from groupwise.figures.study.error_by_groups import colored, moved_apart

SCRIPTS = Path(configuration.__file__).parent
NAMES = modules(SCRIPTS / "groupwise" / "figures" / "study")
each_figure = pytest.mark.parametrize("name", NAMES)
each_study = pytest.mark.parametrize("case", STUDIES)


def tables(case: str) -> study.StudyTables:
    return study.StudyTables(**STUDIES[case]())


def test_they_are_not_figures_of_a_dataset() -> None:
    assert not set(NAMES) & set(modules(SCRIPTS / "groupwise" / "figures"))


def test_every_method_is_drawn_in_its_panel() -> None:
    rows = colored(tables("usual").rates)
    panels = dict(zip(rows["method"], rows["panel"].astype(str), strict=True))
    drawn = {name: method for name, method in METHODS.items() if not method.of_events}
    assert panels == {name: method.panel for name, method in drawn.items()}


@each_study
@each_figure
def test_figure_is_drawn_and_described_and_its_text_is_whole(name: str, case: str) -> None:
    figure = study.draw(name, tables(case))
    svg = figures.render(figure, "svg")
    check_svg(svg.decode())
    check_alt(figure.alt, needs_number=case != "no answer")
    assert 4 <= figure.width <= 10 and 2 <= figure.height <= 60
    check_text(figure)


@each_figure
def test_same_bytes_each_time(name: str) -> None:
    for kind in ("svg", "png"):
        first, second = (figures.render(study.draw(name, tables("usual")), kind) for _ in range(2))
        assert first == second and first.startswith(STARTS[kind])


@each_figure
def test_figure_does_not_change_its_tables(name: str) -> None:
    given_tables = tables("usual")
    before = given_tables.rates.copy()
    study.draw(name, given_tables)
    assert given_tables.rates.equals(before)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_labels_are_moved_apart_and_keep_their_order(places: list[float]) -> None:
    start = np.array(places)
    moved = moved_apart(start, 0.1)
    order = np.argsort(start, kind="stable")
    assert np.all(np.diff(moved[order]) >= 0.1 - 1e-9)
    assert moved.min() >= 0.05 - 1e-9 and moved.max() <= 0.95 + 1e-9


def test_labels_far_apart_stay_where_they_are() -> None:
    assert moved_apart(np.array([0.9, 0.1, 0.5]), 0.1) == pytest.approx([0.9, 0.1, 0.5])


def test_texts_on_top_of_one_another_are_found() -> None:
    boxes = [[0, 0, 10, 10], [5, 5, 15, 15], [0, 0, 10, 10.5], [20, 20, 30, 30], [9.5, 0, 19, 4]]
    assert overlapping(np.array(boxes, dtype=float)) == [(0, 1), (1, 2)]
