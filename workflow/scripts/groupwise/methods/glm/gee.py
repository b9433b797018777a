"""Generalised estimating equations for events, with corrections for few groups."""

from __future__ import annotations

from collections.abc import Mapping

from groupwise.methods import Procedure

METHODS: Mapping[str, Procedure] = {}
