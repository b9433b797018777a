"""What outcomes are drawn from: the mixed model estimated from data, and departures from it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from groupwise.rows import EVENTS, GROUPS, INDIVIDUALS, KINDS
from groupwise.simulation.event_moments import EventMoments
from groupwise.simulation.options import (
    FEW_SLOW,
    LEAST,
    MOST_SLOW,
    MOST_SLOWEST,
    POWER,
    Budget,
    NotSimulated,
    Options,
)

MUCH_CAC = 0.25
"""A cluster autocorrelation is a departure if it differs from the estimate by more than this."""

DECAY = 0.8
"""Correlation of a group's effects in neighbouring periods under decay, where the estimate is 0 or 1."""

GREATEST_ICC = 0.95
"""An interval's upper end beyond this is simulated here: nothing is left within groups above it."""


@dataclass(frozen=True)
class Process:
    """The distribution of outcomes; as it stands, that of the mixed model with normal effects.

    Attributes
    ----------
    residual_df, group_df : degrees of freedom of t residuals and group effects; inf is normal
    skewed_groups : group effects are exponential, less their mean
    sd_ratio
        Standard deviation, of groups and individuals alike, of the last arm over that of the
        reference; arms between in equal ratios.
    sd_effect
        Standard deviation over groups of the effect of every arm but the reference, in standard
        deviations of the outcome.
    size_correlation
        Correlation of group effects with group sizes, within each arm: unweighted means of groups
        keep their expectation, means of individuals do not.
    cac
        Cluster autocorrelation: share of the variance between groups that lasts from period to period;
        None takes the estimate.
    decay : effects of a group in two periods have the correlation r^lag
    conjugate
        Of events: risks of groups have a beta distribution, rates a gamma distribution.
    rarity : of events: so many times fewer of them
    size_cv : coefficient of variation that the sizes of groups are given; 0 leaves them
    """

    residual_df: float = np.inf
    group_df: float = np.inf
    skewed_groups: bool = False
    sd_ratio: float = 1.0
    sd_effect: float = 0.0
    size_correlation: float = 0.0
    cac: float | None = None
    decay: bool = False
    conjugate: bool = False
    rarity: float = 1.0
    size_cv: float = 0.0

    @property
    def form(self) -> str:
        """The most compressed form of a design in which it can be drawn (see `rows`)."""
        if np.isfinite(self.residual_df):
            return INDIVIDUALS
        return KINDS if self.normal_groups else GROUPS

    @property
    def normal_groups(self) -> bool:
        """Whether groups alike in size and arm have normal effects of one mean."""
        one_mean = self.size_correlation == 0 and self.cac is None and not self.decay
        return np.isinf(self.group_df) and not self.skewed_groups and one_mean

    def concerns(self, process: EstimatedProcess) -> bool:
        """Whether it differs from the estimated process: of other than periods every one does."""
        if not self.concerns_outcome(process.events):
            return False
        if self.size_cv:
            return process.n_periods == 1 and "individual" not in process.std_dev
        if self.decay:
            return process.n_periods > 2
        if self.cac is None:
            return True
        return process.has_cells and abs(self.cac - process.cac) > MUCH_CAC

    def concerns_outcome(self, events: EventMoments | None) -> bool:
        """Whether it is a departure for outcomes of this kind.

        Only events can be rare, and get groups of other sizes. They have no residuals, and rates have
        no moments where the effects of groups on their logarithms have heavy tails.
        """
        if events is None:
            return not self.conjugate and self.rarity == 1 and self.size_cv == 0
        if np.isfinite(self.residual_df):
            return False
        return events.is_binary or not (self.skewed_groups or np.isfinite(self.group_df))


PROCESSES = {
    "normal": Process(),
    "t_residuals": Process(residual_df=3),
    "t_groups": Process(group_df=3),
    "skewed_groups": Process(skewed_groups=True),
    "unequal_variance": Process(sd_ratio=2),
    "varying_effects": Process(sd_effect=0.3),
    "informative_sizes": Process(size_correlation=0.7),
    "lasting_groups": Process(cac=1.0),
    "changing_groups": Process(cac=0.5),
    "decay": Process(decay=True),
    "beta_binomial": Process(conjugate=True),
    "rare_events": Process(rarity=5),
    "unequal_sizes": Process(size_cv=0.8),
}
"""Departures from the model by the name under which they are configured."""


