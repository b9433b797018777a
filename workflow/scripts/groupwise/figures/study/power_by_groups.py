"""Power by the number of groups: grey where a method is shown to be invalid."""

from __future__ import annotations

import numpy as np
import pandas as pd
from plotnine import labs, scale_y_continuous

from groupwise.catalogue.methods import method_label
from groupwise.figures import Figure
from groupwise.figures.study import StudyTables
from groupwise.figures.study.error_by_groups import colored, curves, ends, height, percentages
from groupwise.figures.style import GREYED, WIDTH, sentence
from groupwise.words import signed

BREAKS = (0, 0.2, 0.4, 0.6, 0.8, 1)


def draw(tables: StudyTables) -> Figure:
    """Plot of power by groups per arm; dotted, the best power of methods that hold their level."""
    invalid, rows = tables.invalid(), colored(tables.curves(effect=True))
    if rows.empty:
        text = "No method gave an answer."
        return Figure(sentence(text), WIDTH, 2, text)
    rows["color"] = np.where(rows["method"].isin(invalid), GREYED, rows["color"])
    effect = signed(tables.overview["effect"])
    best = _best(rows[~rows["method"].isin(invalid)], rows["panel"])
    plot = curves(rows, best, "dotted", power=1)
    plot = plot + scale_y_continuous(breaks=BREAKS, limits=(0, 1.02), labels=percentages)
    plot = plot + labs(x="groups per arm", y=f"power for {effect} standard deviations")
    return Figure(plot, WIDTH, height(rows), _alt(rows, invalid, tables))


def _best(rows: pd.DataFrame, panels: pd.Series) -> pd.DataFrame:
    """The greatest power for each number of groups, the same line in every panel."""
    best = rows.groupby("groups_per_arm")["rate"].max().reset_index()
    each = [best.assign(panel=panel) for panel in panels.cat.categories]
    return pd.concat(each).astype({"panel": panels.dtype})


def _alt(rows: pd.DataFrame, invalid: set[str], tables: StudyTables) -> str:
    grey = [method_label(each) for each in rows["method"].unique() if each in invalid]
    greyed = f" Grey, because their level does not hold: {', '.join(grey)}." if grey else ""
    return (
        f"Power for an effect of {signed(tables.overview['effect'])} standard deviations by groups "
        f"per arm ({tables.where}). {ends(rows)}.{greyed}"
    )
