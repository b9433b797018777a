"""From a raw table to what a design's models are fitted to, and what was understood on the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from groupwise.data.ingest import ingest, missing_by_arm
from groupwise.data.validate import Roles
from groupwise.design import describe, make_design


@dataclass(frozen=True)
class Intake:
    """One dataset, read.

    Attributes
    ----------
    table : the analysis table, see `data.ingest.Ingested`
    missing : rows and missing values by role, arm and group
    understood : the design and the settings it was read with, as in design.json
    """

    table: pd.DataFrame
    missing: pd.DataFrame
    understood: dict[str, Any]


def take_in(
    raw: pd.DataFrame,
    roles: Roles,
    *,
    conf_level: float,
    reading: Mapping[str, Any],
    modelling: Mapping[str, Any],
) -> Intake:
    """Check and type a raw table, and describe its design.

    Parameters
    ----------
    reading, modelling : settings of `data.ingest.ingest` and of `design.make_design`

    Raises
    ------
    InputError
        For every mistake in the data or the settings.
    """
    ingested = ingest(raw, roles, **reading)
    design = make_design(ingested.table, roles, **modelling)
    found = describe(design)
    understood = {
        "roles": _listed_roles(roles),
        "conf_level": conf_level,
        "reference": design.arm_labels[0],
        "n_read": ingested.n_read,
        "where": reading.get("where") or {},
        "recode": _listed(reading.get("recode") or {}),
        "outcome": dict(ingested.outcome),
        "dropped": dict(ingested.dropped),
        "missing": missing_by_arm(ingested.missing),
        "rank_deficient": modelling["rank_deficient"],
        "warnings": [*found["warnings"], *ingested.warnings],
    }
    return Intake(ingested.table, ingested.missing, found | understood)


def _listed_roles(roles: Roles) -> dict[str, Any]:
    return {
        "block": roles.block,
        "second_group": roles.second_group,
        "covariates": list(roles.covariates),
        "outcome": roles.outcome,
        "treatment": roles.treatment,
        "group": roles.group,
    }


def _listed(recodes: Mapping[str, Mapping[Any, Any]]) -> dict[str, list[list[Any]]]:
    """Recodes as [old, new] pairs: JSON has no keys that are numbers."""
    return {column: [list(pair) for pair in pairs.items()] for column, pairs in recodes.items()}
