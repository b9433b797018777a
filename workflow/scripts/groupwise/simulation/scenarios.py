"""What is simulated: a design held fixed, true effects, an intraclass correlation, a process.

    y = mean + effect of the arm + scale of the arm (group effect + residual) [+ block, second group]

With periods the mean has a value for each, a group's effect a part that lasts and a part of each period
(or, under decay, one that changes gradually), and residuals a part of an individual.

Group effects have the share `icc` of the variance and residuals the rest, whatever their shape, so
that scenarios differ in one thing at a time. Random numbers come from SeedSequence(seed, spawn_key =
(scenario, block)), a block being `BLOCK` replicates: what is drawn depends neither on how blocks are
spread over jobs nor on which other scenarios there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from zlib import crc32

import numpy as np

from groupwise.algebra import autoregressive, chi_squared, pairwise_differences
from groupwise.compression import DesignForms
from groupwise.design import Design
from groupwise.methods import Fits, Request, method_of
from groupwise.rows import EVENTS, GROUPS, INDIVIDUALS, KINDS
from groupwise.simulation.event_moments import EventMoments
from groupwise.simulation.link_scale import LinkScale, distinct_offsets, group_distribution
from groupwise.simulation.processes import (
    PROCESSES,
    Case,
    EstimatedProcess,
    Process,
    ScenarioSetting,
)
from groupwise.simulation.sizes import with_sizes

BLOCK = 500
"""Replicates per random stream."""

STREAMS = (
    *("groups", INDIVIDUALS, "slopes", "blocks", "second"),
    *("rows", "remainder", "means", "squares"),
    *("cells", "individual"),
)
"""What is drawn for a block, each with random numbers of its own."""

ROUNDING = 1e-9
"""True values that are less are 0."""

Streams = Mapping[str, np.random.Generator]

MOST_NUMBERS = 2**21
"""Outcomes that are drawn and analysed at a time, 16 MB of them: a block of 4,000 numbers a replicate.
Methods make several arrays as large: with more, large designs take more memory and are no faster."""


@dataclass(frozen=True)
class Background:
    """What all scenarios of a dataset share.

    Attributes
    ----------
    coefficients : (p,) of the columns of X, those of the arms 0
    variance : of groups in a period and individuals together
    cac, decay : autocorrelations of group effects; 1 without periods (see `EstimatedProcess`)
    iac : share of individuals, who have several rows, in the variance within groups
    sd_block, sd_second : of random blocks and of a second grouping
    sd_slope : (J,) over groups, of the effect of every arm, where slopes are random
    events
        Risks or rates; coefficients and standard deviations are then on the scale of the link.
    """

    coefficients: np.ndarray
    variance: float
    sd_block: float
    sd_second: float
    sd_slope: np.ndarray
    cac: float = 1.0
    decay: float = 1.0
    iac: float = 0.0
    events: EventMoments | None = None

    @classmethod
    def plain(cls, design: Design, variance: float = 1.0) -> Background:
        """Mean 0, and nothing but groups and individuals."""
        p, arms = design.X.shape[1], len(design.arm_labels)
        return cls(np.zeros(p), variance, 0.0, 0.0, np.zeros(arms))

    @classmethod
    def estimated(cls, design: Design, process: EstimatedProcess) -> Background:
        """The design's fixed effects but those of the arms, and its other random terms."""
        left_out = np.isin(np.arange(len(process.terms)), design.columns("treatment"))
        scale = 1.0
        if process.events is not None:  # by the delta method
            scale = process.events.slope
            left_out[design.columns("intercept")] = True
        return cls(
            coefficients=np.where(left_out, 0.0, scale * process.coefficients),
            variance=process.variance,
            sd_block=scale * process.std_dev.get("block", 0.0),
            sd_second=scale * process.std_dev.get("second", 0.0),
            sd_slope=scale * process.sd_slope,
            cac=process.cac,
            decay=process.decay,
            iac=process.iac,
            events=process.events,
        )