@dataclass(frozen=True)
class EstimatedProcess:
    """The mixed model of a dataset as estimated by REML: the content of process.json.

    Of events it is that of 0 and 1, or of rates; `events` says what else they are drawn from.

    Attributes
    ----------
    arms : J labels, the reference first
    terms, coefficients : names (p) and estimates (p,) of the fixed effects
    effects : (J,) of the arms, 0 for the reference
    std_dev
        By random term: `group`, `residual`, and where the model has them `cell` (groups by periods),
        `individual`, `block`, `second` and the slopes, as in `group: small`.
    icc, icc_low, icc_high
        Variance between groups in a period over that of groups and individuals; NaN is not known.
    conf_level : of the limits of the ICC
    std_error : (J - 1,) of the effects of the arms, by the design and these variances
    numbers
        How many numbers an outcome has in each form of the design (`rows`).
    slow_form : the form that methods which draw need
    n_periods : 1 without periods
    events : risks or rates; None for a continuous outcome
    """

    arms: tuple[str, ...]
    terms: tuple[str, ...]
    coefficients: np.ndarray
    effects: np.ndarray
    std_dev: Mapping[str, float]
    icc: float
    icc_low: float
    icc_high: float
    conf_level: float
    std_error: np.ndarray
    numbers: Mapping[str, int]
    slow_form: str
    n_periods: int = 1
    events: EventMoments | None = None

    @property
    def variance_between(self) -> float:
        """Of groups in one period."""
        return self._variance("group", "cell")

    @property
    def variance(self) -> float:
        """Of groups in one period and of what varies in them."""
        return self._variance("group", "cell", "individual", "residual")

    def drawn_form(self, departure: Process) -> str:
        """The most compressed form of a design in which outcomes of a departure are drawn.

        Sums of counts do not say what methods for rates, and estimating equations, need.
        """
        if self.events is None:
            return departure.form
        return EVENTS if self.events.is_binary else INDIVIDUALS

    @property
    def has_cells(self) -> bool:
        """Whether the model has effects of groups in periods."""
        return "cell" in self.std_dev

    @property
    def has_levels_within(self) -> bool:
        """Whether it has effects of groups in periods, or of individuals with several rows."""
        return not {"cell", "individual"}.isdisjoint(self.std_dev)

    @property
    def is_refitted_slowly(self) -> bool:
        """Whether each draw of a bootstrap is fitted by search or quadrature, not in closed form."""
        return self.has_levels_within or self.events is not None

    @property
    def cac(self) -> float:
        """Cluster autocorrelation; 1 where nothing varies between groups, or from period to period."""
        between = self.variance_between
        return self._variance("group") / between if between > 0 else 1.0

    @property
    def iac(self) -> float:
        """Individual autocorrelation: share of individuals in the variance within groups."""
        return self._variance("individual") / self._variance("individual", "residual")

    @property
    def decay(self) -> float:
        """Correlation of neighbouring periods that is simulated under decay."""
        return self.cac if 0 < self.cac < 1 else DECAY

    def _variance(self, *names: str) -> float:
        return float(sum(self.std_dev.get(name, 0.0) ** 2 for name in names))

    @property
    def sd_slope(self) -> np.ndarray:
        """(J,) standard deviations over groups of the effects of the arms; 0 for the reference."""
        slopes = (self.std_dev.get(f"group: {arm}", 0.0) for arm in self.arms[1:])
        return np.array([0.0, *slopes])

    def content(self) -> dict[str, Any]:
        """As JSON: floats in full, so that reading gives the same numbers."""
        return {
            "estimated": True,
            "message": "",
            "arms": list(self.arms),
            "coefficients": [
                {"term": term, "estimate": float(value)}
                for term, value in zip(self.terms, self.coefficients, strict=True)
            ],
            "effects": dict(zip(self.arms, map(float, self.effects), strict=True)),
            "std_dev": dict(self.std_dev),
            "icc": {
                name: value if math.isfinite(value) else None
                for name, value in (
                    *(("estimate", self.icc), ("low", self.icc_low)),
                    ("high", self.icc_high),
                )
            },
            "conf_level": self.conf_level,
            "std_error": dict(zip(self.arms[1:], map(float, self.std_error), strict=True)),
            "numbers": dict(self.numbers),
            "slow_form": self.slow_form,
            "n_periods": self.n_periods,
        } | ({} if self.events is None else {"events": self.events.content(self.arms)})


