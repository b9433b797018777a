"""Experiments whose outcomes are events, and the same with individuals who are alike in one row."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from experiments import draw, roles_of

from groupwise.data.ingest import ingest
from groupwise.design import GROUPINGS, Design, make_design
from groupwise.models.event_rows import EventRows
from groupwise.response import Response
from groupwise.rows import Rows
from groupwise.sample import Sample

ODDS, RISKS, RATES = (
    Response("binary", "odds_ratio"),
    Response("binary", "ratio"),
    Response("count", "ratio"),
)
RATIOS = (ODDS, RISKS, RATES)


def events_table(kind: str, response: Response, *, seed: int = 1, **more: Any) -> pd.DataFrame:
    """A table of `experiments.draw` whose outcome y is 0 and 1, or a count."""
    table = draw(kind, seed=seed, **more)
    rng = np.random.default_rng(seed)
    eta = 0.7 * (table["y"] - table["y"].mean())
    if response.family == "binary":
        table["y"] = (rng.random(len(table)) < 1 / (1 + np.exp(-eta))).astype(float)
    else:
        table["y"] = rng.poisson(np.exp(eta)).astype(float)
    return table


def events_sample(table: pd.DataFrame, response: Response, **settings: Any) -> Sample:
    """The path of the pipeline to a sample; without `settings` as in `experiments.sample_of`."""
    roles = roles_of(table)
    data = ingest(table, roles, **settings).table
    design = make_design(data, roles, response=response)
    y = data[roles.outcome].to_numpy(dtype=float)
    return Sample(design, y, "test", roles.group, roles.block)


def aggregated(design: Design, y: np.ndarray) -> tuple[Design, np.ndarray]:
    """The design of rows of individuals who are alike, and their events (R, m)."""
    rows = EventRows.of(design)
    first = rows.first
    codes = {
        name: None if getattr(design, name) is None else getattr(design, name)[first]
        for name in GROUPINGS
    }
    fewer = replace(
        design,
        X=design.X[first],
        group=design.group[first],
        arm=design.arm[first],
        exposure=None if design.exposure is None else rows.exposure,
        rows=Rows.events(rows.trials),
        **codes,
    )
    return fewer, rows.events(y)
