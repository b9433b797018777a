"""Figures of data with periods: what they draw of known designs, and what they say of them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from figure_checks import check_alt, check_svg, check_text
from figure_list import figures_for, needed_roles
from plotnine import geom_text

import groupwise
from groupwise import figures
from groupwise.data.validate import Roles
from groupwise.figures import style
from groupwise.intake import take_in
from groupwise.svg import dark

DATA = Path(__file__).parents[1] / "reference" / "periods" / "data"
COLUMNS = {"outcome": "y", "treatment": "arm", "group": "cluster", "period": "period"}


def tables(raw: pd.DataFrame, reference: str, **roles: str) -> figures.Tables:
    """What a figure is given of a raw table; estimates are made up."""
    roles = COLUMNS | roles
    taken = take_in(
        raw,
        Roles.from_settings(roles),
        conf_level=0.95,
        reading={"reference": reference, "missing": "drop"},
        modelling={"rank_deficient": "drop"},
    )
    return figures.Tables(
        data=taken.table,
        design=dict(taken.understood),
        results={"estimates": ESTIMATES, "exposure": EXPOSURE.iloc[:0]},
        headline="mixed_kenward_roger",
    )


EFFECTS: dict[str, Any] = {"std_error": 1.0, "df": 9.0, "p_value": 0.012, "conf_level": 0.95}
ESTIMATES = pd.DataFrame(
    [
        {"method": "ols_cr2", "estimate": 9.0, "conf_low": 7.0, "conf_high": 11.0} | EFFECTS,
        {"method": "mixed_kenward_roger", "estimate": 3.0, "conf_low": 1.5, "conf_high": 4.5}
        | EFFECTS,
    ]
)
EXPOSURE = pd.DataFrame(
    [
        {
            "exposure_time": time,
            "estimate": estimate,
            "conf_low": estimate - 2,
            "conf_high": estimate + 2,
            "n_cells": cells,
        }
        | EFFECTS
        for time, estimate, cells in ((0, 3.5, 18), (1, 2.0, 9), (2, 3.5, 6), (3, 5.0, 3))
    ]
)


def read(name: str, reference: str = "control", **roles: str) -> figures.Tables:
    return tables(pd.read_csv(DATA / f"{name}.csv"), reference, **roles)


def made(
    sequences: Sequence[str],
    units: int,
    size: int,
    *,
    names: Mapping[str, str] | None = None,
    unit: str = "c{:03d}",
) -> pd.DataFrame:
    """Rows of so many units that go through each sequence, `size` in each of their periods."""
    draw = np.random.default_rng(3)
    arms = np.array([list(each) for each in sequences for _ in range(units)])
    unit_of, period = np.indices(arms.shape)
    table = pd.DataFrame(
        {
            "cluster": [unit.format(i) for i in unit_of.ravel()],
            "period": period.ravel() + 1,
            "arm": [(names or {}).get(arm, arm) for arm in arms.ravel()],
        }
    )
    table = table.loc[table.index.repeat(size)].reset_index(drop=True)
    return table.assign(y=draw.normal(50, 9, len(table)).round(3))


def wedge(n_periods: int) -> list[str]:
    return ["a" * t + "b" * (n_periods - t) for t in range(1, n_periods)]


def trial_in_centers() -> figures.Tables:
    """Patients of six centers who go through AB or BA, one measurement in each period."""
    raw = made(["ab", "ba"], 30, 1, unit="p{:02d}")
    raw = raw.rename(columns={"cluster": "patient"})
    raw["center"] = [f"center {int(p[1:]) % 6}" for p in raw["patient"]]
    return tables(raw, "a", group="center", individual="patient")


def arms_within_cells() -> figures.Tables:
    """Every cluster holds both arms in each period, in individuals with one row each."""
    raw = made(["a" * 3], 8, 10)
    raw["arm"] = np.where(np.arange(len(raw)) % 2 == 0, "a", "b")
    return tables(raw, "a")


LONG = "A rather long description of what was done in this arm of the experiment"
CASES = {
    "stepped wedge": lambda: read("sw_complete"),
    "incomplete": lambda: read("sw_incomplete"),
    "crossover of clusters": lambda: read("crxo3", "A"),
    "crossover of patients": lambda: read("crossover", "A", group="patient"),
    "open cohort": lambda: read("sw_open_cohort", individual="person"),
    "parallel": lambda: tables(made(["aaa", "bbb"], 6, 5), "a"),
    "patients in centers": trial_in_centers,
    "arms within cells": arms_within_cells,
    "many groups": lambda: tables(made(wedge(5), 15, 4), "a"),
    "very many groups": lambda: tables(made(wedge(5), 40, 4), "a"),
    "many periods": lambda: tables(made(wedge(20), 1, 3), "a"),
    "very many sequences": lambda: tables(made([f"{i:08b}" for i in range(200)], 1, 2), "0"),
    "many arms": lambda: tables(made(["abcdefghi", "bcdefghia", "cdefghiab"], 2, 3), "a"),
    "long names": lambda: tables(
        made(wedge(4), 2, 3, names={"a": LONG, "b": f"{LONG}, too"}, unit=f"Clinic of {LONG} {{}}"),
        LONG,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_design_is_drawn_in_a_size_that_a_page_can_show_and_its_text_is_whole(case: str) -> None:
    figure = figures.draw("design_periods", CASES[case]())
    assert 2 <= figure.height <= 22
    check_svg(figures.render(figure, "svg").decode())
    check_alt(figure.alt, needs_number=True)
    check_text(figure)


def cells(given: figures.Tables) -> pd.DataFrame:
    """The cells that are coloured."""
    table: pd.DataFrame = figures.draw("design_periods", given).plot.data
    return table


def test_cells_have_the_arm_size_and_mean_of_their_rows() -> None:
    raw = pd.read_csv(DATA / "sw_incomplete.csv")
    by = raw.groupby(["cluster", "period"]).agg(
        arm=("arm", "first"), n=("y", "size"), m=("y", "mean")
    )
    drawn = cells(read("sw_incomplete"))
    assert len(drawn) == len(by) == 48
    expected = sorted(f"{row.arm} {row.m:.1f}\n({row.n})" for row in by.itertuples())
    assert sorted(drawn["arm"].astype(str) + " " + drawn["label"]) == expected


def test_rows_are_ordered_by_sequence_with_gaps_between_sequences() -> None:
    drawn = cells(read("sw_complete"))
    started = drawn[drawn["arm"] == "treatment"].groupby("y")["period"].min()
    assert list(started.sort_index(ascending=False)) == [1, 1, 1, 2, 2, 2, 3, 3, 3]
    steps = -np.diff(np.sort(drawn["y"].unique())[::-1])
    np.testing.assert_allclose(steps, [1, 1, 1.5, 1, 1, 1.5, 1, 1])


@pytest.mark.parametrize(
    ("case", "rows", "units"),
    [
        ("crossover of patients", 6, "4 patients"),
        ("patients in centers", 2, "30 patients"),
        ("very many groups", 4, "40 clusters"),
        ("arms within cells", 2, "8 clusters"),
    ],
)
def test_many_units_and_individuals_share_the_row_of_their_sequence(
    case: str, rows: int, units: str
) -> None:
    given = CASES[case]()
    assert cells(given)["y"].nunique() == rows
    assert f" {units}: " in figures.draw("design_periods", given).alt


def test_of_very_many_sequences_some_are_drawn_and_the_figure_says_so() -> None:
    figure = figures.draw("design_periods", CASES["very many sequences"]())
    assert figure.plot.data["y"].nunique() == style.MANY_GROUPS
    assert "Drawn: the 40 of 200 sequences" in " ".join(figure.plot.labels.caption.split())
    assert "Not listed: 192 more sequences." in figure.alt


@pytest.mark.parametrize(
    ("case", "written"),
    [("parallel", True), ("many groups", False), ("many periods", False), ("many arms", True)],
)
def test_text_is_left_out_where_it_has_no_room(case: str, written: bool) -> None:
    """How many groups each sequence has is said all the same."""
    layers = figures.draw("design_periods", CASES[case]()).plot.layers
    n = sum(isinstance(layer.geom, geom_text) for layer in layers)
    assert n == 1 + written


def test_no_single_outcome_is_shown() -> None:
    """The only outcome of a cell can be any: the figure and its alt text are the same."""
    given = CASES["crossover of patients"]()
    orders = given.data.groupby("patient", observed=True)["arm"].agg(lambda arms: "".join(arms))
    some = orders.index[(orders == "ABC") | (orders.str.len() < 3)][
        1:
    ]  # one patient has this order
    given = replace(
        given, data=given.data[~given.data["patient"].isin(some)].reset_index(drop=True)
    )
    drawn = cells(given)
    assert set(drawn.loc[drawn["n"] == 1, "label"]) == {"(1)"}
    raw = given.data
    sequence = raw.groupby("patient", observed=True)["arm"].agg(lambda arms: "".join(arms))
    single = raw["patient"].isin(sequence[~sequence.duplicated(keep=False)].index)
    other = replace(given, data=raw.assign(y=raw["y"].where(~single, 7777.0)))
    one, two = (figures.draw("design_periods", each) for each in (given, other))
    assert single.any() and one.alt == two.alt
    assert list(one.plot.data["label"]) == list(two.plot.data["label"])


def test_alt_text_says_who_was_in_which_arm_with_means_and_blank_cells() -> None:
    raw = pd.read_csv(DATA / "crxo3.csv")
    alt = figures.draw("design_periods", read("crxo3", "A")).alt
    fits = raw["arm"] == raw["period"].map({1: "B", 2: "C", 3: "A"})
    of_one = fits.groupby(raw["cluster"]).transform("all")  # one of them misses a period
    means = [f"{mean:.1f}" for mean in raw[of_one].groupby("period")["y"].mean()]
    assert f"3 clusters: B in 1 ({means[0]}), C in 2 ({means[1]}), A in 3 ({means[2]})." in alt
    assert "A cell holds 3 to 12 individuals. 1 of 27 cells has no rows and no colour." in alt


def test_figures_of_periods_say_so_where_there_are_none() -> None:
    given = read("sw_complete")
    without = replace(given, design={**given.design, "periods": None})
    assert "there are no periods" in figures.draw("design_periods", without).alt
    assert figures.draw("exposure_effects", given).alt == (
        "No effects by exposure time were estimated from these 9 groups."
    )


def test_a_data_frame_with_periods_has_the_figures() -> None:
    found = groupwise.analyse(
        pd.read_csv(DATA / "sw_complete.csv"),
        **COLUMNS,
        reference="control",
        methods=["mixed_kenward_roger", "mixed_exposure"],
    )
    assert set(found.figures) >= OF_PERIODS
    alone = figures.draw("design_periods", read("sw_complete"))
    assert found.alt_text("design_periods") == alone.alt
    rows = found.tables["exposure"].set_index("exposure_time")
    shown = found.figure("exposure_effects").data
    assert list(shown["estimate"]) == list(rows.loc[[1, 2, 3, 0], "estimate"])


# Tints ------------------------------------------------------------------------------------------


def luminance(color: str) -> float:
    srgb = np.array([int(color[j : j + 2], 16) for j in (1, 3, 5)]) / 255
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def contrast(one: str, other: str) -> float:
    """Of two colours, as WCAG 2 defines it."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("n_arms", [2, 7, 12])