@dataclass(frozen=True)
class NoProcess:
    """The mixed model has no fit, and why."""

    message: str

    def content(self) -> dict[str, Any]:
        """As JSON."""
        return {"estimated": False, "message": self.message}


def read_process(content: Mapping[str, Any]) -> EstimatedProcess | NoProcess:
    """The estimated process of the content of process.json."""
    if not content["estimated"]:
        return NoProcess(content["message"])
    limits = {name: math.nan if end is None else end for name, end in content["icc"].items()}
    return EstimatedProcess(
        arms=tuple(content["arms"]),
        terms=tuple(each["term"] for each in content["coefficients"]),
        coefficients=np.array([each["estimate"] for each in content["coefficients"]]),
        effects=np.array(list(content["effects"].values())),
        std_dev=content["std_dev"],
        icc=limits["estimate"],
        icc_low=limits["low"],
        icc_high=limits["high"],
        conf_level=content["conf_level"],
        std_error=np.array(list(content["std_error"].values())),
        numbers=content["numbers"],
        slow_form=content["slow_form"],
        n_periods=content["n_periods"],
        events=EventMoments.read(content["events"]) if "events" in content else None,
    )


@dataclass(frozen=True)
class Case:
    """What differs between the scenarios of one dataset.

    Attributes
    ----------
    name : of the scenario
    icc : share of group effects in the variance of groups and residuals
    effects
        (J,) of the arms; of events the differences of log odds of risks, or of logarithms of rates.
    dgp : a name of `PROCESSES`
    """

    name: str
    icc: float
    effects: np.ndarray
    dgp: str = "normal"

    @property
    def null(self) -> bool:
        """Whether no arm has an effect."""
        return not np.any(self.effects)


@dataclass(frozen=True)
class ScenarioSetting:
    """A case in its design, as the table of measures names it.

    Attributes
    ----------
    contrasts : k labels, the pairs of arms in lexicographic order
    n_obs, n_groups : rows and groups of the design
    """

    case: Case
    contrasts: tuple[str, ...]
    n_obs: int
    n_groups: int


@dataclass(frozen=True)
class Outline:
    """What is simulated for a dataset.

    Attributes
    ----------
    cases, budgets : scenarios, and replicates of each
    left_out : departures for which there would be too few replicates
    """

    process: EstimatedProcess
    cases: tuple[Case, ...]
    budgets: tuple[Budget, ...]
    left_out: tuple[str, ...] = ()

    def rates(self, case: Case) -> int:
        """Number of rates that a method is judged by where this case is one of those that count."""
        nulls = [each for each in self.cases if each.null and each.dgp == case.dgp]
        n_arms = len(self.process.arms)
        return len(nulls) * n_arms * (n_arms - 1) // 2


def outline(
    process: EstimatedProcess | NoProcess, options: Options, *, arms: Sequence[str]
) -> Outline:
    """What is simulated for a dataset.

    Raises
    ------
    NotSimulated
        With the reason.
    InputError
        For the effect of an arm there is not.
    """
    if isinstance(process, NoProcess):
        options.effects_of(arms)
        raise NotSimulated(f"The mixed model that is simulated from has no fit. {process.message}")
    effects = assumed(process, options, arms)
    middle = icc_grid((process.icc,))[-1]
    cases, budgets, left_out = [], [], []
    for case in dataset_cases(
        process, effects=effects, iccs=options.iccs, processes=options.departures
    ):
        wanted = (POWER, POWER) if case.icc == middle else (LEAST, FEW_SLOW)
        form = process.drawn_form(PROCESSES[case.dgp])
        slow = max(process.numbers[form], process.numbers[process.slow_form])
        try:
            numbers = process.numbers[form]
            amounts = None if case.null else wanted
            groups = process.numbers[GROUPS]
            slowest = MOST_SLOWEST if process.is_refitted_slowly else MOST_SLOW
            budgets.append(
                options.budget(numbers, slow, amounts, of_groups=groups, slowest=slowest)
            )
        except NotSimulated:
            if case.dgp == "normal":
                raise
            left_out.append(case.dgp)
        else:
            cases.append(case)
    return Outline(process, tuple(cases), tuple(budgets), tuple(left_out))


