"""What is simulated: a design held fixed, true effects, an intraclass correlation, a process.

    y = mean + effect of the arm + scale of the arm (group effect + residual) [+ block, second group]

Group effects have the share `icc` of the variance and residuals the rest, whatever their shape, so
that scenarios differ in one thing at a time. Random numbers come from SeedSequence(seed, spawn_key =
(scenario, block)), a block being `BLOCK` replicates: what is drawn depends neither on how blocks are
spread over jobs nor on which other scenarios there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from zlib import crc32

import numpy as np

from groupwise.algebra import pairwise_differences
from groupwise.design import Design
from groupwise.simulation.processes import (
    PROCESSES,
    Case,
    EstimatedProcess,
    Process,
    ScenarioSetting,
)

BLOCK = 500
"""Replicates per random stream."""

MOST_NUMBERS = 2**23
"""Outcomes that are drawn and analysed at a time, 64 MB of them: a block of 16,000 individuals."""


@dataclass(frozen=True)
class Background:
    """What all scenarios of a dataset share.

    Attributes
    ----------
    mean : (n,) of every individual in the reference arm, blocks and covariates included
    variance : of groups and individuals together
    sd_block, sd_second : of random blocks and of a second grouping
    sd_slope : (J,) over groups, of the effect of every arm, where slopes are random
    """

    mean: np.ndarray
    variance: float
    sd_block: float
    sd_second: float
    sd_slope: np.ndarray

    @classmethod
    def plain(cls, design: Design, variance: float = 1.0) -> Background:
        """Mean 0, and nothing but groups and individuals."""
        return cls(np.zeros(design.n_obs), variance, 0.0, 0.0, np.zeros(len(design.arm_labels)))

    @classmethod
    def estimated(cls, design: Design, process: EstimatedProcess) -> Background:
        """The design's fixed effects but those of the arms, and its other random terms."""
        treatment = np.isin(np.arange(len(process.terms)), design.columns("treatment"))
        return cls(
            mean=design.X @ np.where(treatment, 0.0, process.coefficients),
            variance=process.variance,
            sd_block=process.std_dev.get("block", 0.0),
            sd_second=process.std_dev.get("second", 0.0),
            sd_slope=process.sd_slope,
        )


@dataclass(frozen=True)
class Scenario:
    """One data-generating process for one design.

    Attributes
    ----------
    name : of the scenario, also what separates its random numbers from those of others
    effects : (J,) of the arms; where they vary over groups, their means
    icc : share of group effects in `background.variance`
    process, dgp : the distribution and its name
    """

    name: str
    design: Design
    background: Background
    effects: np.ndarray
    icc: float
    process: Process
    dgp: str
    seed: int

    @property
    def number(self) -> int:
        return crc32(self.name.encode())

    @property
    def setting(self) -> ScenarioSetting:
        """The scenario as the table of measures names it."""
        design = self.design
        case = Case(self.name, self.icc, self.effects, self.dgp)
        return ScenarioSetting(case, design.contrast_labels, design.n_obs, design.n_groups)

    @property
    def truth(self) -> np.ndarray:
        """(k,) true values of the design's contrasts."""
        return pairwise_differences(self.effects)


def simulate(scenario: Scenario, block: int, size: int = BLOCK) -> np.ndarray:
    """The first `size` replicates of a block: outcomes of shape (size, n)."""
    return np.concatenate(list(outcomes(scenario, block, size)))