def test_text_on_the_tint_of_an_arm_is_readable_on_a_light_and_on_a_dark_page(n_arms: int) -> None:
    tints = style.arm_tints([str(j) for j in range(n_arms)])
    assert len(set(tints.values())) == n_arms
    for tint in tints.values():
        assert contrast(style.INK, tint) > 4.5
        assert contrast(dark(style.INK), dark(tint)) > 4.5


def test_reference_arm_differs_from_others_in_lightness_too() -> None:
    first, *others = style.arm_tints("abcdefg").values()
    assert all(contrast(first, other) > 1.15 for other in others)
    assert contrast(others[0], others[1]) > 1.15


# Exposure ---------------------------------------------------------------------------------------


def exposed(table: pd.DataFrame = EXPOSURE, estimates: pd.DataFrame = ESTIMATES) -> figures.Figure:
    given = read("sw_complete")
    return figures.draw(
        "exposure_effects", replace(given, results={"estimates": estimates, "exposure": table})
    )


def test_effects_are_drawn_by_exposure_time_and_last_their_average() -> None:
    figure = exposed()
    assert list(figure.plot.data["exposure_time"]) == [1, 2, 3, 0]
    assert list(figure.plot.data["estimate"]) == [2.0, 3.5, 5.0, 3.5]
    check_text(figure)
    check_svg(figures.render(figure, "svg").decode())
    assert figure.alt == (
        "Effects with intervals by exposure time. 1: 2.00 (0 to 4.00, p = .012), 9 cells; 2: 3.50 "
        "(1.50 to 5.50, p = .012), 6 cells; 3: 5.00 (3.00 to 7.00, p = .012), 3 cells. Their average, "
        "a diamond: 3.50 (1.50 to 5.50, p = .012). A constant effect, a band: 3.00 (1.50 to 4.50, "
        "p = .012)."
    ).replace("p = ", "p\u00a0=\u00a0")