def assumed(process: EstimatedProcess, options: Options, arms: Sequence[str]) -> np.ndarray | None:
    """(J,) the assumed effects as `Case` has them; None where none are assumed.

    Raises
    ------
    InputError
        For the effect of an arm there is not.
    NotSimulated
        As `assumed_means`.
    """
    moments = process.events
    if moments is None:
        return options.effects_of(arms)
    means = assumed_means(moments, options, arms)
    return None if means is None else moments.linked(means) - moments.linked(means[0])


def assumed_means(
    moments: EventMoments, options: Options, arms: Sequence[str]
) -> np.ndarray | None:
    """(J,) the risks or rates of arms with the assumed effects; None where none are assumed.

    Raises
    ------
    InputError
        For the effect of an arm there is not.
    NotSimulated
        For one that leads to no risk or rate.
    """
    effects = options.effects_of(arms, none=1.0 if moments.response.is_ratio else 0.0)
    if effects is None:
        return None
    means = moments.reached(effects)
    if not np.isfinite(means).all():
        arm, which = arms[int(np.isnan(means).argmax())], "risk" if moments.is_binary else "rate"
        raise NotSimulated(
            f"With the assumed effect {effects[np.isnan(means).argmax()]:g} there is no {which} of "
            f"'{arm}': that of '{arms[0]}' is {moments.means[0]:.3g}."
        )
    return means


def dataset_cases(
    process: EstimatedProcess,
    *,
    effects: np.ndarray | None = None,
    iccs: tuple[float, ...] = (),
    processes: tuple[str, ...] = (),
) -> tuple[Case, ...]:
    """The cases of a dataset: null and effect over ICCs, departures under the null at one.

    Parameters
    ----------
    effects : (J,) of the arms; `detectable` ones if left out
    iccs : besides 0, the estimate and the ends of its interval
    processes : names of `PROCESSES`; the departures have the estimated ICC
    """
    effects = detectable(process) if effects is None else np.asarray(effects, dtype=float)
    effects, none = effects - effects[0], np.zeros_like(effects)
    estimated = [process.icc, process.icc_low, process.icc_high]
    cases = []
    for icc in icc_grid((*estimated, *iccs)):
        cases.append(Case(f"null, icc {icc:.3f}", icc, none))
        cases.append(Case(f"effect, icc {icc:.3f}", icc, effects))
    middle = icc_grid((process.icc,))[-1]
    departures = [
        name for name in processes if name != "normal" and PROCESSES[name].concerns(process)
    ]
    return (*cases, *(Case(f"null, {name}", middle, none, name) for name in departures))


DETECTABLE = 2.8
"""Standard errors of the effect that a z test at 5% finds in 80 of 100 experiments."""


def detectable(process: EstimatedProcess) -> np.ndarray:
    """(J,) effects that grow from arm to arm, the last such as this design should find.

    They follow from the design and its variances: the effects that were estimated do not enter. Effects
    on risks lead away from the nearer of 0 and 1, where arms would have no events, or nothing else.
    """
    steps = np.arange(len(process.arms)) / max(len(process.arms) - 1, 1)
    slope = 1.0 if process.events is None else process.events.slope * process.events.inwards
    return np.asarray(DETECTABLE * slope * process.std_error[-1] * steps)


def icc_grid(values: tuple[float, ...]) -> list[float]:
    """0 and these, in order, to three decimals, without repetitions and what is not finite."""
    finite = [min(max(value, 0.0), GREATEST_ICC) for value in values if np.isfinite(value)]
    return sorted({0.0, *(round(float(value), 3) for value in finite)})
