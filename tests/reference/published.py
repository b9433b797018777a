"""Published simulation studies, repeated with the calibration engine.

A study is a function of the replicates and a seed; it gives rejection rates by row and column of its
entry in published.json. To run all of them as the entries say (two minutes), and to write our rates
into published.json and both sides into docs/calibration_literature.md:

    PYTHONPATH=workflow/scripts python tests/reference/published.py

With `--page` nothing is run, and the page is written from published.json as it is.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from groupwise.compression import DesignForms
from groupwise.data.validate import Roles
from groupwise.design import Design, make_design
from groupwise.inference.sandwich import make_contrasts, robust
from groupwise.methods import answer
from groupwise.models.clusters import Projected, cluster_design
from groupwise.response import CONTINUOUS, Response
from groupwise.rows import EVENTS
from groupwise.simulation.blocks import blocks
from groupwise.simulation.grid import between_design
from groupwise.simulation.options import Amount
from groupwise.simulation.processes import Process
from groupwise.simulation.scenarios import Background, Scenario, simulate
from groupwise.tidy import Inference

JSON = Path(__file__).parent / "published.json"
PAGE = Path(__file__).parents[2] / "docs" / "calibration_literature.md"
NORMAL = stats.norm.ppf(0.975)

Rates = dict[str, dict[str, float]]
"""Rejection rates by row and column."""


def load() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(JSON.read_text(encoding="utf-8"))
    return found


# ---- the engine ----------------------------------------------------------------------------------


def two_arms(sizes: np.ndarray, treated: np.ndarray, response: Response = CONTINUOUS) -> Design:
    """Groups of these sizes (G,), of which those `treated` (G,) are in the second arm."""
    group = np.repeat(np.arange(len(sizes)), sizes)
    return _design(group, treated[group], response)


def _design(group: np.ndarray, treated: np.ndarray, response: Response) -> Design:
    arm = pd.Categorical.from_codes(treated.astype(int), ["A", "B"])
    table = pd.DataFrame({"group": group, "arm": arm})
    return make_design(table, Roles("outcome", "arm", "group"), response=response)


def answers(
    design: Design, icc: float, replicates: int, seed: int, methods: tuple[str, ...], name: str = ""
) -> dict[str, Inference]:
    """What methods answer to normal outcomes without an effect; a failure is an error."""
    background = Background.plain(design)
    effects = np.zeros(len(design.arm_labels))
    made = Scenario(name, design, background, effects, icc, Process(), "normal", seed)
    parts = [
        simulate(made, block.number, block.sizes.fast) for block in blocks(Amount.of(replicates, 0))
    ]
    found = answer(design, np.concatenate(parts), methods)
    assert not any(each.failed.any() for each in found.values())
    return {method: each.inference for method, each in found.items()}


def rate(p_value: np.ndarray, level: float = 0.05) -> float:
    return float((p_value < level).mean())


# ---- studies -------------------------------------------------------------------------------------


def few_clusters(replicates: int, seed: int) -> Rates:
    """Cameron, Gelbach and Miller's column: their CR1 and CR3 have factors of their own."""
    rng = np.random.default_rng(seed)
    group, n, L = np.repeat(np.arange(5), 30), 150, np.array([[0.0, 1.0]])
    rejected = np.zeros(3)
    for _ in range(replicates):
        x, y = (rng.standard_normal(5)[group] + rng.standard_normal(n) for _ in range(2))
        X = np.column_stack([np.ones(n), x])
        clusters = cluster_design(X, group)
        outcome = Projected.of(clusters, y)
        cr0, cr3 = (robust(make_contrasts(clusters, L, kind), outcome) for kind in ("CR0", "CR3"))
        variance = (outcome.residual**2).sum() / (n - 2)
        iid = np.sqrt(variance * np.linalg.inv(X.T @ X)[1, 1])
        errors = [iid, cr0.std_error[0] * np.sqrt(5 / 4), cr3.std_error[0] * np.sqrt(4 / 5)]
        rejected += abs(cr0.estimate[0]) > NORMAL * np.array(errors)
    found = zip(("iid", "cluster_robust", "cr3"), rejected / replicates, strict=True)
    return {row: dict.fromkeys(("article", "replication"), float(p)) for row, p in found}


def cluster_robust(replicates: int, seed: int) -> Rates:
    """DeclareDesign's figure; classical errors are their HC2 where arms have one size only."""
    found = {}
    for size in (3, 30):
        for groups in (*range(4, 11), 20, 30):
            treated = np.arange(groups) >= groups // 2
            design = two_arms(np.full(groups, size), treated)
            methods = ("ols_classical", "ols_cr1", "ols_cr2")[groups % 2 :]
            name = f"{groups} groups of {size}"
            tests = answers(design, 0.5, replicates, seed, methods, name)
            found[name] = {method: rate(each.p_value) for method, each in tests.items()}
    return found


