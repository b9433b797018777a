"""A design with its one outcome, and the words that results tables need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from groupwise import tidy
from groupwise.data.sampling import sampled_rows
from groupwise.data.validate import Roles
from groupwise.design import Design, make_design
from groupwise.response import CONTINUOUS, Response


@dataclass(frozen=True)
class Resampling:
    """Effort of the methods that draw.

    Attributes
    ----------
    seed
        Of one outcome; the outcome number i of a batch has `seed` + i.
    wild_draws : Webb weights, where there are too many sign vectors to go through
    bootstrap_draws
        Parametric bootstrap; 1,999 puts quantiles of a 95% interval on draws, where they are counted.
    randomization_draws : assignments, where there are too many to go through
    max_assignments : how many assignments, or sign vectors, are gone through at most
    """

    seed: int = 1
    wild_draws: int = 9_999
    bootstrap_draws: int = 1_999
    randomization_draws: int = 9_999
    max_assignments: int = 1_000_000


@dataclass(frozen=True)
class Sample:
    """A design and its outcome y (n,), with the names of its columns.

    `methods` are those that are asked; None is all of them.
    """

    design: Design
    y: np.ndarray
    dataset: str
    group_name: str
    block_name: str | None
    conf_level: float = 0.95
    second_name: str | None = None
    period_name: str | None = None
    individual_name: str | None = None
    resampling: Resampling = Resampling()
    methods: tuple[str, ...] | None = None

    @property
    def response(self) -> Response:
        """What the outcome is, and the scale of its effects."""
        return self.design.response

    @property
    def values(self) -> np.ndarray:
        """(n,) the outcome as methods for means take it."""
        return self.design.measured(self.y)

    def asks(self, method: str) -> bool:
        """Is a method wanted? Those that take long are left out where they are not."""
        return self.methods is None or method in self.methods

    def level_name(self, grouping: str) -> str:
        """What tables call the levels of `group`, `block`, `second`, `cell` or `individual`."""
        if grouping == "cell":
            return f"{self.group_name} by {self.period_name}"
        return str(getattr(self, f"{grouping}_name"))

    def who(self, specification: str, method: str) -> dict[str, str]:
        """The columns that say whose a row is."""
        return {"dataset": self.dataset, "specification": specification, "method": method}


def sample_of(
    table: pd.DataFrame,
    understood: Mapping[str, Any],
    resampling: Mapping[str, int] | None = None,
    methods: tuple[str, ...] | None = None,
) -> Sample:
    """The sample in an analysis table, with what design.json says of it.

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
        assigned=understood.get("assigned"),
        response=Response(**understood.get("response", vars(CONTINUOUS))),
    )
    return Sample(
        design=design,
        y=table[roles.outcome].to_numpy(dtype=float),
        dataset=understood["dataset"],
        group_name=roles.group,
        block_name=roles.block,
        conf_level=understood["conf_level"],
        second_name=roles.second_group,
        period_name=roles.period,
        individual_name=roles.individual,
        resampling=Resampling(**(resampling or {})),
        methods=methods,
    )


def residual_table(
    sample: Sample, specification: str, method: str, fitted: np.ndarray, residual: np.ndarray
) -> pd.DataFrame:
    """Fitted values and residuals (n,), one row per individual, or of very many a sample of them."""
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
    sample: Sample, specification: str, method: str, values: Mapping[str, float]
) -> pd.DataFrame:
    """Log-likelihood, residual standard deviation and the like: one row per statistic."""
    rows = sample.who(specification, method)
    return tidy.table(
        "fit_statistics", rows | {"statistic": list(values), "value": list(values.values())}
    )
