"""Regression of events that takes individuals for independent, with sandwiches that do not."""

from __future__ import annotations

from collections.abc import Mapping

from groupwise.methods import Procedure

METHODS: Mapping[str, Procedure] = {}