def kenward_roger(replicates: int, seed: int) -> Rates:
    """Højsgaard's table: F tests, and chi-squared tests that take the variance as known."""
    methods = ("ols_classical", "group_means", "mixed_profile", "mixed_kenward_roger")
    found = answers(between_design(2, 3, 3), 0.9, replicates, seed, methods)
    pooled, means = found["ols_classical"], found["group_means"]
    p_values = {
        "pooled_f": pooled.p_value,
        "pooled_chi2": 2 * stats.norm.sf(np.abs(pooled.estimate / pooled.std_error)),
        "means_f": means.p_value,
        "means_chi2": 2 * stats.norm.sf(np.abs(means.estimate / means.std_error)),
        "lrt": found["mixed_profile"].p_value,
        "kenward_roger": found["mixed_kenward_roger"].p_value,
    }
    levels = {".01": 0.01, ".05": 0.05, ".10": 0.10}
    return {
        row: {column: rate(p, level) for column, level in levels.items()}
        for row, p in p_values.items()
    }


def unequal_groups(replicates: int, seed: int) -> Rates:
    """Vanhove's scenarios 3 and 4: so many replicates of each of 126 ways to part 10 groups."""
    sizes, methods = 2 ** np.arange(1, 11), ("group_means", "mixed_satterthwaite")
    parts = [chosen for chosen in combinations(range(10), 5) if 9 in chosen]
    found = {}
    for icc, label in ((0.17, "ICC .17"), (0.03, "ICC .03")):
        total = dict.fromkeys(methods, 0.0)
        for chosen in parts:
            design = two_arms(sizes, np.isin(np.arange(10), chosen))
            for method, each in answers(
                design, icc, replicates, seed, methods, f"{label}, {chosen}"
            ).items():
                total[method] += rate(each.p_value) / len(parts)
        for method, p in total.items():
            found[f"{label}, {method}"] = dict.fromkeys(("rho = .3", "rho = .7"), p)
    return found


CASES = {
    "10 clusters of 50, ICC .1": (5, 50, 0.1),
    "6 clusters of 50, ICC .2": (3, 50, 0.2),
    "10 clusters of 5, ICC .01": (5, 5, 0.01),
}


def small_sample_df(replicates: int, seed: int) -> Rates:
    """Settings of the kind that Nugent and Kleinman's abstract speaks of."""
    methods = ("mixed_profile", "mixed_satterthwaite", "mixed_kenward_roger", "mixed_wald")
    found = {}
    for case, (groups, size, icc) in CASES.items():
        design = between_design(2, groups, size)
        tests = answers(design, icc, replicates, seed, methods, case)
        found[case] = {method: rate(tests[method].p_value) for method in methods}
    return found


def clustered_counts(replicates: int, seed: int) -> Rates:
    """Gao and colleagues' table 2, arms in one ratio in every cluster: their four models are one."""
    rng = np.random.default_rng(seed)
    sizes = {"6": np.full(30, 6), "6 to 42": 6 * (1 + np.arange(30) % 7)}
    rates = {}
    for label, treated in (("3:3", 3), ("1:5", 1)):
        for size, n in sizes.items():
            group = np.repeat(np.arange(30), n)
            arm = np.concatenate([np.arange(m) % 6 < treated for m in n])
            design = DesignForms.of(_design(group, arm, Response("count", "ratio"))).design[EVENTS]
            for variance in (0, 0.5, 1, 2):
                effect = np.sqrt(variance) * rng.standard_normal((replicates, 30))
                assert design.rows.trials is not None
                y = rng.poisson(design.rows.trials * np.exp(effect[:, design.group]))
                tests = answer(design, y.astype(float), ("glm_wald", "glm_dummies"))
                row = f"{label}, clusters of {size}, variance {variance}"
                rates[row] = {name: _rate(each.inference.p_value) for name, each in tests.items()}
    return rates


EVENT_CASES = {
    "8 clusters of 30, risk .3, ICC .05": (8, 30, 0.0, 0.3, 0.05),
    "10 clusters of 20, risk .2, ICC .05": (10, 20, 0.0, 0.2, 0.05),
    "10 clusters of 20 on average, sizes vary (CV .8), risk .2, ICC .05": (10, 20, 0.8, 0.2, 0.05),
    "20 clusters of 20, risk .1, ICC .02": (20, 20, 0.0, 0.1, 0.02),
    "30 clusters of 20, risk .3, ICC .1": (30, 20, 0.0, 0.3, 0.1),
}
"""Clusters, their mean size, its coefficient of variation, the risk, and the ICC of the outcome."""

EVENT_METHODS = (
    "glm_wald",
    "group_logs",
    "glmm_likelihood",
    "glmm_groups",
    "glmm_satterthwaite",
    "glmm_kenward_roger",
    "gee_kauermann_carroll",
    "gee_fay_graubard",
    "gee_mancl_derouen",
)


