"""The makers of tables: rows of results in the columns and types of the catalogue."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from groupwise.catalogue import tables as catalogue

if TYPE_CHECKING:
    import pandas as pd

FLOAT_FORMAT = "%.12g"
"""Twelve significant digits: more than any comparison needs, fewer than two platforms disagree in."""

TABLES = {name: table.columns for name, table in catalogue.TABLES.items()}
"""Columns and types of each table, in the order in which they are written."""


@dataclass(frozen=True)
class Inference:
    """Estimates with their reference distribution; arrays (k,), or (..., k) for many outcomes.

    `df` is the degrees of freedom of the t distribution; infinity stands for the normal. `gaps`
    marks intervals that are the hull of a set of values that are not rejected; `covers` is 1 where an
    interval holds a value that was asked about, 0 where not. Both are None where nothing was asked.
    """

    estimate: np.ndarray
    std_error: np.ndarray
    statistic: np.ndarray
    df: np.ndarray
    p_value: np.ndarray
    conf_low: np.ndarray
    conf_high: np.ndarray
    conf_level: float
    gaps: np.ndarray | None = None
    covers: np.ndarray | None = None

    @classmethod
    def missing(cls, k: int, conf_level: float) -> Inference:
        """k rows of NaN: the answer of a method that does not apply or has failed."""
        nothing = np.full(k, np.nan)
        return cls(nothing, nothing, nothing, nothing, nothing, nothing, nothing, conf_level)

    def each(self, change: Callable[[np.ndarray], np.ndarray]) -> Inference:
        """The same with every array changed."""
        arrays: dict[str, Any] = {
            name: None if value is None else change(value)
            for name, value in vars(self).items()
            if name != "conf_level"
        }
        return Inference(**arrays, conf_level=self.conf_level)

    def mask(self, keep: np.ndarray) -> Inference:
        """The same rows with NaN wherever `keep`, shape (k,) or (..., k), is false."""
        return self.each(
            lambda values: np.where(keep, values, False if values.dtype == bool else np.nan)
        )

    def rows(self, which: np.ndarray) -> Inference:
        """Some of the k rows, in another order."""
        return self.each(lambda values: values[..., which])

    def repeated(self, n: int) -> Inference:
        """Rows (k,) for n outcomes: (n, k)."""
        return self.each(lambda values: np.tile(values, (n, 1)))

    def outcome(self, i: int) -> Inference:
        """The rows (k,) of one outcome of a batch."""
        return self.each(lambda values: values[i])

    def columns(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in catalogue.INFERENCE}


@dataclass(frozen=True)
class JointTest:
    """Tests that several contrasts are all zero, arrays (...), one number for a single dataset.

    `df_den` infinite means chi-squared / df_num.
    """

    statistic: np.ndarray
    df_num: float
    df_den: np.ndarray
    p_value: np.ndarray

    @classmethod
    def missing(cls, n: int) -> JointTest:
        """NaN for n outcomes."""
        nothing = np.full(n, np.nan)
        return cls(nothing, np.nan, nothing, nothing)

    def outcome(self, i: int) -> JointTest:
        """The test of one outcome of a batch."""
        df_den = np.broadcast_to(self.df_den, np.shape(self.statistic))
        return JointTest(self.statistic[i], self.df_num, df_den[i], self.p_value[i])


NO_TEST = JointTest(np.array(np.nan), np.nan, np.array(np.nan), np.array(np.nan))


@dataclass(frozen=True)
class Answers:
    """What a method says of every contrast, arm mean and coefficient, and of all arms at once."""

    contrasts: Inference
    means: Inference
    coefficients: Inference
    omnibus: JointTest

    @classmethod
    def missing(cls, contrasts: int, means: int, coefficients: int, conf_level: float) -> Answers:
        """NaN for so many contrasts, arms and terms."""
        return cls(
            Inference.missing(contrasts, conf_level),
            Inference.missing(means, conf_level),
            Inference.missing(coefficients, conf_level),
            NO_TEST,
        )

    def outcome(self, i: int) -> Answers:
        """The answers for one outcome of a batch."""
        return Answers(
            contrasts=self.contrasts.outcome(i),
            means=self.means.outcome(i),
            coefficients=self.coefficients.outcome(i),
            omnibus=self.omnibus.outcome(i),
        )


@dataclass(frozen=True)
class MethodResult:
    """What one method says of one dataset: the rows it adds to every results table."""

    specification: str
    method: str
    answers: Answers
    terms: tuple[str, ...]
    estimand: str
    vcov_type: str
    df_method: str
    software: str
    converged: bool
    singular: bool = False
    message: str = ""
    scale: str = "difference"


def table(name: str, rows: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """A table of the schema: its columns, in its order, in its types; an unknown column is an error."""
    import pandas as pd  # here, so that a fit in memory starts without it

    schema = TABLES[name]
    frame = pd.DataFrame(rows, columns=None if len(rows) else list(schema))
    if set(frame.columns) != set(schema):
        odd = sorted(set(frame.columns) ^ set(schema))
        raise ValueError(f"table {name}: columns that do not match its schema: {', '.join(odd)}")
    return typed(frame, schema)


def typed(frame: pd.DataFrame, schema: Mapping[str, type]) -> pd.DataFrame:
    """The columns that a schema names, in its order and types.

    A cast of every column takes longer than finding those that need one.
    """
    from pandas.api.types import pandas_dtype

    frame = frame[list(schema)]
    wanted = {kind: pandas_dtype(kind) for kind in set(schema.values())}
    other = {
        name: schema[name] for name, dtype in frame.dtypes.items() if dtype != wanted[schema[name]]
    }
    return frame.astype(other) if other else frame


def concat(name: str, tables: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Tables of one schema, one under the other; empty ones do not change the types."""
    import pandas as pd

    filled = [each for each in tables if len(each)]
    if not filled:
        return table(name, [])
    return typed(pd.concat(filled, ignore_index=True), TABLES[name])


def method_tables(
    results: Sequence[MethodResult],
    *,
    dataset: str,
    contrasts: Sequence[str],
    arms: Sequence[str],
    n_obs: int,
    n_groups: int,
) -> dict[str, pd.DataFrame]:
    """The four tables every method fills: estimates, marginal_means, coefficients, omnibus."""
    rows: dict[str, list[pd.DataFrame]] = {
        name: [] for name in ("estimates", "marginal_means", "coefficients", "omnibus")
    }
    for each in results:
        who = {"dataset": dataset, "specification": each.specification, "method": each.method}
        fit = {"n_obs": n_obs, "n_groups": n_groups}
        fit |= {name: getattr(each, name) for name in catalogue.FIT if name not in fit}
        shared = who | fit | {"estimand": each.estimand, "scale": each.scale}
        estimates = shared | {"contrast": list(contrasts)} | each.answers.contrasts.columns()
        rows["estimates"].append(table("estimates", estimates))
        means = shared | {"arm": list(arms)} | each.answers.means.columns()
        rows["marginal_means"].append(table("marginal_means", means))
        terms = who | {"term": list(each.terms), "message": each.message}
        rows["coefficients"].append(
            table("coefficients", terms | each.answers.coefficients.columns())
        )
        joint = {name: float(value) for name, value in vars(each.answers.omnibus).items()}
        rows["omnibus"].append(table("omnibus", [who | joint | {"message": each.message}]))
    return {name: concat(name, parts) for name, parts in rows.items()}
