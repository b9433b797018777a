"""What a check of the data or of a model found."""

from __future__ import annotations

from typing import NamedTuple


class Check(NamedTuple):
    """A statistic with its p-value, either NaN; `ok`, `look`, `problem` or `unknown`; a sentence."""

    statistic: float
    p_value: float
    verdict: str
    message: str
