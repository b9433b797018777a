"""Groups and individuals from the file to the analysis, and covariates by arm."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from groupwise.report.facts import Facts
from groupwise.report.markdown import escape, table
from groupwise.words import count, number, percent, plural, signed

Stage = Mapping[str, Mapping[str, Any]]
"""`n_groups` and `n_obs` by arm."""


def stages(facts: Facts) -> list[tuple[str, Stage]]:
    """What each stage is called, with `n_groups` and `n_obs` by arm."""
    group = escape(facts.role("group"))
    flow = facts.design["flow"]
    return [
        (f"In the file, with an arm and a {group}", flow["labelled"]),
        ("With a value in every column in use", flow["complete"]),
        ("In the analysis", facts.design["arms"]),
    ]


def flow(facts: Facts) -> str:
    """Table of groups and rows by arm at every stage that differs from the analysis, and there."""
    group = escape(facts.role("group"))
    listed = stages(facts)
    arms = listed[-1][1]
    same = [_same(facts, sizes, arms) for _, sizes in listed]
    kept = [stage for stage, alike in zip(listed, same, strict=True) if not alike] + listed[-1:]
    rows = [
        [name, *(_sizes(facts, sizes.get(arm), group) for arm in facts.arms)]
        for name, sizes in kept
    ]
    headers = ["stage", *(escape(arm) for arm in facts.arms)]
    caption = (
        f"From the file ({facts.design['n_read']:,} rows) to the analysis, by arm. Stages without "
        f"losses are left out."
    )
    return table(headers, rows, label="flow", caption=caption)


def _same(facts: Facts, one: Stage, other: Stage) -> bool:
    """Whether two stages hold the same groups and rows in every arm."""
    keys = ("n_groups", "n_obs")
    return all(arm in one and all(one[arm][k] == other[arm][k] for k in keys) for arm in facts.arms)


def _sizes(facts: Facts, sizes: Mapping[str, int] | None, group: str) -> str:
    if sizes is None:
        return "–"
    return f"{count(sizes['n_groups'], group)}, {count(sizes['n_obs'], facts.row)}"


def characteristics(facts: Facts) -> str:
    """Table of groups, their sizes and the covariates by arm."""
    caption = (
        f"Characteristics of the arms: mean (standard deviation) of numbers, number (share of the "
        f"{facts.rows}) of categories."
    )
    headers = ["", *(escape(arm) for arm in facts.arms)]
    headers[0] = "characteristic"
    return table(headers, baseline_rows(facts), label="baseline", caption=caption)


def baseline_rows(facts: Facts) -> list[list[str]]:
    """The cells of that table."""
    group, arms = escape(facts.role("group")), facts.design["arms"]
    rows = [
        [plural(group), *(f"{arms[arm]['n_groups']:,}" for arm in facts.arms)],
        [facts.rows, *(f"{arms[arm]['n_obs']:,}" for arm in facts.arms)],
        [
            f"{facts.rows} of one {group}, median (range)",
            *(_range(arms[arm]["group_size"]) for arm in facts.arms),
        ],
    ]
    for each in facts.design["characteristics"]:
        name = escape(each["column"])
        if each["level"] is not None:
            name = f"{name}: {escape(each['level'])}"
        rows.append([name, *(_value(each["arms"].get(arm)) for arm in facts.arms)])
    return rows


def _range(size: Mapping[str, Any]) -> str:
    if size["min"] == size["max"]:
        return f"{size['min']:,}"
    return f"{signed(size['median'])} ({size['min']:,} to {size['max']:,})"


def _value(value: Mapping[str, Any] | None) -> str:
    if value is None:
        return "–"
    if "share" in value:
        return f"{value['n']:,} ({percent(value['share'])})"
    spread = "–" if value["sd"] is None else number(value["sd"])
    return f"{number(value['mean'])} ({spread})"
