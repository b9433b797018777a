"""Holm and Tukey-Kramer give what emmeans gives, and the studentized range is R's.

R's `ptukey` uses few quadrature points: at 2 degrees of freedom it is off by 1e-4 (with two means,
where the answer is known from t), from 8 on by less than 1e-7. `qtukey` stops at 1e-4.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from groupwise.inference.multiplicity import adjust, range_isf, range_sf
from groupwise.tidy import Inference

HERE = Path(__file__).parent / "inference"
COLUMNS = ("estimate", "std_error", "statistic", "df", "p_value", "conf_low", "conf_high")


def families(content: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, list[Any]]]:
    """Every set of pairwise comparisons by emmeans in a file, with its place."""
    for key, value in content.items():
        if key == "pairs":
            yield path, value
        elif isinstance(value, dict):
            yield from families(value, f"{path}/{key}")


FAMILIES = [
    pytest.param(pairs, id=f"{file.stem}{path}")
    for file in sorted(HERE.glob("*.json"))
    for path, pairs in families(json.loads(file.read_text(encoding="utf-8")))
]


@pytest.mark.parametrize("pairs", FAMILIES)
def test_emmeans(pairs: list[dict[str, Any]]) -> None:
    values = {name: np.array([float(row[name]) for row in pairs]) for name in COLUMNS}
    n_arms = round((1 + np.sqrt(1 + 8 * len(pairs))) / 2)
    by = adjust(Inference(**values, conf_level=0.95), n_arms)
    names = ("p_holm", "p_tukey", "conf_low_tukey", "conf_high_tukey")
    expected = {name: np.array([float(row[name]) for row in pairs]) for name in names}
    np.testing.assert_allclose(by["holm"].p_value, expected["p_holm"], rtol=1e-12)
    # R's ptukey is good to 3e-7 with 5 degrees of freedom: scipy's integral agrees with ours to 1e-9.
    np.testing.assert_allclose(by["tukey"].p_value, expected["p_tukey"], atol=1e-6)
    for end in ("conf_low", "conf_high"):
        error = np.abs(getattr(by["tukey"], end) - expected[f"{end}_tukey"]) / values["std_error"]
        assert error.max() < 1e-4


def r_table(code: str) -> np.ndarray:
    done = subprocess.run(["Rscript", "-e", code], capture_output=True, text=True, check=True)
    return np.array([[float(x) for x in line.split()] for line in done.stdout.splitlines()])


GRID = "expand.grid(k = c(2, 3, 4, 6, 10), df = c(2, 3.5, 5, 8, 12.3, 30, 1000, Inf), "


@pytest.mark.r
@pytest.mark.skipif(shutil.which("Rscript") is None, reason="Rscript was not found")
def test_ptukey_and_qtukey_live() -> None:
    code = GRID + "q = c(.5, 1, 2, 3, 3.7, 4.5, 6, 10))"
    rows = r_table(f"""g <- {code}; p <- with(g, ptukey(q, k, df, lower.tail = FALSE))
        cat(sprintf("%.17g %.17g %.17g %.17g\\n", g$k, g$df, g$q, p), sep = "")""")
    for k in np.unique(rows[:, 0]):
        _, df, q, p = rows[rows[:, 0] == k].T
        error = np.abs(range_sf(q, int(k), df) - p)
        assert error.max() < 2e-4
        assert error[df >= 8].max() < 1e-7
    rows = r_table(f"""g <- {GRID} p = c(.1, .05, .01)); q <- with(g, qtukey(1 - p, k, df))
        cat(sprintf("%.17g %.17g %.17g %.17g\\n", g$k, g$df, g$p, q), sep = "")""")
    for k, p in np.unique(rows[:, [0, 2]], axis=0):
        _, df, _, q = rows[(rows[:, 0] == k) & (rows[:, 2] == p)].T
        np.testing.assert_allclose(range_isf(p, int(k), df)[df > 4], q[df > 4], rtol=1e-4)
