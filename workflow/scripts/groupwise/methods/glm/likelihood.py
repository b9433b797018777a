"""Mixed models of events by maximum likelihood, integrated by adaptive Gauss-Hermite quadrature."""

from __future__ import annotations

from collections.abc import Mapping

from groupwise.methods import Procedure

METHODS: Mapping[str, Procedure] = {}