def few_clusters_binary(replicates: int, seed: int) -> Rates:
    """Designs within the ranges of Thompson and colleagues, and of Li and Redden: beta-binomial."""
    rng = np.random.default_rng(seed)
    rates = {}
    for case, (groups, size, cv, risk, icc) in EVENT_CASES.items():
        treated = np.arange(groups) % 2 == 1
        # The same sizes in both arms: quantiles of a log-normal distribution.
        spread = np.sqrt(np.log1p(cv**2))
        level = (np.arange(groups // 2) + 0.5) / (groups // 2)
        relative = np.exp(spread * stats.norm.ppf(level))
        sizes = np.repeat(np.maximum(np.rint(size * relative / relative.mean()), 2), 2).astype(int)
        response = Response("binary", "odds_ratio")
        design = DesignForms.of(two_arms(sizes, treated, response)).design[EVENTS]
        share = (1 - icc) / icc
        risks = rng.beta(risk * share, (1 - risk) * share, (replicates, groups))
        assert design.rows.trials is not None
        events = rng.binomial(design.rows.trials.astype(int), risks[:, design.group])
        tests = answer(design, events.astype(float), EVENT_METHODS)
        rates[case] = {name: _rate(each.inference.p_value) for name, each in tests.items()}
        normal = tests["gee_kauermann_carroll"].inference.statistic
        rates[case]["gee_kauermann_carroll, z"] = _rate(2 * stats.norm.sf(np.abs(normal)))
    return rates


def _rate(p_value: np.ndarray) -> float:
    """Rejections at .05 among outcomes with an answer."""
    p_value = p_value[np.isfinite(p_value)]
    return float((p_value < 0.05).mean())


STUDIES = {
    each.__name__: each
    for each in (
        *(few_clusters, cluster_robust, kenward_roger, unequal_groups, small_sample_df),
        *(clustered_counts, few_clusters_binary),
    )
}


# ---- theirs beside ours --------------------------------------------------------------------------


def difference(study: dict[str, Any], cell: dict[str, float]) -> float:
    """Published less ours, in Monte Carlo standard errors of both, at our rate."""
    p = cell["groupwise"]
    share = 1 / study["published_replicates"] + 1 / study["groupwise_replicates"]
    return float((cell["published"] - p) / np.sqrt(p * (1 - p) * share))


def cells(study: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, float]]]:
    for row, columns in study["rates"].items():
        for column, cell in columns.items():
            yield row, column, cell


def percent(p: float) -> str:
    return f"{100 * p:.1f}"


def cell_text(study: dict[str, Any], cell: dict[str, float] | None) -> str:
    if cell is None:
        return ""
    if "published" not in cell:
        return percent(cell["groupwise"])
    z = round(difference(study, cell), 1) + 0.0  # no -0.0
    shown = (percent(cell["published"]), percent(cell["groupwise"]), z)
    return "{} / {} ({:+.1f})".format(*shown).replace("-", "−")


def section(study: dict[str, Any]) -> str:
    columns = list(dict.fromkeys(column for _, column, _ in cells(study)))
    methods = study.get("methods", {})
    head = ["", *columns]
    rows = [
        [methods.get(row, row), *(cell_text(study, found.get(column)) for column in columns)]
        for row, found in study["rates"].items()
    ]
    lines = [head, ["---"] * len(head), *rows]
    table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    ours = f"{study['groupwise_replicates']:,} here, by `{study['groupwise_made_by']}`"
    theirs = (
        f"{study['published_replicates']:,} published; " if "published_replicates" in study else ""
    )
    parts = [
        f"## {study['title']}",
        f"{study['source']}.",
        f"**Design.** {study['design'][0].upper()}{study['design'][1:]}.",
        f"**Replicates.** {theirs}{ours}. {errors(study)}",
        table,
        *([study["note"]] if "note" in study else []),
        f"Read from {study['read_from']}.",
    ]
    return "\n\n".join(parts)


def errors(study: dict[str, Any]) -> str:
    """Monte Carlo errors at a rate of 5%."""
    names = {"published": "published_replicates", "here": "groupwise_replicates"}
    known = {who: study[key] for who, key in names.items() if key in study}
    said = [f"{100 * np.sqrt(0.05 * 0.95 / n):.2f} {who}" for who, n in known.items()]
    return f"Monte Carlo error of a rate of 5%: {', '.join(said)} (percentage points)."


OPENING = """# The calibration engine and the literature

Written by tests/reference/published.py from tests/reference/published.json; tests hold this page,
that file and new runs together.

Simulation studies of others, repeated with the code that calibrates the methods of this project.
Rejection rates of true null hypotheses, in per cent: **published / ours**, and in brackets their
difference in Monte Carlo standard errors of both. Tests are two-sided. Every entry says where its
numbers were read. What theory says exactly is held against the engine in
tests/identities/test_calibration_theory.py."""


def page(published: dict[str, Any]) -> str:
    return "\n\n".join([OPENING, *map(section, published.values())]) + "\n"


def write_page() -> None:
    PAGE.write_text(page(load()), encoding="utf-8")


def rewrite() -> None:
    """Run every study as its entry says, and write the rates."""
    published = load()
    for name, study in published.items():
        replicates = study["groupwise_replicates"] // (126 if name == "unequal_groups" else 1)
        found = STUDIES[name](replicates, seed=1)
        for row, column, cell in cells(study):
            cell["groupwise"] = round(found[row][column], 4)
    JSON.write_text(json.dumps(published, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    if "--page" not in sys.argv[1:]:
        rewrite()
    write_page()
