"""What was simulated for a dataset, and how every method behaved: calibration.json and .csv."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from groupwise import tidy
from groupwise.calibration.measures import measures
from groupwise.calibration.partial import gather
from groupwise.calibration.scenario import Estimated
from groupwise.calibration.workload import NotSimulated, Options, Workload, dataset_workload
from groupwise.sample import Sample


def gathered(
    sample: Sample, options: Options, effects_are: str, parts: Iterable[pd.DataFrame]
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Table `calibration` from the partial sums of every job, and the content of calibration.json.

    Parameters
    ----------
    effects_are : where effects come from: `assumed`, `true` or `estimated`
    """
    try:
        workload, estimated = dataset_workload(
            sample.design, sample.y, options, conf_level=sample.conf_level
        )
    except NotSimulated as reason:
        return tidy.table("calibration", []), not_simulated(str(reason))
    table = measures(gather(parts), workload.scenarios)
    return table, simulated(workload, estimated, effects_are)


def not_simulated(message: str) -> dict[str, Any]:
    """The content of calibration.json where nothing was simulated."""
    return {"simulated": False, "message": message}


def simulated(workload: Workload, estimated: Estimated, effects_are: str) -> dict[str, Any]:
    """What was simulated, for the report."""
    design = workload.scenarios[0].design
    effects = next(s.effects for s in workload.scenarios if s.name.startswith("effect"))
    icc = {"estimate": estimated.icc, "low": estimated.icc_low, "high": estimated.icc_high}
    return {
        "simulated": True,
        "message": "",
        "replicates": workload.replicates,
        "slow_replicates": workload.slow_replicates,
        "draws": workload.effort.wild_draws,
        "seed": workload.effort.seed,
        "effects": dict(zip(design.arm_labels, map(float, effects), strict=True)),
        "effects_are": effects_are,
        "sd": float(np.sqrt(estimated.background.variance)),
        "icc": {name: value if np.isfinite(value) else None for name, value in icc.items()},
        "scenarios": [
            {
                "name": each.name,
                "icc": each.icc,
                "dgp": each.dgp,
                "effect": bool(np.any(each.effects != 0)),
            }
            for each in workload.scenarios
        ],
    }
