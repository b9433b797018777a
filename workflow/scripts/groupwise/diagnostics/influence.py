"""What every group does to the answer: each is left out in turn, and all is fitted again.

Of very many groups only those are left out that move the mixed model's estimates most by one step:
with the variances held, and V^-1 (y - X beta) = e / s2 for the residuals e that fixed and predicted
random effects leave, group g adds Phi X_g' e_g / s2 to beta, Phi its covariance (Cook 1986 calls
that local influence; leverage, which the refit has, is left out).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from groupwise import tidy
from groupwise.algebra import sum_by
from groupwise.data.errors import InputError
from groupwise.diagnostics.refit import Answer, Dataset, Refit, methods_for
from groupwise.inference.mixed import residual, work
from groupwise.sample import Sample

MOST_GROUPS, LEAST_GROUPS = 200, 5
"""So many groups are left out at most; with very many rows fewer, but not fewer than the latter."""

MOST_ROWS, MOST_PRODUCTS, MOST_WORK = 20_000_000, 4_000_000_000, 2_000_000_000
"""In all: rows; products in X'X; what the random effects cost (`mixed.work`)."""


def influence(dataset: Dataset) -> pd.DataFrame:
    """One row per group left out, method and contrast of all arms: NaN where there is no answer."""
    sample, rows = dataset.whole, []
    chosen, note = _chosen(dataset)
    for g in map(int, chosen):
        who: dict[str, Any] = {"dataset": sample.dataset, "left_out": sample.design.group_labels[g]}
        who["n_obs"] = int(sample.design.n_obs - sample.design.group_size[g])
        for row in _without(dataset, g):
            row["message"] = " ".join(filter(None, (row["message"], note)))
            rows.append(who | row)
    return tidy.table("influence", rows)


def _without(dataset: Dataset, g: int) -> Iterator[dict[str, Any]]:
    """What each method says of every contrast without group g."""
    design = dataset.whole.design
    out = design.group == g
    labels, methods = design.contrast_labels, methods_for(design)
    sample, lost = _sample_without(dataset, out)
    refit = None if sample is None else Refit(sample)
    for method in methods:
        if refit is None:
            answer_, estimable = Answer.missing(len(labels), lost), labels
        else:
            answer_, estimable = refit.answer(method), refit.sample.design.contrast_labels
            answer_ = replace(answer_, message=" ".join(filter(None, (lost, answer_.message))))
        yield from ({"method": method} | row for row in answer_.rows(estimable, labels))


def _sample_without(dataset: Dataset, out: np.ndarray) -> tuple[Sample | None, str]:
    """What is left without the rows `out`, a mask (n,), and what is lost; None if no comparison is."""
    design = dataset.whole.design
    arms = _gone(design.arm, out, design.arm_labels)
    lost = f"Nobody is left in {', '.join(arms)}." if arms else ""
    if len(design.arm_labels) - len(arms) < 2:
        return None, lost
    if design.block is not None:
        blocks = _gone(design.block, out, design.block_labels)
        lost += f"Nobody is left in block {', '.join(blocks)}." if blocks else ""
    try:
        return dataset.without(out), lost
    except InputError as error:
        return None, f"No comparison is left: {error.problem}."


def _gone(codes: np.ndarray, out: np.ndarray, labels: tuple[str, ...]) -> list[str]:
    """Levels that only the rows `out` have."""
    left = np.bincount(codes[~out], minlength=len(labels))
    return [labels[j] for j in np.flatnonzero(left == 0)]


# ---- which groups --------------------------------------------------------------------------------


def _chosen(dataset: Dataset) -> tuple[np.ndarray, str]:
    """Codes of the groups to leave out, in order, and a sentence where they are not all."""
    design = dataset.whole.design
    most = _most(dataset)
    if design.n_groups <= most:
        return np.arange(design.n_groups), ""
    # Of equally influential ones the first: the order of labels decides, never that of rows.
    order = np.argsort(-one_step(dataset).round(9), kind="stable")[:most]
    note = (
        f"One of {most:,} of {design.n_groups:,} groups that were left out: those that move the "
        "estimates most by one step of the mixed model."
    )
    return np.sort(order), note


def _most(dataset: Dataset) -> int:
    """How many groups there is time for."""
    n, p = dataset.whole.design.X.shape
    cost = 0 if isinstance(dataset.fitted, str) else work(dataset.fitted.model)
    each = min(MOST_ROWS // n, MOST_PRODUCTS // (n * p * p), MOST_WORK // max(cost, 1))
    return max(min(MOST_GROUPS, each), LEAST_GROUPS)


def one_step(dataset: Dataset) -> np.ndarray:
    """(G,) largest change of a contrast, in standard errors, that a group makes by one step.

    By the mixed model, or by least squares where that has no fit.
    """
    design, y = dataset.whole.design, dataset.whole.values
    fitted = dataset.fitted
    sigma2: float | np.ndarray
    if isinstance(fitted, str):
        e, sigma2 = y - design.X @ np.linalg.lstsq(design.X, y, rcond=None)[0], 1.0
        vcov = np.linalg.pinv(design.X.T @ design.X)
    else:
        e, sigma2, vcov = residual(fitted), fitted.std_dev["residual"] ** 2, fitted.vcov
    rows = design.L @ vcov
    parts = [sum_by(e * (design.X @ row), design.group, design.n_groups) for row in rows]
    std_error = np.sqrt(np.einsum("kp,kp->k", rows, design.L))
    moved: np.ndarray = np.abs(np.array(parts) / sigma2 / std_error[:, None]).max(axis=0)
    return moved
