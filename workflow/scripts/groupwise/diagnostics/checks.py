"""First checks of the random-intercept model, each a row with a verdict.

`ok`: nothing to see; `look`: see the figure before you rely on it; `problem`: the estimates are
affected; `unknown`: the check could not be made.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy import stats

from groupwise import tidy
from groupwise.data.sampling import counted
from groupwise.diagnostics.event_checks import event_checks
from groupwise.diagnostics.finding import Check
from groupwise.sample import Sample
from groupwise.words import decimals_for, equals_p, fixed

NULLS = {
    "exact": "{draws:,.0f} draws of its exact null distribution",
    "pseudo-likelihood": (
        "{draws:,.0f} draws of its null distribution with the other random effects taken as known"
    ),
    "bootstrap": "{draws:,.0f} parametric bootstrap draws without group effects",
}
"""Where the p-value of the group variance is from."""

LARGE_SKEWNESS, LARGE_KURTOSIS, LARGE_SD_RATIO, LEVEL = 0.5, 1.0, 1.5, 0.05


UNKNOWN = Check(np.nan, np.nan, "unknown", "The mixed model could not be fitted.")


def run_checks(
    dataset: str,
    tables: Mapping[str, pd.DataFrame],
    further: Mapping[str, Check] | None = None,
    sample: Sample | None = None,
) -> pd.DataFrame:
    """Every check on the tables of one dataset (see `tidy.TABLES`), and `further` ones.

    Of a `sample` of events those of events are made, in place of those of residuals.
    """
    checks = CHECKS | (OF_PERIODS if len(tables["exposure"]) else {})
    of_events = {} if sample is None else event_checks(sample)
    if of_events:
        checks = {name: check for name, check in checks.items() if name not in OF_MEANS}
    findings = {name: check(tables) for name, check in checks.items()} | of_events
    findings |= dict(further or {})
    rows = [{"dataset": dataset, "check": name} | each._asdict() for name, each in findings.items()]
    return tidy.table("diagnostics", rows)


def convergence(tables: Mapping[str, pd.DataFrame]) -> Check:
    """Did the REML fit converge, inside its range, and does statsmodels find the same?"""
    rows = _mixed(tables["estimates"])
    if rows.empty:
        return Check(np.nan, np.nan, "unknown", "No mixed model is listed for this outcome.")
    row = rows.iloc[0]
    if not row["converged"]:
        return Check(np.nan, np.nan, "problem", row["message"] or "The fit did not converge.")
    if row["message"]:
        return Check(np.nan, np.nan, "look", row["message"])
    beside = _mixed(tables["agreement"])
    difference = float(beside["difference"].max()) if len(beside) else np.nan
    return Check(
        difference, np.nan, "ok", f"The fit converged inside its range. {_witness(beside)}"
    )


def _witness(beside: pd.DataFrame) -> str:
    """What statsmodels makes of the same model, in a sentence."""
    if beside.empty:
        return "statsmodels does not fit this model, or data of this size."
    message = str(beside["message"].iloc[0])
    if message:
        return f"It is shown though {message[0].lower()}{message[1:]}"
    if beside["alarm"].any():
        return "statsmodels disagrees: see the table of both."
    return f"statsmodels agrees within {beside['difference'].max():.1g} standard errors."


def group_variance(tables: Mapping[str, pd.DataFrame]) -> Check:
    """Restricted likelihood-ratio test of no group variance.

    The p-value is from draws of the null distribution, or else from the 50:50 mixture of chi2(0) and
    chi2(1) (Self and Liang 1987, Stram and Lee 1994), which needs many groups.
    """
    ratio = _statistic(tables, "group_variance_statistic")
    if np.isnan(ratio):
        return UNKNOWN
    mixture, draws = (_statistic(tables, f"group_variance_{x}") for x in ("p_mixture", "draws"))
    drawn = {null: _statistic(tables, f"group_variance_p_{null}") for null in NULLS}
    null = next((null for null, p in drawn.items() if np.isfinite(p)), None)
    p_value = mixture if null is None else drawn[null]
    if p_value < LEVEL:
        message = (
            "Groups differ by more than their members' spread explains: they cannot be ignored."
        )
    else:
        message = (
            "The data do not show that groups differ; that is no proof that they do not, "
            "and the design still is one of groups."
        )
    how = "the 50:50 mixture of chi-squared" if null is None else NULLS[null].format(draws=draws)
    if null is not None and np.isfinite(mixture):
        how += f"; the 50:50 mixture of chi-squared gives {equals_p(mixture)}"
    return Check(ratio, p_value, "ok", f"{message} Restricted likelihood-ratio test by {how}.")


def normal_residuals(tables: Mapping[str, pd.DataFrame]) -> Check:
    """Skewness and kurtosis of the residuals (D'Agostino and Pearson 1973)."""
    residual = _mixed(tables["residuals"])["residual"].to_numpy()
    normality = _normality(residual, "residuals")
    return normality._replace(message=normality.message + _sampled(tables))


def normal_group_effects(tables: Mapping[str, pd.DataFrame]) -> Check:
    """Shapiro and Wilk's test of the predicted group effects, weak when groups are few."""
    effects = _group_effects(tables)
    z = (effects["estimate"] / effects["estimate"].std()).to_numpy() if len(effects) > 2 else []
    if len(z) < 4 or not np.isfinite(z).all():
        return Check(np.nan, np.nan, "unknown", "There are no group effects to look at.")
    test = stats.shapiro(z[:5000])
    verdict = "ok" if test.pvalue >= LEVEL else "look"
    message = f"{len(z)} predicted group effects"
    message += " look normal." if verdict == "ok" else " do not look normal: see the QQ plot."
    return Check(float(test.statistic), float(test.pvalue), verdict, message)


def equal_spread(tables: Mapping[str, pd.DataFrame]) -> Check:
    """Brown and Forsythe's test that residuals spread alike in every arm."""
    residuals = _mixed(tables["residuals"])
    parts = {arm: part["residual"].to_numpy() for arm, part in residuals.groupby("arm", sort=False)}
    if len(parts) < 2:
        return UNKNOWN
    sd = {arm: float(np.std(part, ddof=1)) for arm, part in parts.items() if len(part) > 1}
    most, least = max(sd, key=sd.__getitem__), min(sd, key=sd.__getitem__)
    if sd[least] <= 1e-9 * sd[most]:
        return Check(np.nan, np.nan, "look", f"Nothing varies within the groups of '{least}'.")
    ratio = sd[most] / sd[least]
    with np.errstate(divide="ignore", invalid="ignore"):  # two members in each arm
        test = stats.levene(*parts.values(), center="median")
    verdict = "look" if ratio > LARGE_SD_RATIO else "ok"
    message = (
        f"The standard deviation is largest in '{most}', "
        f"{ratio:.2f} times the smallest, in '{least}'."
    )
    message += _sampled(tables)
    return Check(float(test.statistic), float(test.pvalue), verdict, message)


def outlying_groups(tables: Mapping[str, pd.DataFrame]) -> Check:
    """The most unusual group, measured by a spread it has no part in, and Bonferroni's p-value."""
    effects = _group_effects(tables)
    t, df, place = (_statistic(tables, f"unusual_group{x}") for x in ("_t", "_df", ""))
    if effects.empty or not np.isfinite(t):
        return Check(np.nan, np.nan, "unknown", "There are no group effects to look at.")
    p_value = min(1.0, float(2 * stats.t.sf(abs(t), df)) * len(effects))
    label = f"{effects['group'].iloc[0]} {effects['level'].iloc[int(place)]}"
    unusual = p_value < LEVEL
    message = f"The most unusual is {label}, {abs(t):.1f} standard deviations from what is expected"
    message += " by the spread of the others"
    message += ": more than chance would give." if unusual else ", within what chance gives."
    return Check(abs(t), p_value, "look" if unusual else "ok", message)


CHECKS = {
    "convergence": convergence,
    "group_variance": group_variance,
    "normal_residuals": normal_residuals,
    "normal_group_effects": normal_group_effects,
    "equal_spread": equal_spread,
    "outlying_groups": outlying_groups,
}

OF_MEANS = ("normal_residuals", "equal_spread")
"""Checks that mean nothing for events, whose spread follows from their risk or rate."""


def constant_effect(tables: Mapping[str, pd.DataFrame]) -> Check:
    """Kenward and Roger's F test that the effect does not change with the time since it began."""
    f, p_value = (_statistic(tables, f"equal_effects_{each}") for each in ("f", "p"))
    if not np.isfinite(p_value):
        return UNKNOWN
    average = tables["exposure"].loc[tables["exposure"]["exposure_time"] == 0].iloc[0]
    constant = tables["estimates"].set_index("method").loc["mixed_kenward_roger"]
    k = decimals_for(float(average["std_error"]))
    both = (
        f"averaged over exposure times it is {fixed(average['estimate'], k)}, taken as constant "
        f"{fixed(constant['estimate'], k)}"
    )
    if p_value < LEVEL:
        message = f"The effect seems to change with the time since it began: {both}."
        return Check(f, p_value, "look", message)
    return Check(
        f, p_value, "ok", f"The data do not show that the effect changes with time: {both}."
    )


OF_PERIODS = {"constant_effect": constant_effect}
"""Checks of designs in which groups leave the reference at different times."""


def _normality(values: np.ndarray, what: str) -> Check:
    if len(values) < 20:
        return Check(np.nan, np.nan, "unknown", f"Too few {what} to judge their shape.")
    test = stats.normaltest(values)
    skewness, kurtosis = float(stats.skew(values)), float(stats.kurtosis(values))
    odd = abs(skewness) > LARGE_SKEWNESS or abs(kurtosis) > LARGE_KURTOSIS
    shape = f"Skewness {fixed(skewness, 2)}, excess kurtosis {fixed(kurtosis, 2)}"
    message = shape + (": see the QQ plot." if odd else ": near enough to normal for inference.")
    return Check(float(test.statistic), float(test.pvalue), "look" if odd else "ok", message)


def _sampled(tables: Mapping[str, pd.DataFrame]) -> str:
    """That a check saw a sample of the residuals; nothing where it saw all."""
    n_sampled, total = len(_mixed(tables["residuals"])), int(tables["estimates"]["n_obs"].iloc[0])
    return "" if n_sampled in (0, total) else f" From {counted(n_sampled, total, 'residuals')}."


def _mixed(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["specification"] == "mixed"]


def _statistic(tables: Mapping[str, pd.DataFrame], name: str) -> float:
    table = _mixed(tables["fit_statistics"])
    value = table.loc[table["statistic"] == name, "value"]
    return float(value.iloc[0]) if len(value) else np.nan


def _group_name(tables: Mapping[str, pd.DataFrame]) -> str:
    """The name of the group level: its effects stand before those of blocks."""
    effects = tables["random_effects"]
    return str(effects["group"].iloc[0]) if len(effects) else ""


def _group_effects(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Of the groups: intercepts, slopes left out."""
    effects = tables["random_effects"]
    of_group = effects["group"] == _group_name(tables)
    return effects[of_group & (effects["term"] == "Intercept")]
