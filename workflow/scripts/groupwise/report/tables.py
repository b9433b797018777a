"""The tables and figures of the report."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from groupwise.catalogue.methods import METHODS, method_label
from groupwise.effect_words import EffectWords
from groupwise.report.facts import Facts
from groupwise.report.markdown import escape, explained, figure, table
from groupwise.words import (
    article,
    capital,
    decimals_for,
    fixed,
    number,
    p_value,
    plural,
    span,
)

CONVENTIONS = {
    "drop_last": "drop the last (R)",
    "drop_first": "drop the first",
    "minimum_norm": "smallest norm (statsmodels)",
}
CHECKS = {
    "convergence": "Convergence",
    "group_variance": "Group variance is 0",
    "normal_residuals": "Residuals are normal",
    "normal_group_effects": "Group effects are normal",
    "equal_spread": "Arms spread alike",
    "outlying_groups": "No group is out of line",
    "events_for_parameters": "There are events enough",
    "mixed_groups": "Groups have members with and without events",
    "separation": "No arm or covariate decides everything",
    "dispersion": "Counts vary as Poisson counts",
    "constant_effect": "The effect does not change with time",
    "differential_missingness": "Values are missing alike in all arms",
}

FIGURE_DATA = {
    "scores_by_group": "data/processed/{dataset}.parquet",
    "design_periods": "data/processed/{dataset}.parquet",
    "exposure_effects": "results/{dataset}/exposure.csv",
    "effects_forest": "results/{dataset}/estimates.csv",
    "arm_means": "results/{dataset}/marginal_means.csv",
    "shrinkage": "results/{dataset}/random_effects.csv",
    "residuals_fitted": "results/{dataset}/residuals.parquet",
    "qq_plots": "results/{dataset}/residuals.parquet",
    "answer": "results/{dataset}/estimates.csv",
    "calibration_rates": "results/{dataset}/calibration.csv",
    "power_curves": "results/{dataset}/planning.csv",
    "leave_one_out": "results/{dataset}/influence.csv",
    "profile_likelihood": "results/{dataset}/profile.csv",
    "randomization_distribution": "results/{dataset}/randomization.csv",
    "caterpillar": "results/{dataset}/random_effects.csv",
    "variance_split": "results/{dataset}/variance_components.csv",
}
"""Results table of each figure; embedded in the page only where no table embeds it."""


def _data(facts: Facts, name: str) -> dict[str, Any]:
    """Arguments of `table` for the link that saves one results table as CSV."""
    path = f"results/{facts.design['dataset']}/{name}.csv"
    return {"data": facts.results[name], "path": path}


def _method(facts: Facts, method: str) -> str:
    """A method's label, with its assumptions as a tooltip."""
    return explained(method_label(method), assumption(facts, method))


def assumption(facts: Facts, method: str) -> str:
    """The assumption of a method, in the nouns of this dataset."""
    group = facts.role("group")
    words = {"group": group, "groups": plural(group), "Groups": capital(plural(group))}
    words |= {"a_group": article(group), "Rows": capital(facts.rows)}
    text = METHODS[method].assumption
    if facts.changes:
        text = METHODS[method].in_periods or text
    return escape(text.format(**words))


def arms(facts: Facts) -> str:
    group = facts.role("group")
    rows = [
        [escape(arm), f"{size['n_groups']:,}", f"{size['n_obs']:,}"]
        for arm, size in facts.design["arms"].items()
    ]
    headers = [escape(facts.role("treatment")), escape(plural(group)), facts.rows]
    caption = "Arms of the experiment, the reference first."
    return table(headers, rows, label="arms", caption=caption)


def estimates(facts: Facts) -> str:
    """Table of estimates, intervals and p-values by comparison and method, gaps with reasons."""
    data, words = facts.results["estimates"], facts.words
    k = words.decimals(data["std_error"].median())
    rows = []
    for contrast in facts.contrasts:
        for method in facts.methods:
            row = facts.estimates(method).loc[contrast]
            rows.append(
                [
                    escape(facts.comparison(contrast)),
                    _method(facts, method),
                    *_inference(words, row, k),
                ]
            )
    headers = [
        "comparison",
        "method",
        words.noun if words.response.has_events else "estimate",
        "std. error of log" if words.response.is_ratio else "std. error",
        "df",
        "p",
        f"{facts.interval} interval",
    ]
    caption = (
        f"{escape(words.heading())} between arms by every method{facts.words.in_brackets()}, without "
        f"correction for several comparisons. df: degrees of freedom of the t distribution, ∞ for "
        f"the normal, – where there is none. A row without numbers: see the remarks."
    )
    return table(
        headers,
        rows,
        label="estimates",
        caption=caption,
        text_columns=2,
        **_data(facts, "estimates"),
    )