@dataclass(frozen=True)
class Scenario:
    """One data-generating process for one design.

    Attributes
    ----------
    name : of the scenario, also what separates its random numbers from those of others
    effects : (J,) of the arms, see `Case`; where they vary over groups, their means
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
    def draws_individuals(self) -> bool:
        """Whether outcomes of all individuals have to be drawn."""
        if self.background.events is None:
            return self.process.form == INDIVIDUALS
        return self.background.events.excess > 0

    @property
    def from_individuals(self) -> tuple[str, ...]:
        """Forms that follow from outcomes of individuals only: of counts all that have rates."""
        moments = self.background.events
        return (
            (INDIVIDUALS,) if moments is None or moments.is_binary else (INDIVIDUALS, GROUPS, KINDS)
        )

    @cached_property
    def forms(self) -> DesignForms:
        """The design in fewer rows, and how outcomes get there."""
        return DesignForms.of(self.design)

    @property
    def null(self) -> bool:
        """Whether no arm has an effect."""
        return not np.any(self.effects)

    @property
    def number(self) -> int:
        return crc32(self.name.encode())

    @property
    def setting(self) -> ScenarioSetting:
        """The scenario as the table of measures names it."""
        design = self.design
        case = Case(self.name, self.icc, self.effects, self.dgp)
        return ScenarioSetting(case, design.contrast_labels, design.n_obs, design.n_groups)

    @cached_property
    def spread(self) -> np.ndarray:
        """(J,) standard deviation of groups and individuals in each arm, over that of the reference."""
        arms = np.arange(len(self.design.arm_labels))
        return np.asarray(self.process.sd_ratio ** (arms / max(arms[-1], 1)))

    def truth_of(self, method: str) -> np.ndarray:
        """(k,) true values of the design's contrasts, as the method infers them.

        Of events that is log odds, or logarithms of rates, given the effect of a group where the
        method compares members of a group; else what holds for the population of all groups.
        """
        moments = self.background.events
        if moments is None or self.null:
            return pairwise_differences(self.effects)
        if method_of(method).is_conditional and moments.link == self.design.response.link:
            return pairwise_differences(self.link_scale.eta)
        return self.population_truth

    @cached_property
    def population_truth(self) -> np.ndarray:
        """(k,) contrasts that a pooled regression has of the expected events: with covariates in it."""
        design, link = self.design, self.link_scale
        expected = link.expected(design.arm, self.offset(design))
        if design.response.is_ratio:
            method = method_of("glm_wald")
            y = expected * (1.0 if design.exposure is None else design.exposure)
            fit = Fits(design, y[None]).of(method)
            truth = method.infer(fit, design.L, Request(searched=0)).estimate[0]
        else:
            truth = design.L @ np.linalg.lstsq(design.X, expected)[0]
        return np.where(np.abs(truth) < ROUNDING, 0.0, truth)

    @cached_property
    def sd_group(self) -> float:
        """Standard deviation of group effects in the reference arm."""
        if self.background.events is None:
            return float(np.sqrt(self.background.variance * self.icc))
        return self.link_scale.groups.sd

    @cached_property
    def sd_slope(self) -> np.ndarray:
        """(J,) standard deviations over groups of the effects of the arms."""
        extra = self.process.sd_effect**2 * self.background.variance
        if self.background.events is not None:
            extra *= self.background.events.slope**2
        arms = np.arange(len(self.background.sd_slope))
        return np.sqrt(self.background.sd_slope**2 + extra * (arms > 0))

    @property
    def moments(self) -> EventMoments:
        """What events are drawn from."""
        assert self.background.events is not None
        return self.background.events

    @property
    def sd_individual(self) -> float:
        """Standard deviation of what lasts of individuals who have several rows."""
        background = self.background
        sd = np.sqrt(background.variance * (1 - self.icc) * background.iac)
        return float(sd if background.events is None else sd * background.events.slope)

    @cached_property
    def link_scale(self) -> LinkScale:
        """Linear predictors of events: without effects all arms have the risk of all individuals."""
        moments, background = self.moments, self.background
        overall = moments.rare(self.process.rarity)
        means = np.full(len(self.effects), overall)
        if not self.null:
            means = moments.unlinked(moments.linked(moments.means[0]) + self.effects)
        design = self.design
        exposure = np.ones(len(design.X)) if design.exposure is None else design.exposure
        offset, share = distinct_offsets(self.offset(design), exposure)
        others = background.sd_block**2 + background.sd_second**2 + self.sd_individual**2
        return LinkScale(
            moments=moments,
            means=means,
            groups=group_distribution(moments, self.process, mean=overall, icc=self.icc),
            spread=self.spread,
            sd_others=np.sqrt(others + self.sd_slope**2),
            offset=offset,
            share=share,
        )

    def offset(self, design: Design) -> np.ndarray:
        """(m,) what covariates, periods and blocks add to the linear predictors of rows."""
        centre = self.design.X.mean(axis=0)
        return np.asarray((design.X - centre) @ self.background.coefficients)


def simulate(scenario: Scenario, block: int, size: int = BLOCK) -> np.ndarray:
    """The first `size` replicates of a block: outcomes of individuals, of shape (size, n)."""
    drawn = outcomes(scenario, block, size, individuals=size)
    return np.concatenate([each.y[INDIVIDUALS] for each in drawn])


@dataclass(frozen=True)
class Batch:
    """Some replicates: outcomes (r, m) by the form of the design, those that are wanted."""

    y: Mapping[str, np.ndarray]

    def __len__(self) -> int:
        return len(next(iter(self.y.values())))


def outcomes(
    scenario: Scenario, block: int, size: int = BLOCK, *, individuals: int = 0, groups: int = 0
) -> Iterator[Batch]:
    """Replicates of a block in order, some at a time.

    The first are drawn as so many individuals, those up to `groups` as the sums of groups, and the
    others as means and spreads of the kinds of groups; each has all more compressed forms. Where
    residuals are not normal all are drawn as individuals, where effects of groups are not, as groups.

    Of events all but the first are drawn as numbers of events; see `DesignForms.compressed`.
    """
    if not 0 < size <= BLOCK:
        raise ValueError(f"A block has 1 to {BLOCK} replicates, not {size}.")
    sequence = np.random.SeedSequence(scenario.seed, spawn_key=(scenario.number, block))
    streams = dict(
        zip(STREAMS, map(np.random.default_rng, sequence.spawn(len(STREAMS))), strict=True)
    )
    forms = scenario.forms
    if scenario.draws_individuals:
        individuals = size
    for r in _steps(individuals, scenario.design.n_obs):
        y = _draw(scenario, INDIVIDUALS, streams, r)
        yield Batch(forms.compressed(y, INDIVIDUALS))
    if forms.events is not None:
        for r in _steps(size - individuals, len(forms.design[EVENTS].X)):
            yield Batch(forms.compressed(_draw(scenario, EVENTS, streams, r), EVENTS))
        return
    if forms.kinds is None or scenario.process.form == GROUPS:
        groups = size
    for r in _steps(groups - individuals, len(forms.design[GROUPS].X)):
        y = _draw(scenario, GROUPS, streams, r)
        yield Batch(forms.compressed(y, GROUPS))
    for r in _steps(size - max(groups, individuals), len(forms.design[KINDS].X)):
        yield Batch({KINDS: _draw_kinds(scenario, streams, r)})


def _steps(total: int, width: int) -> Iterator[int]:
    """Numbers of replicates that add up to `total`, each as many as are worked on at a time."""
    step = max(1, MOST_NUMBERS // width)
    for start in range(0, total, step):
        yield min(step, total - start)


def _draw(scenario: Scenario, form: str, streams: Streams, size: int) -> np.ndarray:
    """The next `size` replicates, of individuals or groups."""
    if scenario.background.events is not None:
        return _draw_events(scenario, form, streams, size)
    design, process, background = scenario.forms.design[form], scenario.process, scenario.background
    ones = design.rows.ones
    y = _between(scenario, design, streams, size) * ones
    e = _standardised_t(
        streams[form if form == INDIVIDUALS else "rows"], process.residual_df, y.shape
    )
    y += np.sqrt(background.variance * (1 - scenario.icc) * (1 - background.iac)) * e
    if background.iac > 0 and design.individual is not None:
        lasting = streams["individual"].standard_normal((size, design.individual.max() + 1))
        y += scenario.sd_individual * lasting[:, design.individual] * ones
    if process.sd_ratio != 1:
        y *= scenario.spread[design.arm]
    y += design.X @ background.coefficients + scenario.effects[design.arm] * ones
    y += _slopes(scenario, design, ones, streams["slopes"], size)
    _add_others(y, scenario, design, ones, streams)
    if design.rows.remainder:
        y[:, -1] = _remainder(scenario, streams, size)
    return y


def _add_others(
    y: np.ndarray, scenario: Scenario, design: Design, ones: np.ndarray, streams: Streams
) -> None:
    """Add effects of random blocks and of a second grouping to outcomes (size, n)."""
    background = scenario.background
    for name, sd, codes in (
        ("blocks", background.sd_block, design.block),
        ("second", background.sd_second, design.second),
    ):
        if sd > 0 and codes is not None:
            effects = streams[name].standard_normal((len(y), codes.max() + 1))
            y += sd * effects[:, codes] * ones


def _draw_events(scenario: Scenario, form: str, streams: Streams, size: int) -> np.ndarray:
    """The next `size` replicates of events, of individuals or of those who are alike."""
    design, link = scenario.forms.design[form], scenario.link_scale
    y = _between(scenario, design, streams, size) * scenario.spread[design.arm]
    ones = np.ones(len(design.X))  # rows of events are of one predictor, whatever they count
    y += _slopes(scenario, design, ones, streams["slopes"], size)
    _add_others(y, scenario, design, ones, streams)
    if scenario.sd_individual > 0 and design.individual is not None:
        lasting = streams["individual"].standard_normal((size, design.individual.max() + 1))
        y += scenario.sd_individual * lasting[:, design.individual]
    y += scenario.offset(design) + link.eta[design.arm]
    mean = link.moments.unlinked(y)
    rng = streams[form if form == INDIVIDUALS else "rows"]
    if link.moments.is_binary:
        if form == INDIVIDUALS:
            return (rng.random(mean.shape) < mean).astype(float)
        return rng.binomial(_trials(design), mean).astype(float)
    mean *= 1.0 if design.exposure is None else design.exposure
    if form == EVENTS and design.exposure is None:
        mean *= _trials(design)
    if link.moments.excess > 0:
        shape = 1 / link.overdispersion
        mean *= rng.gamma(shape, 1 / shape, mean.shape)
    return rng.poisson(mean).astype(float)


def _trials(design: Design) -> np.ndarray:
    """(m,) individuals whose events are counted in each row."""
    assert design.rows.trials is not None
    return design.rows.trials.astype(int)


def _remainder(scenario: Scenario, streams: Streams, size: int) -> np.ndarray:
    """(size,) lengths of what varies within cells, which in each arm is of one variance."""
    remaining = scenario.forms.compression.remaining
    squares = chi_squared(streams["remainder"], remaining, size) @ scenario.spread**2
    background = scenario.background
    return np.sqrt(background.variance * (1 - scenario.icc) * (1 - background.iac) * squares)


def _draw_kinds(scenario: Scenario, streams: Streams, size: int) -> np.ndarray:
    """The next `size` replicates as rows of `Kinds`: mean and spread of normal groups."""
    kinds, background = scenario.forms.kinds, scenario.background
    assert kinds is not None
    design, first = scenario.forms.design[GROUPS], kinds.first
    arm, ones, count = design.arm[first], design.rows.ones[first], kinds.count
    between = background.variance * scenario.icc * ones**2
    within = background.variance * (1 - scenario.icc)
    sd_slope = scenario.sd_slope[arm] * ones
    sd = np.sqrt(scenario.spread[arm] ** 2 * (between + within) + sd_slope**2)
    fixed = design.X[first] @ background.coefficients + scenario.effects[arm] * ones
    mean = fixed + sd / np.sqrt(count) * streams["means"].standard_normal((size, len(count)))
    squares = sd**2 * chi_squared(streams["squares"], count - 1, size)
    remainder = np.zeros((size, 0))
    if design.rows.remainder:
        remainder = _remainder(scenario, streams, size)[:, None]
    return kinds.rows(mean, squares, remainder)


def _between(scenario: Scenario, design: Design, streams: Streams, size: int) -> np.ndarray:
    """(size, n) effects of the groups of rows, in their periods."""
    process, background = scenario.process, scenario.background
    sd = scenario.sd_group
    cac = background.cac if process.cac is None else process.cac
    if process.decay and design.period is not None:
        shape = (size, len(design.group_labels), design.n_periods)
        u = autoregressive(streams["cells"].standard_normal(shape), background.decay)
        return np.asarray(sd * u[:, design.group, design.period])
    y: np.ndarray = _group_effects(scenario, streams["groups"], size)[:, design.group]
    if cac == 1:
        return sd * y
    v = _shaped(scenario, streams["cells"], (size, len(design.cell_size)))
    return np.asarray(sd * (np.sqrt(cac) * y + np.sqrt(1 - cac) * v[:, design.cell]))


def _group_effects(scenario: Scenario, rng: np.random.Generator, size: int) -> np.ndarray:
    """(size, G) with mean 0 and variance 1."""
    design, process = scenario.design, scenario.process
    u = _shaped(scenario, rng, (size, design.n_groups))
    if process.size_correlation == 0:
        return u
    z, spread = _standardised_sizes(design)
    share = process.size_correlation * spread
    informed: np.ndarray = share * z + np.sqrt(1 - share**2) * u
    return informed


def _shaped(scenario: Scenario, rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Effects with mean 0 and variance 1, in the distribution of the process."""
    process = scenario.process
    if process.conjugate and scenario.sd_group > 0:
        return scenario.link_scale.groups.draw(rng, shape)
    if process.skewed_groups:
        return rng.standard_exponential(shape) - 1
    return _standardised_t(rng, process.group_df, shape)


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


def _slopes(
    scenario: Scenario, design: Design, ones: np.ndarray, rng: np.random.Generator, size: int
) -> np.ndarray | float:
    """(size, n): what groups deviate from the mean effect of the arm that a row is in, by `ones`."""
    sd = scenario.sd_slope
    if not sd.any():
        return 0.0
    drawn = rng.standard_normal((size, design.n_groups * len(sd)))
    cell, scale = design.group * len(sd) + design.arm, sd[design.arm] * ones
    deviation: np.ndarray = drawn[:, cell] * scale
    return deviation


def dataset_scenarios(
    design: Design, process: EstimatedProcess, cases: Iterable[Case], *, seed: int = 1
) -> tuple[Scenario, ...]:
    """The cases of a dataset as scenarios for its design."""
    background = Background.estimated(design, process)
    return tuple(
        Scenario(
            name=case.name,
            design=with_sizes(design, PROCESSES[case.dgp].size_cv),
            background=background,
            effects=case.effects,
            icc=case.icc,
            process=PROCESSES[case.dgp],
            dgp=case.dgp,
            seed=seed,
        )
        for case in cases
    )
