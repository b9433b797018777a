"""First checks of the random-intercept model, each a row with a verdict.

`ok`: nothing to see; `look`: see the figure before you rely on it; `problem`: the estimates are
affected; `unknown`: the check could not be made.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from groupwise import tidy
from groupwise.words import fixed

LARGE_SKEWNESS, LARGE_KURTOSIS, LARGE_SD_RATIO, LEVEL = 0.5, 1.0, 1.5, 0.05


class Check(NamedTuple):
    statistic: float
    p_value: float
    verdict: str
    message: str


UNKNOWN = Check(np.nan, np.nan, "unknown", "The mixed model could not be fitted.")


def run_checks(dataset: str, tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Every check on the tables of one dataset (see `tidy.TABLES`)."""
    found = {name: check(tables) for name, check in CHECKS.items()}
    rows = [{"dataset": dataset, "check": name} | each._asdict() for name, each in found.items()]
    return tidy.table("diagnostics", rows)


def convergence(tables: Mapping[str, pd.DataFrame]) -> Check:
    """Did the REML fit converge, inside its range, and is statsmodels right about the effects?"""
    row = _mixed(tables["estimates"]).iloc[0]
    if not row["converged"]:
        return Check(np.nan, np.nan, "problem", row["message"] or "The fit did not converge.")
    agreement = _statistic(tables, "statsmodels_agreement")
    if row["message"]:
        return Check(agreement, np.nan, "look", row["message"])
    message = "The fit converged inside its range; statsmodels' effects are the GLS solution."
    return Check(agreement, np.nan, "ok", message)


def group_variance(tables: Mapping[str, pd.DataFrame]) -> Check:
    """Restricted likelihood-ratio test of no group variance, 50:50 mixture of chi2(0), chi2(1).

    Source: Self and Liang (1987), Stram and Lee (1994).
    """
    gain = _statistic(tables, "loglik") - _statistic(tables, "loglik_without_groups")
    if np.isnan(gain):
        return UNKNOWN
    ratio = max(2 * gain, 0.0)
    p_value = 0.5 * stats.chi2.sf(ratio, 1) if ratio > 1e-8 else 1.0
    if p_value < LEVEL:
        message = (
            "Groups differ by more than their members' spread explains: they cannot be ignored."
        )
    else:
        message = (
            "The data do not show that groups differ; that is no proof that they do not, "
            "and the design still is one of groups."
        )
    return Check(ratio, p_value, "ok", message)


def normal_residuals(tables: Mapping[str, pd.DataFrame]) -> Check:
    """Skewness and kurtosis of the residuals (D'Agostino and Pearson 1973)."""
    residual = _mixed(tables["residuals"])["residual"].to_numpy()
    return _normality(residual, "residuals")


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
    return Check(float(test.statistic), float(test.pvalue), verdict, message)


def outlying_groups(tables: Mapping[str, pd.DataFrame]) -> Check:
    """The largest standardised group effect beside what so many normal draws would give."""
    effects = _group_effects(tables)
    components = tables["variance_components"]
    variance = components.loc[components["group"] == _group_name(tables), "variance"]
    if effects.empty or variance.empty or variance.iloc[0] == 0:
        return Check(np.nan, np.nan, "unknown", "There are no group effects to look at.")
    sd = np.sqrt(np.maximum(variance.iloc[0] - effects["std_error"] ** 2, 1e-300))
    z = (effects["estimate"] / sd).abs().to_numpy()
    worst = int(np.argmax(z))
    p_value = min(1.0, float(2 * stats.norm.sf(z[worst])) * len(z))
    label = f"{effects['group'].iloc[0]} {effects['level'].iloc[worst]}"
    unusual = p_value < LEVEL
    message = f"The most unusual is {label}, {z[worst]:.1f} standard deviations from its arm's mean"
    message += ": more than chance would give." if unusual else ", within what chance gives."
    return Check(float(z[worst]), p_value, "look" if unusual else "ok", message)


CHECKS = {
    "convergence": convergence,
    "group_variance": group_variance,
    "normal_residuals": normal_residuals,
    "normal_group_effects": normal_group_effects,
    "equal_spread": equal_spread,
    "outlying_groups": outlying_groups,
}


def _normality(values: np.ndarray, what: str) -> Check:
    if len(values) < 20:
        return Check(np.nan, np.nan, "unknown", f"Too few {what} to judge their shape.")
    test = stats.normaltest(values)
    skewness, kurtosis = float(stats.skew(values)), float(stats.kurtosis(values))
    odd = abs(skewness) > LARGE_SKEWNESS or abs(kurtosis) > LARGE_KURTOSIS
    shape = f"Skewness {fixed(skewness, 2)}, excess kurtosis {fixed(kurtosis, 2)}"
    message = shape + (": see the QQ plot." if odd else ": near enough to normal for inference.")
    return Check(float(test.statistic), float(test.pvalue), "look" if odd else "ok", message)


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
    effects = tables["random_effects"]
    return effects[effects["group"] == _group_name(tables)]