def test_many_exposure_times_fit_on_the_axis() -> None:
    times = pd.concat(
        [EXPOSURE.iloc[:1], *[EXPOSURE.iloc[1:2].assign(exposure_time=t) for t in range(1, 41)]]
    )
    check_text(exposed(times))


def test_without_a_constant_effect_there_is_no_band_and_nothing_said_of_it() -> None:
    figure = exposed(estimates=ESTIMATES.iloc[:1])
    assert "constant" not in figure.alt
    check_svg(figures.render(figure, "svg").decode())


def test_effects_without_a_standard_error_are_left_out() -> None:
    missing = EXPOSURE.assign(std_error=[1.0, 1.0, np.nan, 1.0])
    figure = exposed(missing)
    assert list(figure.plot.data["exposure_time"]) == [1, 3, 0] and " 2: " not in figure.alt


# Which datasets they are of ----------------------------------------------------------------------


OF_PERIODS = {"design_periods", "exposure_effects"}


def test_rules_and_package_agree_which_figures_need_a_role() -> None:
    needed = needed_roles()
    assert list(needed) == figures.names()
    assert {name: figures.needed_role(name) or "" for name in needed} == needed
    assert {name for name, role in needed.items() if role == "period"} == OF_PERIODS


@pytest.mark.parametrize("period", [None, "", "month"])
def test_figures_of_periods_are_of_data_with_a_column_of_periods(period: str | None) -> None:
    roles = {"outcome": "y", "treatment": "arm", "group": "g", "period": period}
    names = figures_for(roles, needed_roles())
    assert names == figures.names(roles)
    assert set(names) & OF_PERIODS == (OF_PERIODS if period else set())
    assert re.search(r"\banswer\b", " ".join(names))