def outcomes(scenario: Scenario, block: int, size: int = BLOCK) -> Iterator[np.ndarray]:
    """The same, some replicates at a time where designs are large: each (r, n)."""
    if not 0 < size <= BLOCK:
        raise ValueError(f"A block has 1 to {BLOCK} replicates, not {size}.")
    sequence = np.random.SeedSequence(scenario.seed, spawn_key=(scenario.number, block))
    streams = [np.random.default_rng(each) for each in sequence.spawn(5)]
    step = max(1, MOST_NUMBERS // scenario.design.n_obs)
    for start in range(0, size, step):
        yield _draw(scenario, streams, min(step, size - start))


def _draw(scenario: Scenario, streams: list[np.random.Generator], size: int) -> np.ndarray:
    """The next `size` replicates; each random part has a stream of its own."""
    design, process, background = scenario.design, scenario.process, scenario.background
    groups, individuals, slopes, blocks, second = streams
    u = _group_effects(scenario, groups, size)
    y = np.sqrt(background.variance * scenario.icc) * u[:, design.group]
    e = _standardised_t(individuals, process.residual_df, (size, design.n_obs))
    y += np.sqrt(background.variance * (1 - scenario.icc)) * e
    if process.sd_ratio != 1:
        steps = np.arange(len(design.arm_labels)) / (len(design.arm_labels) - 1)
        y *= (process.sd_ratio**steps)[design.arm]
    y += background.mean + scenario.effects[design.arm]
    y += _slopes(scenario, slopes, size)
    for rng, sd, codes in (
        (blocks, background.sd_block, design.block),
        (second, background.sd_second, design.second),
    ):
        if sd > 0 and codes is not None:
            y += sd * rng.standard_normal((size, codes.max() + 1))[:, codes]
    return y


def _group_effects(scenario: Scenario, rng: np.random.Generator, size: int) -> np.ndarray:
    """(size, G) with mean 0 and variance 1."""
    design, process = scenario.design, scenario.process
    shape = (size, design.n_groups)
    if process.skewed_groups:
        u = rng.standard_exponential(shape) - 1
    else:
        u = _standardised_t(rng, process.group_df, shape)
    if process.size_correlation == 0:
        return u
    z, spread = _standardised_sizes(design)
    share = process.size_correlation * spread
    informed: np.ndarray = share * z + np.sqrt(1 - share**2) * u
    return informed


def _standardised_t(rng: np.random.Generator, df: float, shape: tuple[int, int]) -> np.ndarray:
    if np.isinf(df):
        return rng.standard_normal(shape)
    if df <= 2:
        raise ValueError("t distributions with 2 degrees of freedom or less have no variance.")
    return rng.standard_t(df, shape) / np.sqrt(df / (df - 2))


def _standardised_sizes(design: Design) -> tuple[np.ndarray, np.ndarray]:
    """(G,) sizes with mean 0 and mean square 1 in each arm, and in which arms sizes differ."""
    z, differ = np.zeros(design.n_groups), np.zeros(design.n_groups, dtype=bool)
    for arm in np.unique(design.arm_of_group):
        members = design.arm_of_group == arm
        left = design.group_size[members] - design.group_size[members].mean()
        spread = np.sqrt((left**2).mean())
        if spread > 0:
            z[members], differ[members] = left / spread, True
    return z, differ


def _slopes(scenario: Scenario, rng: np.random.Generator, size: int) -> np.ndarray | float:
    """(size, n): what groups deviate from the mean effect of the arm an individual is in."""
    design, background = scenario.design, scenario.background
    extra = scenario.process.sd_effect**2 * background.variance
    sd = np.sqrt(background.sd_slope**2 + extra * (np.arange(len(background.sd_slope)) > 0))
    if not sd.any():
        return 0.0
    drawn = rng.standard_normal((size, design.n_groups * len(sd)))
    deviation: np.ndarray = drawn[:, design.group * len(sd) + design.arm] * sd[design.arm]
    return deviation


def dataset_scenarios(
    design: Design, process: EstimatedProcess, cases: Iterable[Case], *, seed: int = 1
) -> tuple[Scenario, ...]:
    """The cases of a dataset as scenarios for its design."""
    background = Background.estimated(design, process)
    return tuple(
        Scenario(
            name=case.name,
            design=design,
            background=background,
            effects=case.effects,
            icc=case.icc,
            process=PROCESSES[case.dgp],
            dgp=case.dgp,
            seed=seed,
        )
        for case in cases
    )
