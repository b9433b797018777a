"""A parameter for each group of events, estimated or conditioned away."""

from __future__ import annotations

from collections.abc import Mapping

from groupwise.methods import Procedure

METHODS: Mapping[str, Procedure] = {}
