"""What chance alone could have done: the statistic under every assignment, and the one observed."""

from __future__ import annotations

import numpy as np
import pandas as pd
from plotnine import (
    aes,
    element_blank,
    facet_wrap,
    geom_rect,
    geom_text,
    geom_vline,
    ggplot,
    labs,
    scale_fill_manual,
)

from groupwise.effect_words import EffectWords
from groupwise.figures import Figure, Tables
from groupwise.figures.style import (
    INK,
    OKABE_ITO,
    WIDTH,
    clear_legend,
    look,
    sentence,
    wrap,
)
from groupwise.words import equals_p, number

NOTHING = "There is no randomisation test here: 0 assignments to show."
LESS, AS_FAR = "closer to 0", "as far from 0 as what was observed"
FILLS = {LESS: "#c9c9c9", AS_FAR: OKABE_ITO[1]}
MANY_CONTRASTS = 6


def draw(tables: Tables) -> Figure:
    """Histograms of the randomisation distribution, both tails shaded; lines at observed values."""
    bins = _bins(tables)
    if bins.empty:
        return Figure(sentence(NOTHING), WIDTH, 2, NOTHING)
    one, words = bins.drop_duplicates("contrast"), EffectWords.of(tables.design)
    columns = min(2, len(one))
    titles = [wrap(words.comparison(contrast), 58 // columns) for contrast in one["contrast"]]
    bins = _drawn(bins, dict(zip(one["contrast"], titles, strict=True)))
    observed = bins.drop_duplicates("panel")
    observed = observed[observed["statistic"].abs() <= observed["bin_low"].abs()]
    beside = _words(bins)
    plot = (
        ggplot(bins)
        + geom_rect(
            aes(xmin="bin_low", xmax="bin_high", ymin=0, ymax="height", fill="tail"),
            color="white",
            size=0.1,
        )
        + geom_vline(aes(xintercept="statistic"), data=observed, color=INK, size=1.1)
        + _beside(beside[beside["side"] < 0], "left")
        + _beside(beside[beside["side"] > 0], "right")
        + facet_wrap("panel", ncol=columns, scales="free")
        + scale_fill_manual(FILLS)
        + labs(x=f"t, studentised {_what(words)}; height: share of the assignments", y="")
        + clear_legend()
        + look(axis_text_y=element_blank(), panel_grid_major_y=element_blank(), panel_spacing=0.05)
    )
    rows = -(-len(one) // columns)
    lines = max(1 + title.count("\n") for title in titles)
    return Figure(plot, WIDTH, 1.2 + rows * (2.0 + 0.22 * lines), _alt(words, one))


def _beside(words: pd.DataFrame, side: str) -> geom_text:
    """The text layer beside the line at the observed statistic."""
    return geom_text(aes(x="x", y="y", label="label"), data=words, ha=side, size=11.5, color=INK)


def _bins(tables: Tables) -> pd.DataFrame:
    """Histogram bins of all comparisons with a test; with many arms of those with the reference."""
    contrasts = list(tables.design["contrasts"])
    if len(contrasts) > MANY_CONTRASTS:
        contrasts = contrasts[: min(len(tables.design["arms"]) - 1, 2 * MANY_CONTRASTS)]
    table = tables.results["randomization"]
    return table[table["contrast"].isin(contrasts) & table["bin_low"].notna()]


def _drawn(bins: pd.DataFrame, panel: dict[str, str]) -> pd.DataFrame:
    """The bins with their panel, which tail they are in, and a height whose area is their share."""
    total = bins.groupby("contrast", sort=False)["count"].transform("sum")
    return bins.assign(
        panel=pd.Categorical(bins["contrast"].map(panel), categories=list(panel.values())),
        tail=pd.Categorical(np.where(bins["extreme"], AS_FAR, LESS), categories=list(FILLS)),
        height=bins["count"] / (bins["bin_high"] - bins["bin_low"]) / total,
    )


def _words(bins: pd.DataFrame) -> pd.DataFrame:
    """The p-value of each panel, above the bars at the end where the statistic observed is not."""
    by = bins.groupby("panel", observed=True)
    words = by.agg(
        low=("bin_low", "min"),
        high=("bin_high", "max"),
        top=("height", "max"),
        statistic=("statistic", "first"),
        p_value=("p_value", "first"),
    ).reset_index()
    side = np.where(words["statistic"] > 0, -1, 1)
    return words.assign(
        side=side,
        x=np.where(side < 0, words["low"], words["high"]),
        y=1.08 * words["top"],
        label=words["p_value"].map(equals_p),
    )


def _assignments(row) -> str:  # type: ignore[no-untyped-def]
    return f"{'all' if row.exact else 'a random'} {row.n_assignments:,} assignments"


def _what(words: EffectWords) -> str:
    """What is studentised: of ratios the logarithm."""
    return f"log {words.noun}" if words.response.is_ratio else "difference"


def _alt(words: EffectWords, one: pd.DataFrame) -> str:
    parts = [
        f"{words.comparison(row.contrast)}: t of {_t(row.statistic)} observed, {equals_p(row.p_value)} "
        f"over {_assignments(row)}."
        for row in one.itertuples()
    ]
    return (
        f"Distribution of the studentised {_what(words)} over the assignments that the test takes as "
        f"possible, the tails as far out as what was observed shaded. {' '.join(parts)}"
    )


def _t(value: float) -> str:
    return number(value) if np.isfinite(value) else "beyond all numbers"
