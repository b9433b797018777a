"""Every method answers, or says why not, over designs that strain it, when outcomes are events.

Designs are small ones of every kind; outcomes are drawn, and empty, full or separated ones besides. A
method may have no number, but never an exception, an infinite estimate, or a silent NaN.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from event_designs import events_table

from groupwise.catalogue.methods import costs
from groupwise.data.ingest import ingest
from groupwise.data.validate import Roles
from groupwise.design import make_design
from groupwise.methods import fit_tables, methods_in, specifications
from groupwise.response import SCALES_OF, Response
from groupwise.sample import Resampling, Sample

FEW = Resampling(wild_draws=99, bootstrap_draws=19, randomization_draws=99, max_assignments=100)
RESPONSES = [
    Response(family, scale)
    for family, scales in SCALES_OF.items()
    if family != "continuous"
    for scale in scales
]


@dataclass(frozen=True)
class Strain:
    """An experiment: arguments of `experiments.draw`, and what becomes of its outcomes.

    Attributes
    ----------
    kind, arms, groups, sizes, covariates
    outcome : `drawn`; `rare`; `empty_arm`; `full_arm`; `none`; `all`; `separated` by the covariate v
    periods : whether rows of a group have periods, in which it takes up the last arm
    """

    kind: str = "between"
    arms: int = 2
    groups: int = 8
    sizes: int | tuple[int, ...] = 5
    covariates: tuple[str, ...] = ()
    outcome: str = "drawn"
    periods: bool = False


STRAINS = {
    "tiny": Strain(groups=4, sizes=2),
    "three_arms": Strain(arms=3, groups=9, sizes=(2, 9, 5, 1, 6, 4, 7, 3, 5)),
    "singletons": Strain(groups=12, sizes=1),
    "blocked": Strain(kind="blocked", groups=8),
    "within": Strain(kind="within", arms=3, groups=6, sizes=6),
    "pairs": Strain(kind="within", groups=10, sizes=2),
    "some_within": Strain(kind="mixed", groups=9, sizes=6),
    "covariates": Strain(covariates=("v", "w", "c"), groups=10, sizes=8),
    "covariates_within": Strain(kind="within", covariates=("v", "w"), groups=6, sizes=8),
    "wedge": Strain(groups=6, sizes=8, periods=True),
    "rare": Strain(groups=8, sizes=12, outcome="rare"),
    "empty_arm": Strain(groups=8, outcome="empty_arm"),
    "empty_arm_within": Strain(kind="within", arms=3, sizes=6, outcome="empty_arm"),
    "full_arm": Strain(groups=8, outcome="full_arm"),
    "none": Strain(groups=8, outcome="none"),
    "none_within": Strain(kind="within", outcome="none"),
    "all": Strain(kind="blocked", groups=8, outcome="all"),
    "separated": Strain(covariates=("v",), outcome="separated"),
    "separated_within": Strain(kind="within", covariates=("v",), outcome="separated"),
}


def table_of(strain: Strain, response: Response) -> pd.DataFrame:
    """The raw table of an experiment."""
    table = events_table(
        strain.kind,
        response,
        arms=strain.arms,
        groups=strain.groups,
        sizes=strain.sizes,
        covariates=strain.covariates,
        seed=7,
    )
    last = table["arm"] == table["arm"].max()
    if strain.periods:
        table["t"] = table.groupby("g").cumcount() % 4
        table["arm"] = np.where(table["t"] > table["g"] % 3, "B", "A")
    changed = {
        "drawn": table["y"],
        "rare": (table.index % 31 == 0).astype(float),
        "empty_arm": table["y"].where(~last, 0.0),
        "full_arm": table["y"].where(~last, 1.0),
        "none": table["y"],
        "all": table["y"],
    }
    if strain.outcome == "separated":
        return table.assign(y=(table["v"] > 0).astype(float))
    table = table.assign(y=changed[strain.outcome])
    if response.family == "count":
        table["exposure"] = 0.5 + (table.index % 5) / 2
    return table


def sample_of(strain: Strain, response: Response) -> Sample:
    """The path of the pipeline to a sample."""
    table = table_of(strain, response)
    roles = Roles(
        "y",
        "arm",
        "g",
        block="b" if "b" in table else None,
        covariates=strain.covariates,
        period="t" if strain.periods else None,
        exposure="exposure" if "exposure" in table else None,
    )
    data = ingest(table, roles, outcome_kind=response.family, effect_as=response.scale).table
    design = make_design(data, roles, response=response, rank_deficient="drop")
    y = data["y"].to_numpy(dtype=float)
    if strain.outcome in ("none", "all"):  # an analysis refuses them, but simulations draw them
        y = np.full(len(y), float(strain.outcome == "all"))
    period = "t" if strain.periods else None
    return Sample(design, y, "test", "g", roles.block, period_name=period, resampling=FEW)


def is_finite_or_nan(values: pd.DataFrame) -> bool:
    """Whether no number is infinite."""
    return not np.isinf(values.to_numpy(dtype=float)).any()


CASES = [
    (name, response)
    for i, name in enumerate(STRAINS)
    for j, response in enumerate(RESPONSES)
    if (i + j) % 5 == 0 or name == "empty_arm"
]
"""Every design with one of the responses: all of them together take minutes."""


@pytest.mark.parametrize("specification", specifications())
@pytest.mark.parametrize(("name", "response"), CASES, ids=str)
def test_every_row_has_a_number_or_a_reason(
    name: str, response: Response, specification: str
) -> None:
    sample = sample_of(STRAINS[name], response)
    tables = fit_tables(specification, sample)
    estimates, means = tables["estimates"], tables["marginal_means"]
    listed = [
        method
        for method, procedure in methods_in(specification).items()
        if procedure.is_listed(sample.design)
    ]
    assert set(estimates["method"]) == set(listed) <= set(costs())
    assert is_finite_or_nan(estimates[["estimate", "std_error", "statistic", "p_value"]])
    assert is_finite_or_nan(means[["estimate", "std_error"]])
    silent = estimates["estimate"].isna() & (estimates["message"] == "")
    assert not silent.any(), estimates.loc[silent, ["method", "contrast"]]
    untested = estimates["p_value"].isna() & (estimates["message"] == "")
    assert not untested.any(), estimates.loc[untested, ["method", "contrast"]]
    p = estimates["p_value"].dropna()
    assert p.between(0, 1).all()
    if response.is_ratio:
        assert (estimates["estimate"].dropna() > 0).all()
    ends = estimates[["conf_low", "estimate", "conf_high"]].dropna()
    assert (ends["conf_low"] <= ends["estimate"] * (1 + 1e-9) + 1e-9).all()
    assert (ends["conf_high"] >= ends["estimate"] * (1 - 1e-9) - 1e-9).all()