def _inference(words: EffectWords, row: pd.Series, k: int) -> list[str]:
    interval = "–"
    if not np.isnan(row["conf_low"]):
        interval = span(words.effect(row["conf_low"], k), words.effect(row["conf_high"], k))
    return [
        words.effect(row["estimate"], k),
        words.error(row["std_error"], k),
        _df(row["df"]),
        p_value(row["p_value"]),
        interval,
    ]


def _df(df: float) -> str:
    if np.isinf(df):
        return "∞"
    return fixed(df, 0 if df == np.round(df) else 1)


def adjusted(facts: Facts) -> str:
    """Table of the headline method's p-values and intervals: unadjusted, Holm, Tukey-Kramer."""
    data = facts.results["adjusted"]
    data = data[data["method"] == facts.headline].set_index(["contrast", "adjustment"])
    shown, k = (
        facts.words.effect,
        facts.words.decimals(facts.estimates(facts.headline)["std_error"].min()),
    )
    rows = []
    for contrast in facts.contrasts:
        each = [data.loc[(contrast, name)] for name in ("none", "holm", "tukey")]
        tukey = "–"
        if np.isfinite(each[2]["conf_low"]):
            tukey = span(shown(each[2]["conf_low"], k), shown(each[2]["conf_high"], k))
        cells = [p_value(row["p_value"]) for row in each]
        rows.append([escape(facts.comparison(contrast)), *cells, tukey])
    headers = ["comparison", "p", "p (Holm)", "p (Tukey)", f"{facts.interval} interval (Tukey)"]
    caption = (
        f"All pairs at once by the headline method ({method_label(facts.headline)}{_of_what(facts)}): "
        f"with {len(facts.contrasts)} comparisons, some correction is needed for all to hold together."
    )
    return table(headers, rows, label="adjusted", caption=caption, **_data(facts, "adjusted"))


def _of_what(facts: Facts) -> str:
    """What effects are, where they are not just differences."""
    words = facts.words
    return f"; {plural(words.noun)}{facts.words.in_brackets()}" if words.response.has_events else ""


MODELS = {
    "pooled": "pooled OLS",
    "dummy": "dummies",
    "mixed": "mixed",
    "gee": "GEE",
}


def _model(facts: Facts, specification: str, method: str) -> str:
    """The model that statsmodels fitted as well."""
    if specification == "gee" and METHODS[method].of_events:
        return "GEE of events"
    if specification == "pooled" and facts.words.response.is_ratio:
        return facts.words.regression
    return MODELS.get(specification, specification)


def agreement(facts: Facts) -> str:
    """Table of each quantity by statsmodels and by Groupwise, with remarks on statsmodels."""
    rows = [
        [
            _model(facts, row["specification"], row["method"]),
            escape(_quantity(facts, row["quantity"])),
            number(row["statsmodels"], 6),
            number(row["groupwise"], 6),
            "0" if row["difference"] == 0 else f"{row['difference']:.1e}",
            "look" if row["alarm"] else "ok",
        ]
        for _, row in facts.results["agreement"].iterrows()
    ]
    caption = (
        "statsmodels and Groupwise on the same models. Effects differ in units of their standard "
        "error, the others relatively; above 0.0001 is an alarm, unless a variance is 0 or a sentence "
        "below says what statsmodels did. Nothing that is reported comes from statsmodels."
    )
    headers = ["model", "quantity", "statsmodels", "Groupwise", "difference", "verdict"]
    comparison = table(
        headers,
        rows,
        label="agreement",
        caption=caption,
        text_columns=(0, 1, 5),
        **_data(facts, "agreement"),
    )
    remarks = [text for text in facts.results["agreement"]["message"].unique() if text]
    return "\n\n".join([comparison, *remarks])


def _quantity(facts: Facts, name: str) -> str:
    """A contrast, or a standard deviation under the name of the level in the data."""
    if name.startswith("std. error of "):
        return "std. error of " + facts.comparison(name.removeprefix("std. error of "))
    level, _, arm = name.removeprefix("sd of ").partition(": ")
    if not name.startswith("sd of ") or level not in ("group", "block"):
        return facts.comparison(name)
    return f"sd of {facts.role(level)}" + (f", {facts.against_reference(arm)}" if arm else "")


