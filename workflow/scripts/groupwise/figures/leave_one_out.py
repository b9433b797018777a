"""The answer without each group in turn: how much hangs on one of them."""

from __future__ import annotations

import numpy as np
import pandas as pd
from plotnine import (
    aes,
    element_blank,
    facet_wrap,
    geom_point,
    geom_segment,
    geom_vline,
    ggplot,
    labs,
    scale_color_manual,
    scale_shape_manual,
    scale_y_continuous,
)

from groupwise.catalogue.methods import method_label
from groupwise.effect_words import EffectWords
from groupwise.figures import Figure, Tables
from groupwise.figures.style import (
    INK,
    OKABE_ITO,
    WIDTH,
    clear_legend,
    drawable,
    effect_axis,
    effect_title,
    look,
    row_label,
    sentence,
    wrap,
)
from groupwise.words import equals_p, role_word

NOTHING = "No group could be left out: there are 0 answers to show."
SAME, CHANGED = "as with all groups", "significance at the level changes"
MOST_ROWS, LEAST_ROWS, MOST_PANELS = 40, 8, 8


def draw(tables: Tables) -> Figure:
    """Leave-one-group-out estimates: a panel per comparison with the reference, a row per group."""
    words = EffectWords.of(tables.design)
    method, rows = _rows(tables, words)
    if rows.empty:
        return Figure(sentence(NOTHING), WIDTH, 2, NOTHING)
    contrasts = list(dict.fromkeys(rows["contrast"]))
    columns = min(2, len(contrasts))
    lines = -(-len(contrasts) // columns)
    shown = _most_influential(rows, max(MOST_ROWS // lines, LEAST_ROWS))
    titles = {c: wrap(words.comparison(c), 58 // columns) for c in contrasts}
    points = rows[rows["left_out"].isin(shown)].assign(
        panel=lambda t: pd.Categorical(t["contrast"].map(titles), categories=list(titles.values())),
        y=lambda t: t["left_out"].map({label: -j for j, label in enumerate(shown)}),
    )
    points = drawable(words, points)
    whole = points.drop_duplicates("panel")
    labels = [row_label(label) for label in shown]
    note = _note(tables, len(shown))
    plot = (
        ggplot(points, aes("estimate", "y", color="kind", shape="kind"))
        + effect_axis(words, points, 0.05, linetype="dotted")
        + geom_vline(aes(xintercept="all_groups"), data=whole, color=INK, size=0.9)
        + geom_segment(
            aes(x="conf_low", xend="conf_high", yend="y"), size=1.1, alpha=0.75, show_legend=False
        )
        + geom_point(size=2.4)
        + facet_wrap("panel", ncol=columns)
        + scale_color_manual({SAME: OKABE_ITO[0], CHANGED: OKABE_ITO[1]})
        + scale_shape_manual({SAME: "o", CHANGED: "D"})
        + scale_y_continuous(
            breaks=[-j for j in range(len(shown))], labels=labels, expand=(0.01, 0.6)
        )
        + labs(
            x=effect_title(words),
            y=f"{role_word(tables.design['roles'], 'group')} left out",
            caption=note,
        )
        + clear_legend()
        + look(panel_grid_major_y=element_blank(), panel_spacing_x=0.04)
    )
    heads = max(1 + title.count("\n") for title in titles.values())
    each = 0.2 * max(1 + label.count("\n") for label in labels)
    height = 1.4 + lines * (0.2 + 0.22 * heads + each * max(len(shown), 2))
    alt = _alt(tables, words, method, rows)
    return Figure(plot, WIDTH, height, f"{alt} {note}".rstrip())


def _rows(tables: Tables, words: EffectWords) -> tuple[str, pd.DataFrame]:
    """The method shown, and its leave-one-group-out rows for contrasts with the reference.

    `all_groups` is the estimate with all groups, `moved` the shift from it in standard errors,
    `kind` whether significance changes.
    """
    table = tables.results["influence"]
    methods = list(table["method"])
    method = tables.headline if tables.headline in methods or not methods else methods[0]
    contrasts = list(tables.design["contrasts"])[: min(len(tables.design["arms"]) - 1, MOST_PANELS)]
    selected = (table["method"] == method) & table["contrast"].isin(contrasts)
    rows = table[selected & table["estimate"].notna()]
    estimates = tables.results["estimates"]
    whole = estimates[estimates["method"] == method].set_index("contrast")
    at = whole.reindex(rows["contrast"])
    alpha = 1 - float(tables.design["conf_level"])
    differs = (rows["p_value"].to_numpy() < alpha) != (at["p_value"].to_numpy() < alpha)
    steps = (rows["estimate"], at["estimate"], at["std_error"])
    rows = rows.assign(
        all_groups=at["estimate"].to_numpy(),
        moved=words.steps(*(each.to_numpy() for each in steps)),
        kind=pd.Categorical(np.where(differs, CHANGED, SAME), categories=[SAME, CHANGED]),
    )
    return method, rows[rows["all_groups"].notna()]


def _most_influential(rows: pd.DataFrame, most: int) -> list[str]:
    """Labels of the most influential groups, ordered by their shift of the first comparison."""
    largest = rows.assign(size=rows["moved"].abs()).groupby("left_out", sort=False)["size"].max()
    chosen = set(largest.sort_values(ascending=False, kind="stable").index[:most])
    first = rows[rows["left_out"].isin(chosen)].drop_duplicates("left_out")
    return list(first.sort_values("moved", ascending=False, kind="stable")["left_out"])


def _note(tables: Tables, shown: int) -> str:
    """The note that only the most influential groups are drawn; empty where all are."""
    total = int(tables.design["n_groups"])
    if shown == total:
        return ""
    return f"Drawn: the {shown:,} of {total:,} groups that move the estimates most."


def _alt(tables: Tables, words: EffectWords, method: str, rows: pd.DataFrame) -> str:
    group, parts = role_word(tables.design["roles"], "group"), []
    for contrast, part in rows.groupby("contrast", sort=False):
        low, high = part.loc[part["estimate"].idxmin()], part.loc[part["estimate"].idxmax()]
        changed = part[part["kind"] == CHANGED]
        extremes = (
            f"{words.comparison(str(contrast))}: with all groups {words.short(low['all_groups'])}, "
            f"without one of them {words.bare(low['estimate'])} {_without(low)} to "
            f"{words.bare(high['estimate'])} {_without(high)}"
        )
        parts.append(f"{extremes}; significance changes without {len(changed)} of {len(part)}.")
    start = (
        f"{words.estimates()} with intervals by {method_label(method)}, each without one {group}."
    )
    return " ".join([start, *parts])


def _without(row: pd.Series) -> str:
    """Which group was left out, and the p-value then."""
    return f"(without {row['left_out']}, {equals_p(row['p_value'])})"
