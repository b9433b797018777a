"""Experiments that no committed file knows, analysed here and in R, where R is."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from experiments import draw, fit_all, roles_of, sample_of
from numpy.testing import assert_allclose

from groupwise.data.validate import Roles
from groupwise.sample import Sample

SCRIPT = Path(__file__).parent / "live.R"
RAGGED = [3, 9, 4, 12, 5, 7, 2, 8, 6, 10, 4, 5]
COMPARED = (
    *("ols_classical", "ols_cr1", "ols_cr2", "ols_cr3"),
    *("mixed_wald", "mixed_satterthwaite", "mixed_kenward_roger"),
)
SATTERTHWAITE = 2e-4
"""lmerTest differentiates numerically."""

LME4 = 5e-5
"""lme4's optimiser stops that far from the optimum with several variances; see inference.R."""


def _plain(**options: object) -> pd.DataFrame:
    return draw(groups=12, sizes=RAGGED, **options)  # type: ignore[arg-type]


def _blocked() -> pd.DataFrame:
    return draw("blocked", groups=12, sizes=RAGGED, covariates=["x"], sd_group=1.5, seed=5)


def _in_blocks() -> pd.DataFrame:
    """Six blocks of three groups, one an arm, that differ."""
    table = draw(groups=18, sizes=[4, 6, 3] * 6, seed=8)
    block = (table["g"] - 1) // 3
    effect = np.random.default_rng(8).normal(scale=2, size=6)
    return table.assign(b=block.map("block {}".format), y=table["y"] + effect[block])


def _crossed() -> pd.DataFrame:
    table = draw(groups=12, sizes=10, seed=9)
    rater = np.arange(len(table)) % 5
    effect = np.random.default_rng(9).normal(scale=1.5, size=5)
    return table.assign(s=[f"rater {i}" for i in rater], y=table["y"] + effect[rater])


def _slopes() -> pd.DataFrame:
    table = draw("within", groups=12, sizes=15, seed=11)
    arm = table["arm"].map({"A": 0, "B": 1, "C": 2}).to_numpy()
    effect = np.random.default_rng(11).normal(scale=1.5, size=(12, 3))
    return table.assign(y=table["y"] + effect[table["g"] - 1, arm])


Case = tuple[Callable[[], pd.DataFrame], Callable[[pd.DataFrame], Sample], str, str]
CASES: dict[str, Case] = {
    "unbalanced": (lambda: _plain(seed=1), sample_of, "y ~ arm", "(1 | g)"),
    "covariates": (
        lambda: _plain(covariates=["x", "w", "c"], seed=2),
        sample_of,
        "y ~ arm + x + w + c",
        "(1 | g)",
    ),
    "boundary": (lambda: _plain(sd_group=0, seed=4), sample_of, "y ~ arm", "(1 | g)"),
    "within": (
        lambda: draw("within", groups=9, sizes=[4, 7, 6] * 3, seed=6),
        sample_of,
        "y ~ arm",
        "(1 | g)",
    ),
    "blocked": (_blocked, sample_of, "y ~ arm + b + x", "(1 | g)"),
    "random blocks": (
        _in_blocks,
        lambda t: sample_of(t, blocks_as="random"),
        "y ~ arm",
        "(1 | b) + (1 | g)",
    ),
    "crossed": (
        _crossed,
        lambda t: sample_of(t, Roles("y", "arm", "g", second_group="s")),
        "y ~ arm",
        "(1 | g) + (1 | s)",
    ),
    "slopes": (_slopes, lambda t: sample_of(t, random_slopes=True), "y ~ arm", "(1 + arm | g)"),
}


def r_answers(table: pd.DataFrame, fixed: str, random: str, folder: Path) -> pd.DataFrame:
    table.to_csv(folder / "data.csv", index=False)
    done = subprocess.run(
        ["Rscript", str(SCRIPT), str(folder / "data.csv"), fixed, random],
        capture_output=True,
        text=True,
        check=False,
    )
    if "there is no package called" in done.stderr:
        pytest.skip(f"R lacks a package: {done.stderr.strip().splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    return pd.DataFrame(json.loads(done.stdout)).set_index(["method", "contrast"])


@pytest.mark.r
@pytest.mark.skipif(shutil.which("Rscript") is None, reason="Rscript was not found")
@pytest.mark.parametrize("case", CASES)
def test_r_says_the_same(case: str, tmp_path: Path) -> None:
    make, sample, fixed, random = CASES[case]
    table = make()
    assert set(roles_of(table).columns) <= set(table.columns)
    tables = fit_all(sample(table), ["pooled", "mixed"])
    found = tables["estimates"].set_index(["method", "contrast"])
    wanted = r_answers(table, fixed, random, tmp_path)
    for method in COMPARED:
        ours, theirs = found.loc[method], wanted.loc[method].astype(float)
        ours, df = ours.loc[theirs.index], theirs["df"].fillna(np.inf)
        exact = method.startswith("ols")
        slack = SATTERTHWAITE if method == "mixed_satterthwaite" else 1e-4
        scale = theirs["std_error"].max()
        close = {"err_msg": method}
        assert_allclose(
            ours["estimate"], theirs["estimate"], atol=(1e-9 if exact else 1e-5) * scale, **close
        )
        assert_allclose(
            ours["std_error"], theirs["std_error"], rtol=1e-9 if exact else LME4, **close
        )
        assert_allclose(ours["df"], df, rtol=1e-8 if exact else slack, **close)
        assert_allclose(ours["p_value"], theirs["p_value"], rtol=1e-3, atol=1e-9, **close)
    means = tables["marginal_means"]
    means = means[means["method"] == "mixed_kenward_roger"].set_index("arm")
    theirs = wanted.loc["mean"].astype(float).loc[means.index]
    for column, rtol in (("estimate", 1e-6), ("std_error", LME4), ("df", 1e-4)):
        assert_allclose(means[column], theirs[column], rtol=rtol, err_msg=column)
