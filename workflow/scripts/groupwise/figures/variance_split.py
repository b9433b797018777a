"""Where the differences between rows come from: treatment, groups, blocks, what is left."""

from __future__ import annotations

import numpy as np
import pandas as pd
from plotnine import (
    aes,
    element_blank,
    geom_rect,
    geom_text,
    ggplot,
    labs,
    scale_fill_manual,
    scale_x_continuous,
    scale_y_continuous,
)

from groupwise.effect_words import EffectWords
from groupwise.figures import Figure, Tables
from groupwise.figures.style import INK, OKABE_ITO, WIDTH, look, sentence, wrap
from groupwise.words import has_word, named, noun, number, percent, plural, role_word, row_word

NOTHING = "The mixed model could not be fitted: there are 0 shares of the variance to show."
TREATMENT = "treatment"


def draw(tables: Tables) -> Figure:
    """Bar chart of each source's share of the variance by the mixed model."""
    parts = variance_parts(tables)
    if parts.empty:
        return Figure(sentence(NOTHING), WIDTH, 2, NOTHING)
    k, words = len(parts), EffectWords.of(tables.design)
    labels = [wrap(f"{row.source}: {row.of}", 26) for row in parts.itertuples()]
    parts = parts.assign(
        y=np.arange(k, 0, -1),
        label=[f"{percent(row.share)}{_sd(words, row.sd)}" for row in parts.itertuples()],
    )
    plot = (
        ggplot(parts, aes(y="y"))
        + geom_rect(aes(xmin=0, xmax="share", ymin="y-0.33", ymax="y+0.33", fill="source"))
        + geom_text(aes(x="share+0.015", label="label"), ha="left", size=11.5, color=INK)
        + scale_fill_manual(dict(zip(parts["source"], _colors(k), strict=True)), guide=None)
        + scale_y_continuous(breaks=list(parts["y"]), labels=labels, limits=(0.4, k + 0.6))
        + scale_x_continuous(
            breaks=[0, 0.25, 0.5, 0.75, 1],
            labels=["0", "25%", "50%", "75%", "100%"],
            limits=(0, 1.3),
        )
        + labs(
            x=wrap(
                f"share of the variance of {named(tables.design['roles']['outcome'], 'outcome')}",
                66,
            ),
            y="",
        )
        + look(panel_grid_major_y=element_blank())
    )
    lines = sum(max(2, 1 + label.count("\n")) for label in labels)
    return Figure(plot, WIDTH, max(0.9 + 0.25 * lines, 2), _alt(tables, parts))


def _colors(k: int) -> list[str]:
    """A colour per source; grey for the residual, which is last."""
    return [*OKABE_ITO[: k - 1], OKABE_ITO[-1]]


def variance_parts(tables: Tables) -> pd.DataFrame:
    """Variance of the outcome by source, in its units squared, with `sd` and `share`.

    A row for the treatment, for each grouping, and last the residual; shares add up to 1. Without
    a fit there are no rows.

    Treatment: the variance, over rows, of the estimated mean of their arm. Groups: that of
    their effect, with random slopes averaged over the arms of the rows. Fixed blocks and
    covariates are not counted.
    """
    components = tables.results["variance_components"]
    linear = (components["estimator"] == "reml") & (components["method"] == "mixed_wald")
    components = components[linear]
    means = tables.results["marginal_means"]
    means = means[means["method"] == _method_of_means(tables)].set_index("arm")["estimate"]
    if components.empty or means.isna().any() or means.empty:
        return pd.DataFrame(columns=["source", "of", "variance", "sd", "share"])
    roles, size = tables.design["roles"], _sizes(tables)
    center = float(size @ means[list(tables.design["arms"])])
    treatment = float(size @ (means[list(tables.design["arms"])].to_numpy() - center) ** 2)
    rows = [(TREATMENT, noun(roles["treatment"]), treatment)]
    rows.append(("groups", _of(tables, "group"), _group_variance(tables, components)))
    for source, role in (("blocks", "block"), ("second grouping", "second_group")):
        of_role = components[components["group"] == roles[role]]
        if len(of_role):
            rows.append((source, _of(tables, role), float(of_role["variance"].iloc[0])))
    cells = f"{roles['group']} by {roles.get('period')}"
    for source, level in (("groups in periods", cells), ("individuals", roles.get("individual"))):
        of_level = components[components["group"] == level]
        if len(of_level) and level != roles["group"]:
            rows.append((source, noun(str(level)), float(of_level["variance"].iloc[0])))
    residual = components.loc[components["group"] == "Residual", "variance"]
    rows.append((plural(row_word(tables.design)), "what is left", float(residual.iloc[0])))
    parts = pd.DataFrame(rows, columns=["source", "of", "variance"])
    return parts.assign(
        sd=np.sqrt(parts["variance"]), share=parts["variance"] / parts["variance"].sum()
    )


def _method_of_means(tables: Tables) -> str:
    """Of ratios, whose linear mixed model is not listed, the headline has the risks or rates."""
    is_ratio = EffectWords.of(tables.design).response.is_ratio
    return tables.headline if is_ratio else "mixed_wald"


def _sd(words: EffectWords, value: float) -> str:
    """The standard deviation in brackets; of events, whose spread follows from their risk, none."""
    return "" if words.response.has_events else f" (sd {number(value)})"


def _of(tables: Tables, role: str) -> str:
    """What is grouped: the noun, or the column's name where that is none."""
    roles = tables.design["roles"]
    return role_word(roles, role) if has_word(roles, role) else noun(roles[role])


def _sizes(tables: Tables) -> np.ndarray:
    """(J,) share of the rows in each arm."""
    n = np.array([arm["n_obs"] for arm in tables.design["arms"].values()], dtype=float)
    return n / n.sum()


def _group_variance(tables: Tables, components: pd.DataFrame) -> float:
    """Variance of the group effect in a row's arm, averaged over rows: with random slopes
    sigma_0^2 + sigma_j^2 + 2 rho_j sigma_0 sigma_j in arm j.
    """
    of_groups = components[components["group"] == tables.design["roles"]["group"]].set_index("term")
    level, sd = float(of_groups.loc["Intercept", "variance"]), of_groups["std_dev"]
    statistics = tables.results["fit_statistics"].set_index("statistic")["value"]
    total = 0.0
    for arm, size in zip(tables.design["arms"], _sizes(tables), strict=True):
        variance = level
        if arm in of_groups.index and arm != "Intercept":
            r = float(statistics.get(f"correlation: Intercept, {arm}", 0.0))
            r = 0.0 if np.isnan(r) else r
            variance += float(sd[arm] ** 2 + 2 * r * sd["Intercept"] * sd[arm])
        total += size * variance
    return total


def _alt(tables: Tables, parts: pd.DataFrame) -> str:
    words = EffectWords.of(tables.design)
    shares = [
        f"{row.source} ({row.of}) {percent(row.share)}"
        + ("" if words.response.has_events else f", standard deviation {number(row.sd)}")
        for row in parts.itertuples()
    ]
    outcome = named(tables.design["roles"]["outcome"], "outcome")
    return f"Shares of the variance of {outcome} by the mixed model: {'; '.join(shares)}."