def omnibus(facts: Facts) -> str:
    rows = [
        [
            _method(facts, row["method"]),
            fixed(row["statistic"], 2),
            _df(row["df_num"]),
            _df(row["df_den"]),
            p_value(row["p_value"]),
        ]
        for _, row in facts.results["omnibus"].iterrows()
    ]
    caption = "Test that the treatment makes no difference at all."
    headers = ["method", "F", "df", "df error", "p"]
    return table(headers, rows, label="omnibus", caption=caption, **_data(facts, "omnibus"))


def marginal_means(facts: Facts) -> str:
    """Table of estimated marginal means, a row per method that gives them, a column per arm."""
    data = facts.results["marginal_means"]
    words = facts.words
    k = words.mean_decimals(data["std_error"].min())
    rows = []
    for method in facts.methods:
        at = data[data["method"] == method].set_index("arm").loc[facts.arms]
        answers = facts.estimates(method)["estimate"].notna().any()
        if answers and at["estimate"].notna().any():
            rows.append(
                [_method(facts, method), *(_mean(words, row, k) for _, row in at.iterrows())]
            )
    is_noun = facts.outcome == facts.role("outcome")
    what = f"Mean {escape(facts.outcome)}" if is_noun else f"Mean of {escape(facts.outcome)}"
    caption = f"{what} {'of' if is_noun else 'in'} each arm (standard error) by method."
    if words.response.has_events:
        caption = _levels_caption(facts)
    if facts.design["n_blocks"] or facts.design["roles"]["covariates"]:
        caption += " Covariates are held at their mean, blocks and categories count equally."
    headers = ["method", *(escape(arm) for arm in facts.arms)]
    return table(headers, rows, label="means", caption=caption, **_data(facts, "marginal_means"))


def _levels_caption(facts: Facts) -> str:
    """What means of events are, and of what: methods that condition on the group are told apart."""
    words = facts.words
    text = (
        f"{capital(words.mean)}s of {escape(facts.outcome)}{escape(words.per)} in each arm, with "
        f"{facts.interval} intervals, by method."
    )
    if words.response.is_ratio:
        text += (
            f" By mixed models it is the {words.mean} in the average {escape(facts.role('group'))}, not "
            f"the average {words.mean}."
        )
    return text


def _mean(words: EffectWords, row: pd.Series, k: int) -> str:
    if words.response.has_events:
        text = words.level(row["estimate"], k)
        if not np.isfinite([row["conf_low"], row["conf_high"]]).all():
            return text
        low, high = (words.level(row[end], k) for end in ("conf_low", "conf_high"))
        return f"{text} ({span(low, high)})"
    if not np.isfinite(row["std_error"]):
        return fixed(row["estimate"], k)
    return f"{fixed(row['estimate'], k)} ({fixed(row['std_error'], k)})"


def models(facts: Facts, spent: dict[str, str]) -> str:
    """Table of the pooled, dummy and mixed specification: effects, correlation, parameters."""
    group = escape(facts.role("group"))
    aliased = "treatment (aliased)" if facts.between else "treatment"
    rows = [
        ["pooled", "treatment, individual", "none", spent["pooled"]],
        [
            "dummy",
            f"{aliased}, group, individual",
            f"any, among these {plural(group)}",
            spent["dummy"],
        ],
        [
            "mixed",
            "treatment, group, individual",
            _correlation(facts),
            spent["mixed"],
        ],
    ]
    headers = [
        "specification",
        "effects captured",
        f"correlation within {article(group)}",
        f"parameters spent on {plural(group)}",
    ]
    caption = "The three specifications side by side."
    return table(headers, rows, label="models", caption=caption, text_columns=4)


def _correlation(facts: Facts) -> str:
    if facts.slopes:
        return "its own for each pair of arms"
    if facts.has_cells:
        return "higher in one period than in two"
    return "the same for any two members"


def methods(facts: Facts) -> str:
    """Table by method: assumption, covariance estimator, degrees of freedom."""
    rows = []
    for method in facts.methods:
        row = facts.estimates(method).iloc[0]
        assumes = assumption(facts, method)
        rows.append([method_label(method), assumes, row["vcov_type"], row["df_method"]])
    headers = ["method", "what it assumes", "standard error", "reference distribution"]
    caption = "The methods: a specification, a standard error and a reference distribution."
    return table(headers, rows, label="methods", caption=caption, text_columns=4)


