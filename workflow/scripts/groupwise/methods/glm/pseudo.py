"""Mixed models of events by restricted pseudo-likelihood."""

from __future__ import annotations

from collections.abc import Mapping

from groupwise.methods import Procedure

METHODS: Mapping[str, Procedure] = {}
