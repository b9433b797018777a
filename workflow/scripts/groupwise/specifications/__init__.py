"""Specifications: one module each, found by its file name, all with one function.

    fit(data: Sample) -> SpecificationFit

A method that does not apply to a design has its rows all the same: NaN, and why.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from groupwise import tidy
from groupwise.catalogue.tables import MODEL_TABLES
from groupwise.data.sampling import sampled_rows
from groupwise.data.validate import Roles
from groupwise.design import Design, make_design
from groupwise.inference.multiplicity import adjusted


@dataclass(frozen=True)
class Resampling:
    """Effort of the methods that draw.

    Attributes
    ----------
    wild_draws : Webb weights, where there are too many sign vectors to go through
    bootstrap_draws : parametric bootstrap; 1,999 puts the quantiles of a 95% interval on draws
    randomization_draws : assignments, where there are too many to go through
    max_assignments : how many assignments are gone through at most
    """

    seed: int = 1
    wild_draws: int = 9_999
    bootstrap_draws: int = 1_999
    randomization_draws: int = 9_999
    max_assignments: int = 1_000_000


@dataclass(frozen=True)
class Sample:
    """A design and its outcome y, shape (n,), with the words the result tables need.

    `methods` are those that are asked; None is all of them.
    """

    design: Design
    y: np.ndarray
    dataset: str
    group_name: str
    block_name: str | None
    conf_level: float = 0.95
    second_name: str | None = None
    resampling: Resampling = Resampling()
    methods: tuple[str, ...] | None = None

    def asks(self, method: str) -> bool:
        """Is a method wanted? Those that take long are left out where they are not."""
        return self.methods is None or method in self.methods

    def who(self, specification: str, method: str) -> dict[str, str]:
        return {"dataset": self.dataset, "specification": specification, "method": method}

    def no_answers(self) -> tidy.Answers:
        """NaN for everything a method is asked about this design."""
        design = self.design
        return tidy.Answers.missing(
            len(design.L), len(design.L_means), len(design.terms), self.conf_level
        )


@dataclass(frozen=True)
class SpecificationFit:
    """The methods of a specification, and the tables only it can fill."""

    methods: list[tidy.MethodResult]
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)


def sample_of(
    table: pd.DataFrame,
    understood: Mapping[str, Any],
    resampling: Mapping[str, int] | None = None,
    methods: tuple[str, ...] | None = None,
) -> Sample:
    """What specifications are fitted to: an analysis table, and what design.json says of it.

    `resampling` has settings of `Resampling`.
    """
    roles = Roles.from_settings(understood["roles"])
    design = make_design(
        table,
        roles,
        blocks_as=understood["blocks_as"] or "fixed",
        random_slopes=understood["random_slopes"],
        rank_deficient=understood["rank_deficient"],
        assigned_with=understood.get("assigned_with"),
    )
    return Sample(
        design=design,
        y=table[roles.outcome].to_numpy(dtype=float),
        dataset=understood["dataset"],
        group_name=roles.group,
        block_name=roles.block,
        conf_level=understood["conf_level"],
        second_name=roles.second_group,
        resampling=Resampling(**(resampling or {})),
        methods=methods,
    )


def names() -> list[str]:
    """Every specification there is."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def fit_tables(specification: str, sample: Sample) -> dict[str, pd.DataFrame]:
    """Fit one specification; every table of the schema that models fill, empty where it has none."""
    module = importlib.import_module(f"{__name__}.{specification}")
    fit: SpecificationFit = module.fit(sample)
    design = sample.design
    methods = [each for each in fit.methods if sample.asks(each.method)]
    tables = tidy.method_tables(
        methods,
        dataset=sample.dataset,
        contrasts=design.contrast_labels,
        arms=design.arm_labels,
        n_obs=design.n_obs,
        n_groups=design.n_groups,
    )
    tables["adjusted"] = _adjusted(sample, methods)
    for name in MODEL_TABLES:
        if name not in tables:
            tables[name] = fit.tables.get(name, tidy.table(name, []))
    return tables


def _adjusted(sample: Sample, methods: list[tidy.MethodResult]) -> pd.DataFrame:
    """Pairwise p-values and intervals as they are, by Holm and by Tukey-Kramer."""
    labels = np.asarray(sample.design.contrast_labels, dtype=object)
    tables = []
    for each in methods:
        rows = adjusted(each.answers.contrasts, len(sample.design.arm_labels))
        rows["contrast"] = labels[rows["contrast"]]
        who = sample.who(each.specification, each.method) | {"conf_level": sample.conf_level}
        tables.append(tidy.table("adjusted", rows.assign(**who)))
    return tidy.concat("adjusted", tables)


def residual_table(
    sample: Sample, specification: str, method: str, fitted: np.ndarray, residual: np.ndarray
) -> pd.DataFrame:
    """Fitted values and residuals, one row per individual, or of very many a sample of them."""
    design = sample.design
    row = sampled_rows(design.n_obs)
    rows = sample.who(specification, method) | {
        "row": row,
        "group": np.asarray(design.group_labels, dtype=object)[design.group[row]],
        "arm": np.asarray(design.arm_labels, dtype=object)[design.arm[row]],
        "fitted": fitted[row],
        "residual": residual[row],
    }
    return tidy.table("residuals", rows)


def fit_statistics(
    sample: Sample, specification: str, method: str, **values: float
) -> pd.DataFrame:
    """Log-likelihood, residual sd and the like: one row per statistic."""
    rows = sample.who(specification, method)
    return tidy.table(
        "fit_statistics", rows | {"statistic": list(values), "value": list(values.values())}
    )