def aliasing(facts: Facts) -> str:
    data = facts.results["aliasing"]
    terms = data[data["role"].isin(["intercept", "treatment"])]
    k = decimals_for(facts.results["estimates"]["std_error"].min())
    rows = []
    for term in dict.fromkeys(terms["term"]):
        at = terms[terms["term"] == term].set_index("convention")
        cells = [
            "dropped" if at.loc[c, "aliased"] else fixed(at.loc[c, "estimate"], k)
            for c in CONVENTIONS
        ]
        rows.append([escape(term), *cells])
    caption = (
        "What three conventions print for the same dummy model and the same data."
        if facts.between
        else "Three conventions of the dummy model; they agree on what is identified."
    )
    headers = ["coefficient", *CONVENTIONS.values()]
    return table(headers, rows, label="aliasing", caption=caption, **_data(facts, "aliasing"))


def variance_components(facts: Facts) -> str:
    data = facts.components
    rows = []
    for _, row in data.iterrows():
        name = "noise (residual)" if row["group"] == "Residual" else escape(row["group"])
        if row["term"] in facts.arms[1:]:
            name += f", {escape(facts.against_reference(row['term']))}"
        rows.append(
            [
                name,
                number(row["variance"], 4),
                number(row["std_dev"]),
                _limits(row["conf_low"], row["conf_high"], number),
                fixed(row["icc"], 3),
                _limits(row["icc_low"], row["icc_high"], lambda x: fixed(x, 2)),
            ]
        )
    headers = [
        "level",
        "variance",
        "std. deviation",
        f"{facts.interval} interval",
        "share of variance",
        f"{facts.interval} interval",
    ]
    caption = (
        "Variance components (REML), with profile-likelihood intervals of the standard deviations "
        "and of the shares; the share of the groups is the intraclass correlation."
    )
    return table(
        headers, rows, label="variances", caption=caption, **_data(facts, "variance_components")
    )


def _limits(low: float, high: float, shown: Callable[[float], str]) -> str:
    return span(shown(low), shown(high)) if np.isfinite([low, high]).all() else "–"


def diagnostics(facts: Facts) -> str:
    rows = [
        [
            CHECKS.get(row["check"], row["check"]),
            row["verdict"],
            escape(facts.of_rows(row["message"])),
            p_value(row["p_value"]),
        ]
        for _, row in facts.results["diagnostics"].iterrows()
    ]
    caption = "Checks of what the mixed model assumes, and of missing values."
    if facts.words.response.has_events:
        caption = (
            "Checks of the events, of the linear mixed model that the intraclass correlation is from, "
            "and of missing values."
        )
    return table(
        ["check", "verdict", "what was found", "p"],
        rows,
        label="checks",
        caption=caption,
        text_columns=3,
        **_data(facts, "diagnostics"),
    )


def provenance(facts: Facts) -> str:
    record, source = facts.provenance, facts.provenance["source"]
    rows = [
        ["data", f"`{source['file']}`"],
        ["sha256 of the data", f"`{source['sha256']}`"],
        ["code (commit)", commit(record["code"])],
        *([["study (commit)", commit(record["study"])]] if "study" in record else []),
        ["Python", record["python"]],
        *([name, version] for name, version in record["packages"].items()),
    ]
    if record["seed"] is not None:
        rows.insert(2, ["seed of the simulation", str(record["seed"])])
    caption = "What these results were made from and with."
    return table(["what", "value"], rows, label="provenance", caption=caption, text_columns=2)


def commit(code: Mapping[str, Any]) -> str:
    """The commit of a folder with code, and whether its files were changed since."""
    if code["commit"] is None:
        return "not a git checkout"
    return f"`{code['commit'][:12]}`" + (", with uncommitted changes" if code["changed"] else "")


def picture(facts: Facts, name: str, caption: str) -> str:
    """A figure of the dataset, with the alt text made beside it."""
    dataset = facts.design["dataset"]
    image = f"results/{dataset}/figures/{name}.svg"
    data = {"path": FIGURE_DATA[name].format(dataset=dataset)} if name in FIGURE_DATA else {}
    if name == "shrinkage":
        data = _data(facts, "random_effects")
    label = name.replace("_", "-")
    return figure(image, label=label, caption=caption, alt=facts.alt[name], **data)
