"""Outcomes in fewer rows answer as those of individuals do, and are drawn from the same distribution."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from groupwise.compression import Compression, DesignForms
from groupwise.data.validate import Roles
from groupwise.design import Design, make_design
from groupwise.methods import Request, all_methods, answer, concerning, method_of
from groupwise.rows import GROUPS, INDIVIDUALS, KINDS
from groupwise.sample import Resampling
from groupwise.simulation.grid import between_design
from groupwise.simulation.processes import PROCESSES
from groupwise.simulation.scenarios import Background, Scenario, outcomes

REQUEST = Request(resampling=Resampling(1, 39, 19, 39, 200))
COLUMNS = ("estimate", "std_error", "statistic", "df", "p_value", "conf_low", "conf_high")
MODELS: dict[str, dict[str, Any]] = {
    "one intercept": {},
    "second grouping": {"second": True},
    "random blocks": {"blocks_as": "random"},
    "slopes": {"random_slopes": True},
}


def made(
    kind: str,
    covariates: tuple[str, ...],
    rng: np.random.Generator,
    *,
    groups: int = 16,
    largest: int = 9,
    second: bool = False,
    **options: Any,
) -> Design:
    """Groups of 2 and more in three arms; w is a covariate of groups, x and s are of individuals."""
    size = rng.integers(2, largest, groups)
    group = np.repeat(np.arange(groups), size)
    arm = rng.permutation(np.arange(groups) % 3)[group]
    if kind == "within":
        arm = rng.integers(0, 3, len(group))
        arm[:3] = [0, 1, 2]
    table = pd.DataFrame(
        {
            "g": group,
            "a": pd.Categorical.from_codes(arm, ["A", "B", "C"]),
            "b": (group % 3).astype(str),
            "x": rng.normal(50, 10, len(group)),
            "w": rng.integers(0, 2, groups)[group],
            "s": rng.choice(["m", "f"], len(group)),
            "k": rng.integers(0, 5, len(group)),
        }
    )
    block, other = ("b" if kind == "blocked" else None), ("k" if second else None)
    return make_design(table, Roles("y", "a", "g", block, covariates, other), **options)


def drawn(design: Design, rng: np.random.Generator) -> np.ndarray:
    """Two outcomes, one of them large and in other units."""
    u, e = rng.normal(size=(2, design.n_groups)), rng.normal(size=(2, design.n_obs))
    return (u[:, design.group] + e) * np.array([[1], [30]]) + np.array([[0], [1000]])


def compare(design: Design, forms: DesignForms, y: np.ndarray, form: str) -> None:
    """All methods that the form has enough for answer to 1e-10 as in the design of individuals."""
    rank = [INDIVIDUALS, GROUPS, KINDS].index
    listed = concerning(design, all_methods())
    names = [n for n in listed if rank(method_of(n).needs(design)) >= rank(form)]
    if not design.has_one_intercept:
        names.remove("mixed_bootstrap")  # its draws are made in the rows
    fewer = forms.compressed(y, INDIVIDUALS)[form]
    whole = answer(design, y, names, request=REQUEST)
    parts = answer(forms.design[form], fewer, names, request=REQUEST)
    for name in names:
        for column in COLUMNS:
            expected, value = (getattr(each[name].inference, column) for each in (whole, parts))
            np.testing.assert_allclose(
                value, expected, rtol=1e-9, atol=1e-10, err_msg=f"{form} {name} {column}"
            )
        np.testing.assert_array_equal(parts[name].covers, whole[name].covers)
        np.testing.assert_array_equal(parts[name].singular, whole[name].singular)


@pytest.mark.parametrize("covariates", [(), ("x", "w"), ("s",)], ids=str)
@pytest.mark.parametrize(
    ("kind", "model"),
    [
        ("between", "one intercept"),
        ("between", "second grouping"),
        ("blocked", "one intercept"),
        ("blocked", "random blocks"),
        ("within", "one intercept"),
        ("within", "slopes"),
        ("within", "second grouping"),
    ],
)
@pytest.mark.parametrize("seed", [1, 2])
def test_sums_of_groups_answer_as_individuals_do(
    kind: str, model: str, covariates: tuple[str, ...], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    design = made(kind, covariates, rng, **MODELS[model])
    compare(design, DesignForms.of(design), drawn(design, rng), GROUPS)


@pytest.mark.parametrize("covariates", [(), ("w",)], ids=str)
@pytest.mark.parametrize("kind", ["between", "blocked"])
@pytest.mark.parametrize("seed", [1, 2])
def test_kinds_of_groups_answer_as_individuals_do(
    kind: str, covariates: tuple[str, ...], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    design = made(kind, covariates, rng, groups=200, largest=4)
    forms = DesignForms.of(design)
    assert forms.kinds is not None and len(forms.design[KINDS].X) < 90
    assert forms.design[KINDS].n_groups == 200 and forms.design[KINDS].n_obs == design.n_obs
    compare(design, forms, drawn(design, rng), KINDS)


def test_the_basis_is_orthonormal_and_spans_all_that_is_needed() -> None:
    design = made("within", ("x", "s"), np.random.default_rng(3))
    compression = Compression.of(design)
    U = compression.U.toarray()
    np.testing.assert_allclose(U.T @ U, np.eye(U.shape[1]), atol=1e-10)
    for columns in (design.X, np.eye(design.n_groups)[design.group], np.eye(3)[design.arm]):
        np.testing.assert_allclose(U @ (U.T @ columns), columns, atol=1e-9)
    rows = compression.design.rows
    assert rows.remainder == design.n_obs - U.shape[1] == compression.remaining.sum()
    y = drawn(design, np.random.default_rng(4))
    lengths = (compression.compress(y) ** 2).sum(axis=1)
    np.testing.assert_allclose(lengths, (y**2).sum(axis=1), rtol=1e-12)


def test_groups_of_few_kinds_are_compressed_only_where_that_saves() -> None:
    assert DesignForms.of(between_design(2, 100, 5)).kinds is not None
    assert DesignForms.of(between_design(2, 3, 5)).kinds is None
    varied = made("between", ("x",), np.random.default_rng(1), groups=60)
    assert DesignForms.of(varied).kinds is None  # each group has rows of its own


# ---- the same distribution -----------------------------------------------------------------------


def scenario(design: Design, dgp: str) -> Scenario:
    background = replace(Background.plain(design), sd_slope=np.array([0.0, 0.0, 0.2]))
    effects = np.array([0.0, 0.3, 0.0])
    return Scenario(dgp, design, background, effects, 0.3, PROCESSES[dgp], dgp, 3)


CONTINUOUS = [name for name, process in PROCESSES.items() if process.concerns_outcome(None)]


@pytest.mark.parametrize("dgp", CONTINUOUS)
@pytest.mark.parametrize("kind", ["between", "within"])
def test_means_and_covariances_of_rows_are_those_of_individuals(kind: str, dgp: str) -> None:
    """Drawn as such and as individuals that are compressed: moments within 5 standard errors."""
    design = made(kind, ("s",), np.random.default_rng(8), groups=6, largest=6)
    each, n = scenario(design, dgp), 20_000
    drawn_as = {}
    for individuals in (0, 500):
        parts = [
            part.y[GROUPS]
            for block in range(n // 500)
            for part in outcomes(each, block, individuals=individuals, groups=500)
        ]
        drawn_as[individuals] = np.concatenate(parts)
    fewer, whole = drawn_as[0], drawn_as[500]
    spread = np.sqrt(fewer.var(axis=0) / n)
    assert (np.abs(fewer.mean(axis=0) - whole.mean(axis=0)) < 7 * spread).all()
    squares = [each - each.mean(axis=0) for each in (fewer, whole)]
    products = [np.einsum("ri,rj->rij", each, each) for each in squares]
    error = np.sqrt(sum(each.var(axis=0) for each in products) / n)
    assert (np.abs(products[0].mean(axis=0) - products[1].mean(axis=0)) < 7 * error + 1e-12).all()


@pytest.mark.parametrize("dgp", ["normal", "unequal_variance", "varying_effects", "skewed_groups"])
def test_rates_are_those_of_individuals(dgp: str) -> None:
    """Type I errors and power of every method that needs no more, from kinds and from individuals."""
    design = between_design(3, 12, 3)
    each, n = scenario(design, dgp), 4000
    names = [
        name for name in concerning(design, all_methods()) if method_of(name).needs(design) == KINDS
    ]
    names.remove("mixed_bootstrap")
    rates = []
    for individuals in (0, 500):
        rejected = []
        for block in range(n // 500):
            for part in outcomes(each, block + individuals, individuals=individuals):
                found = answer(each.forms.design[KINDS], part.y[KINDS], names)
                rejected.append([found[name].inference.p_value < 0.05 for name in names])
        rates.append(np.concatenate(rejected, axis=1).mean(axis=1))
    fewer, whole = rates
    pooled = (fewer + whole) / 2
    error = np.sqrt(2 * pooled * (1 - pooled) / n)
    assert (np.abs(fewer - whole) <= stats.norm.isf(1e-7) * error).all()
