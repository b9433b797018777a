"""From a raw table to what a design's models are fitted to, and what was understood on the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from groupwise.data.characteristics import characteristics, flow
from groupwise.data.codes import Codes
from groupwise.data.ingest import chosen, ingest, missing_by_arm
from groupwise.data.looks import Looks, look
from groupwise.data.validate import Roles
from groupwise.design import check_assigned, describe, make_design


@dataclass(frozen=True)
class Intake:
    """One dataset, read.

    Attributes
    ----------
    table : the analysis table, see `data.ingest.Ingested`
    missing : rows and missing values by role, arm and group
    understood : the design and the settings it was read with, as in design.json
    looks : what was seen of all columns
    """

    table: pd.DataFrame
    missing: pd.DataFrame
    understood: dict[str, Any]
    looks: Looks


def take_in(
    raw: pd.DataFrame,
    roles: Roles,
    *,
    conf_level: float,
    reading: Mapping[str, Any],
    modelling: Mapping[str, Any],
    assigned: str | None = None,
    looks: Looks | None = None,
    everything: pd.DataFrame | None = None,
) -> Intake:
    """Check and type a raw table, and describe its design.

    Parameters
    ----------
    reading, modelling : settings of `data.ingest.ingest` and of `design.make_design`
    assigned
        What was assigned to arms: `individual`, `group`, `group_period`, `sequence`; None where
        nothing says so.
    looks : what was seen of all columns of the file; if None it is looked for
    everything : the raw table with all columns, if `raw` has only those in use

    Raises
    ------
    InputError
        For every mistake in the data or the settings.
    """
    ingested = ingest(raw, roles, **reading)
    whole = raw if everything is None else everything
    seen = _look(whole, roles, reading, assigned) if looks is None else looks
    roles = ingested.roles
    modelling = dict(modelling) | {"assigned_with": seen.assigned_with, "assigned": assigned}
    response = ingested.kind.response
    design = make_design(ingested.table, roles, response=response, **modelling)
    check_assigned(design, roles.period)
    described = describe(design)
    understood = {
        "roles": _listed_roles(roles),
        "conf_level": conf_level,
        "reference": design.arm_labels[0],
        "n_read": ingested.n_read,
        "row": seen.row,
        "n_individuals": _n_individuals(ingested.table, roles),
        "assigned": assigned,
        "assigned_with": seen.assigned_with,
        "where": reading.get("where") or {},
        "recode": _listed(reading.get("recode") or {}),
        "missing_codes": _listed_codes(reading.get("missing_codes") or ()),
        "baseline": reading.get("baseline") or {},
        "outcome": dict(ingested.outcome),
        **ingested.kind.understood,
        "dropped": dict(ingested.dropped),
        "missing": missing_by_arm(ingested.missing),
        "flow": flow(ingested.missing),
        "characteristics": characteristics(ingested.table, roles),
        "rank_deficient": modelling["rank_deficient"],
        "warnings": [*described["warnings"], *ingested.warnings, *seen.warnings],
        "alerts": [*ingested.alerts, *seen.alerts],
    }
    return Intake(ingested.table, ingested.missing, described | understood, seen)


def _look(
    raw: pd.DataFrame, roles: Roles, reading: Mapping[str, Any], assigned: str | None
) -> Looks:
    """What all columns of a raw table tell of the rows to analyse."""
    settings = {key: reading.get(key) for key in ("where", "recode", "baseline")}
    table, roles, _ = chosen(raw, roles, **settings)
    return look(table, roles, assigned, untreated=bool(reading.get("untreated_periods")))


def _n_individuals(table: pd.DataFrame, roles: Roles) -> int | None:
    """How many individuals there are, where their ids are known."""
    if roles.individual is None:
        return None
    return len(table[[roles.group, roles.individual]].drop_duplicates())


def _listed_roles(roles: Roles) -> dict[str, Any]:
    return {
        "block": roles.block,
        "second_group": roles.second_group,
        "period": roles.period,
        "covariates": list(roles.covariates),
        "outcome": roles.outcome,
        "treatment": roles.treatment,
        "group": roles.group,
        "individual": roles.individual,
        "exposure": roles.exposure,
        "parts": {name: list(columns) for name, columns in roles.parts},
    }


def _listed(recodes: Mapping[str, Mapping[Any, Any]]) -> dict[str, list[list[Any]]]:
    """Recodes as [old, new] pairs: JSON has no keys that are numbers."""
    return {column: [list(pair) for pair in pairs.items()] for column, pairs in recodes.items()}


def _listed_codes(codes: Codes) -> dict[str, list[Any]]:
    """Codes for missing values by column; those for all columns under an empty name."""
    if isinstance(codes, Mapping):
        return {column: list(listed) for column, listed in codes.items() if listed}
    return {"": list(codes)} if codes else {}
