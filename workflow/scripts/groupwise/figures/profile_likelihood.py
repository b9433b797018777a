"""How well the data know the spread between groups: the profile of its likelihood."""

from __future__ import annotations

import numpy as np
import pandas as pd
from plotnine import (
    aes,
    coord_cartesian,
    facet_wrap,
    geom_hline,
    geom_line,
    geom_point,
    geom_segment,
    ggplot,
    labs,
    scale_color_manual,
    scale_linetype_manual,
)

from groupwise.effect_words import POINTS, EffectWords
from groupwise.figures import Figure, Tables
from groupwise.figures.style import (
    MUTED,
    OKABE_ITO,
    WIDTH,
    look,
    sentence,
    spread_axis,
    wrap,
)
from groupwise.words import contrast_label, fixed, noun

NOTHING = "The mixed model could not be fitted: there are 0 likelihoods to show."
NAMES = {"reml": "restricted likelihood", "ml": "full likelihood"}
TOP = 2.2
"""The picture ends at so many times the cut."""


def draw(tables: Tables) -> Figure:
    """Plot of the profile deviance above its minimum; below the line lies the interval."""
    curves = tables.results["profile"]
    if curves.empty:
        return Figure(sentence(NOTHING), WIDTH, 2, NOTHING)
    words = EffectWords.of(tables.design)
    group, reference = tables.design["roles"]["group"], next(iter(tables.design["arms"]))
    terms = list(dict.fromkeys(curves["term"]))
    names = {term: _name(group, term, reference, alone=len(terms) == 1) for term in terms}
    cutoff = float(curves["cutoff"].iloc[0])
    titles = [wrap(name, 60 if len(names) == 1 else 32) for name in names.values()]
    curves = curves.assign(
        panel=pd.Categorical(
            curves["term"].map(dict(zip(names, titles, strict=True))), categories=titles
        ),
        likelihood=pd.Categorical(curves["estimator"].map(NAMES), categories=list(NAMES.values())),
    )
    lines = curves[curves["deviance"] <= 1.5 * TOP * cutoff]
    one = curves.drop_duplicates(["estimator", "term"])
    at = _crossings(curves, one)
    level = f"{100 * float(tables.design['conf_level']):g}%"
    plot = (
        ggplot(lines, aes("sd_group", "deviance", color="likelihood"))
        + geom_hline(yintercept=cutoff, color=MUTED, linetype="dashed", size=0.8)
        + geom_line(aes(linetype="likelihood"), size=1.4)
        + geom_segment(
            aes(x="x", xend="x", y=0, yend="height"), data=at, size=0.7, linetype="dotted"
        )
        + geom_point(aes(x="x", y="height"), data=at, size=3)
        + geom_point(aes(x="estimate", y=0), data=one, size=3, shape="D")
        + facet_wrap("panel", ncol=2 if len(names) > 1 else 1, scales="free_x")
        + spread_axis(words)
        + coord_cartesian(ylim=(0, TOP * cutoff))
        + scale_color_manual(dict(zip(NAMES.values(), OKABE_ITO[:2], strict=True)))
        + scale_linetype_manual(dict(zip(NAMES.values(), ["solid", "dashdot"], strict=True)))
        + labs(
            x=wrap(_title(words), 66),
            y="deviance above the least",
            caption=f"Dashed: the cut of the {level} interval.",
        )
        + look()
    )
    rows = -(-len(names) // 2)
    head = 0.25 * sum(1 + title.count("\n") for title in titles[::2])
    return Figure(plot, WIDTH, 1.3 + head + rows * 2.4, _alt(words, one, names, level, cutoff))


def _title(words: EffectWords) -> str:
    """What the axis measures: of events a standard deviation of risks or rates."""
    if not words.response.has_events:
        return f"standard deviation, in units of {words.outcome}"
    unit = f",{POINTS}" if words.response.family == "binary" else ""
    return f"standard deviation of the {words.mean} of {words.outcome}{unit}"


def _crossings(curves: pd.DataFrame, one: pd.DataFrame) -> pd.DataFrame:
    """The ends of the intervals, `x`, with the `height` of the curve there."""
    ends = pd.concat([one.assign(x=one[side]) for side in ("conf_low", "conf_high")])
    return ends[np.isfinite(ends["x"])].merge(
        curves[["estimator", "term", "sd_group", "deviance"]].rename(
            columns={"sd_group": "x", "deviance": "height"}
        ),
        on=["estimator", "term", "x"],
    )


def _name(group: str, term: str, reference: str, *, alone: bool) -> str:
    """The legend name of a random effect's standard deviation."""
    if alone:
        return f"between groups ({noun(group)})"
    if term == "Intercept":
        return f"between groups ({noun(group)}), in {reference}"
    return f"between groups ({noun(group)}), in {contrast_label(f'{term} - {reference}')}"


def _alt(
    words: EffectWords, one: pd.DataFrame, names: dict[str, str], level: str, cutoff: float
) -> str:
    parts = [
        f"{names[row.term]}, {NAMES[row.estimator]}: least at {words.spread(row.estimate)}, below the "
        f"cut from {words.spread(row.conf_low)} to "
        f"{words.spread(row.conf_high) if np.isfinite(row.conf_high) else 'without end'}."
        for row in one.itertuples()
    ]
    return (
        f"Profile of the likelihood of the standard deviation, with the {level} cut at a deviance of "
        f"{fixed(cutoff, 2)}. {' '.join(parts)}"
    )
