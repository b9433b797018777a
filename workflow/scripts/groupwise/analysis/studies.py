"""Simulation and planning on top of an analysis: its own design, the process it estimated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from groupwise.calibration.measures import measures
from groupwise.calibration.partial import blocks, gather, run_block
from groupwise.calibration.rules import Rules
from groupwise.calibration.scenario import (
    PROCESSES,
    Scenario,
    dataset_scenarios,
    estimate_process,
)
from groupwise.calibration.verdict import Verdict, verdict
from groupwise.data.errors import InputError, nearest
from groupwise.design import Design
from groupwise.planning.plans import Variation
from groupwise.planning.tables import at_hand
from groupwise.specifications import Sample


@dataclass(frozen=True, eq=False, repr=False)
class Calibration:
    """How every method fares on data simulated for a design.

    Attributes
    ----------
    calibration : a row per scenario, method, contrast and measure, with its Monte Carlo error
    verdict : which methods can be trusted
    scenarios : what was simulated
    """

    calibration: pd.DataFrame
    verdict: Verdict
    scenarios: tuple[Scenario, ...]

    def _repr_markdown_(self) -> str:
        return "\n".join(f"- {sentence}" for sentence in self.verdict.methods["sentence"])

    def __repr__(self) -> str:
        return self._repr_markdown_()


def calibrated(
    sample: Sample,
    estimates: pd.DataFrame,
    *,
    headline: str,
    replicates: int,
    slow_replicates: int,
    effects: Mapping[str, float] | None,
    iccs: Sequence[float],
    processes: Sequence[str],
    seed: int,
) -> Calibration:
    """Simulate, analyse and judge; the methods are those that have rows in `estimates`."""
    for name in processes:
        if name not in PROCESSES:
            hint = nearest(str(name), PROCESSES)
            raise InputError("processes", f"there is no process '{name}'", hint)
    if not 0 <= slow_replicates <= replicates or replicates < 2:
        problem = f"{replicates} replicates, and {slow_replicates} for methods that draw"
        raise InputError("replicates", problem, "2 or more are needed, and the latter no more")
    found = estimate_process(sample.design, sample.y, conf_level=sample.conf_level)
    scenarios = dataset_scenarios(
        sample.design,
        found,
        effects=_by_arm(effects, sample.design),
        iccs=tuple(iccs),
        processes=tuple(processes),
        seed=seed,
    )
    methods = tuple(dict.fromkeys(estimates["method"]))
    parts = [
        run_block(scenario, block, methods=methods, conf_level=sample.conf_level)
        for scenario in scenarios
        for block in blocks(replicates, slow_replicates)
    ]
    table = measures(gather(parts), scenarios)
    rules = Rules(conf_level=sample.conf_level)
    said = verdict(table, estimates, rules, chosen=headline, icc=found.icc)
    return Calibration(table, said, tuple(scenarios))


def planned(
    sample: Sample, estimates: pd.DataFrame, *, effect: float, power: float
) -> pd.DataFrame:
    """The power of the design at hand, a table with `planning.tables.COLUMNS`."""
    if not 0 < power < 1:
        raise InputError("power", f"{power!r} is no power", "give a number such as 0.8")
    if not (np.isfinite(effect) and effect != 0):
        raise InputError("effect", f"{effect!r} is no effect", "give one in units of the outcome")
    if sample.design.random_slopes != "none":
        problem = "power is not known where groups differ in the effect of the treatment"
        raise InputError("random_slopes", problem, "use calibrate, which simulates this design")
    found = estimate_process(sample.design, sample.y, conf_level=sample.conf_level)
    sd = float(np.sqrt(found.background.variance))
    iccs = {"estimate": found.icc, "low": found.icc_low, "high": found.icc_high}
    known = {name: Variation(sd, icc) for name, icc in iccs.items() if 0 <= icc < 1}
    methods = tuple(dict.fromkeys(estimates["method"]))
    level = round(1 - sample.conf_level, 10)
    return at_hand(sample.design, known, effect, power=power, level=level, methods=methods)


def _by_arm(effects: Mapping[str, float] | None, design: Design) -> np.ndarray | None:
    if effects is None:
        return None
    for arm in effects:
        if arm not in design.arm_labels:
            raise InputError("effects", f"'{arm}' is not an arm", nearest(arm, design.arm_labels))
    return np.array([float(effects.get(arm, 0.0)) for arm in design.arm_labels])
