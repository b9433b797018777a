"""Archived files beside those of the new run: what is equal, what is close, and which value is not."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

NUMBERS = (".csv", ".parquet")
SHOWN = 5  # differences of one file that are written out
KEYS = 5  # columns that name a row
LONG = 60  # letters of a text that names none


@dataclass(frozen=True)
class Tolerances:
    """rtol and atol by column, those of every other column, and JSON keys about the machine."""

    default: tuple[float, float]
    columns: Mapping[str, tuple[float, float]]
    machine: frozenset[str]

    @classmethod
    def from_mapping(cls, content: Mapping[str, Any]) -> Tolerances:
        """The content of tolerances.yaml."""

        def pair(each: Mapping[str, float]) -> tuple[float, float]:
            return float(each["rtol"]), float(each["atol"])

        columns = {name: pair(each) for name, each in content.get("columns", {}).items()}
        return cls(pair(content["default"]), columns, frozenset(content.get("machine", ())))

    def of(self, column: str) -> tuple[float, float]:
        """(rtol, atol) of a column."""
        return self.columns.get(column, self.default)

    def close(self, column: str, new: np.ndarray, old: np.ndarray) -> np.ndarray:
        """Which numbers are close, NaN to NaN and infinity to infinity."""
        rtol, atol = self.of(column)
        return np.isclose(new, old, rtol=rtol, atol=atol, equal_nan=True)


@dataclass(frozen=True)
class Comparison:
    """One file: `outcome` is equal, close, different, missing or not compared."""

    file: str
    outcome: str
    details: tuple[str, ...] = ()

    @property
    def failed(self) -> bool:
        """Whether the archive's claim does not hold for this file."""
        return self.outcome in ("different", "missing")


def compare_file(
    name: str, archived: Path, made: Path, tolerances: Tolerances, *, elsewhere: str
) -> Comparison:
    """One archived file with the one made now.

    Parameters
    ----------
    elsewhere
        Why bytes cannot be expected to agree here; empty where the platform is the same.
    """
    if not made.is_file():
        return Comparison(name, "missing", (f"{name}: the new run did not make it",))
    if archived.read_bytes() == made.read_bytes():
        return Comparison(name, "equal")
    if made.suffix in NUMBERS:
        differences = list(_table_differences(name, _read(archived), _read(made), tolerances))
    elif made.suffix == ".json":
        differences = list(_json_differences(name, archived, made, tolerances, bool(elsewhere)))
    elif elsewhere:
        return Comparison(name, "not compared", (elsewhere,))
    else:
        differences = [f"{name}: its bytes differ"]
    if not differences:
        return Comparison(name, "close")
    more = (
        [f"{name}: {len(differences) - SHOWN} more differences"] if len(differences) > SHOWN else []
    )
    return Comparison(name, "different", (*differences[:SHOWN], *more))


def _read(path: Path) -> pd.DataFrame:
    """A table; the fields of a CSV as they are written."""
    if path.suffix == ".parquet":
        return pd.read_parquet(path)
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def _table_differences(
    name: str, old: pd.DataFrame, new: pd.DataFrame, tolerances: Tolerances
) -> Iterator[str]:
    if list(old.columns) != list(new.columns):
        odd = sorted(set(map(str, old.columns)) ^ set(map(str, new.columns)))
        yield f"{name}: its columns differ ({', '.join(odd) or 'in their order'})"
    elif len(old) != len(new):
        yield f"{name}: archived with {len(old)} rows, made with {len(new)} now"
    else:
        wrong = {str(c): ~_agrees(str(c), old[c], new[c], tolerances) for c in old.columns}
        for i in np.flatnonzero(np.any(list(wrong.values()), axis=0)).tolist() if len(old) else ():
            for column in (column for column, rows in wrong.items() if rows[i]):
                was, now = old[column].iloc[i], new[column].iloc[i]
                yield f"{name}: row {i + 1}{_row(old, i)}, column {column}: archived {was}, now {now}"


def _agrees(column: str, old: pd.Series, new: pd.Series, tolerances: Tolerances) -> np.ndarray:
    """Which rows agree: as texts, or else as numbers within tolerance."""
    nothing = old.isna() & new.isna()
    same = (nothing | (old.astype(str) == new.astype(str))).to_numpy(dtype=bool)
    a, b = (pd.to_numeric(each.astype(object), errors="coerce") for each in (old, new))
    numbers = (a.notna() & b.notna()).to_numpy(dtype=bool)
    whole = _are_whole(old) and _are_whole(new)
    if whole or not numbers.any():
        return same
    x, y = b.to_numpy(dtype=float), a.to_numpy(dtype=float)
    return same | (numbers & tolerances.close(column, x, y))


def _are_whole(values: pd.Series) -> bool:
    """Counts and identifiers: whole numbers as they are written."""
    texts = values.astype(str)
    return bool(texts.str.fullmatch(r"-?\d+").all())


def _row(table: pd.DataFrame, i: int) -> str:
    """What names a row: its first columns of text that are not the same in every row."""
    keys = []
    for column in table.columns:
        values = table[column].astype(str)
        if (
            not (values == values.iloc[0]).all()
            and pd.to_numeric(values, errors="coerce").isna().all()
        ):
            keys.append((str(column), values.iloc[i]))
    named = [f"{column} {value}" for column, value in keys if 0 < len(value) < LONG][:KEYS]
    return f" ({', '.join(named)})" if named else ""


def _json_differences(
    name: str, old: Path, new: Path, tolerances: Tolerances, elsewhere: bool
) -> Iterator[str]:
    was, now = (json.loads(path.read_text(encoding="utf-8")) for path in (old, new))
    ignored = tolerances.machine if elsewhere else frozenset()
    for path, a, b in _leaves(was, now, ()):
        if ignored.intersection(path) or _same_value(path, a, b, tolerances):
            continue
        yield f"{name}: {'.'.join(path)}: archived {a}, now {b}"


def _same_value(path: Sequence[str], a: Any, b: Any, tolerances: Tolerances) -> bool:
    if isinstance(a, float) and isinstance(b, float | int) and not isinstance(b, bool):
        return bool(tolerances.close(path[-1] if path else "", np.array(b), np.array(a)))
    return bool(a == b)


def _leaves(a: Any, b: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any, Any]]:
    """(path, archived, now) wherever two JSON values differ or are no containers."""
    if isinstance(a, dict) and isinstance(b, dict) and list(a) == list(b):
        for key in a:
            yield from _leaves(a[key], b[key], (*path, str(key)))
    elif isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        for i, (one, other) in enumerate(zip(a, b, strict=True)):
            yield from _leaves(one, other, (*path, str(i)))
    else:
        yield path, a, b
