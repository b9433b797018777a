"""Groups as single observations on the scale of logarithms or log odds."""

from __future__ import annotations

from collections.abc import Mapping

from groupwise.methods import Procedure

METHODS: Mapping[str, Procedure] = {}
