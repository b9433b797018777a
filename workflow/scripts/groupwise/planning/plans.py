"""What is planned: arms, groups, sizes and blocks; and how the outcome varies."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import special

from groupwise.compression import individuals, repeated
from groupwise.design import Design, coded_design

KINDS = ("between", "within")


@dataclass(frozen=True)
class Plan:
    """An experiment that is not there yet.

    Attributes
    ----------
    groups : int
        Between: groups in the reference arm. Within: groups altogether.
    size : float
        Mean number of members of a group.
    allocation : (J,)
        Between: groups of each arm per group of the reference arm, whose share is 1. Within:
        members of each arm relative to the reference arm's, in every group.
    size_cv : float
        Coefficient of variation of the sizes, gamma-shaped, alike in every arm; 0 is equal sizes.
    per_block : int
        Groups of the reference arm in a block; 0 is no blocks. It has to divide `groups`.
    kind : str
        `between`: whole groups get an arm; `within`: members of every group get every arm.
    random_slopes : bool
        Within designs: whether the mixed model lets groups differ in the effect.
    """

    groups: int
    size: float
    allocation: tuple[float, ...] = (1.0, 1.0)
    size_cv: float = 0.0
    per_block: int = 0
    kind: str = "between"
    random_slopes: bool = False

    def __post_init__(self) -> None:
        problem = _problem(self)
        if problem:
            raise ValueError(problem)

    @property
    def groups_per_arm(self) -> tuple[int, ...]:
        if self.kind == "within":
            return (self.groups,) * len(self.allocation)
        return tuple(max(1, round(self.groups * share)) for share in self.allocation)

    @property
    def n_groups(self) -> int:
        return self.groups if self.kind == "within" else sum(self.groups_per_arm)

    @property
    def step(self) -> int:
        """`groups` comes in multiples of this."""
        return max(1, self.per_block)

    @property
    def n_blocks(self) -> int:
        return self.groups // self.per_block if self.per_block else 0

    def with_groups(self, groups: int) -> Plan:
        return replace(self, groups=groups)

    def with_size(self, size: float) -> Plan:
        return replace(self, size=size)

    @property
    def design(self) -> Design:
        """The plan as rows of individuals, the reference arm first.

        Raises
        ------
        InputError
            If there are too few groups to tell arms and blocks apart.
        """
        return individuals(*self._cells)

    @property
    def compressed(self) -> Design:
        """The same with a row for the members of a group in an arm: as large as there are groups."""
        return repeated(*self._cells)

    @property
    def _cells(self) -> tuple[Design, np.ndarray]:
        """Groups by their arms as if each was one individual, and the members (m,) of each."""
        return self._within() if self.kind == "within" else self._between()

    def _between(self) -> tuple[Design, np.ndarray]:
        counts = self.groups_per_arm
        arm = np.repeat(np.arange(len(counts)), counts)
        sizes = np.concatenate([group_sizes(n, self.size, self.size_cv) for n in counts])
        block = None
        if self.per_block:
            place = np.concatenate([np.arange(n) for n in counts])
            shares = self.per_block * np.array(self.allocation)
            block = place // shares.astype(int)[arm]
        design = coded_design(
            arm,
            np.arange(len(arm)),
            _labels(len(counts)),
            block=block,
            random_slopes=self.random_slopes,
        )
        return design, sizes

    def _within(self) -> tuple[Design, np.ndarray]:
        share = np.array(self.allocation) / sum(self.allocation)
        sizes = group_sizes(self.groups, self.size, self.size_cv)
        members = np.maximum(1, np.rint(np.outer(sizes, share)).astype(int)).ravel()
        J = len(share)
        design = coded_design(
            np.tile(np.arange(J), self.groups),
            np.repeat(np.arange(self.groups), J),
            _labels(J),
            random_slopes=self.random_slopes,
        )
        return design, members


@dataclass(frozen=True)
class Variation:
    """How the outcome varies where no treatment is given.

    Attributes
    ----------
    sd : float
        Of individuals over all groups, in units of the outcome.
    icc : float
        Share of that variance that lies between groups.
    sd_effect : float
        Within designs: sd over groups of the difference between two arms.
    r2_group, r2_individual : float
        Shares of the variance between groups, and within them, that planned covariates explain.
    group_covariates, individual_covariates : int
        Their numbers: one value per group, one per individual.
    """

    sd: float
    icc: float
    sd_effect: float = 0.0
    r2_group: float = 0.0
    r2_individual: float = 0.0
    group_covariates: int = 0
    individual_covariates: int = 0

    def __post_init__(self) -> None:
        shares = (self.icc, self.r2_group, self.r2_individual)
        if not (self.sd > 0 and all(0 <= share < 1 for share in shares)):
            raise ValueError("sd must be positive; icc and shares explained at least 0, below 1")
        if self.sd_effect and self.sd_effect**2 / 2 >= self.var_group:
            raise ValueError(
                "sd_effect is too large: groups whose effects differ so much differ by more than "
                "the icc says, whose variance within one arm is above sd_effect^2 / 2"
            )

    @property
    def var_group(self) -> float:
        """Between groups in one arm, given the covariates."""
        return self.sd**2 * self.icc * (1 - self.r2_group)

    @property
    def var_residual(self) -> float:
        return self.sd**2 * (1 - self.icc) * (1 - self.r2_individual)

    @property
    def planned_covariates(self) -> int:
        return self.group_covariates + self.individual_covariates

    def effects_covariance(self, n_arms: int) -> np.ndarray:
        """Covariance (J, J) of a group's effects in the J arms; differences have sd_effect^2."""
        var_arm = self.sd_effect**2 / 2
        return (self.var_group - var_arm) * np.ones((n_arms, n_arms)) + var_arm * np.eye(n_arms)


def group_sizes(n_groups: int, mean: float, cv: float = 0.0) -> np.ndarray:
    """Whole sizes (n_groups,) with this mean and coefficient of variation, up to rounding.

    Quantiles of a gamma distribution at equal steps, in no order that arms or blocks follow.
    """
    if cv == 0 or n_groups == 1:
        return np.full(n_groups, max(1, round(mean)))
    quantiles = special.gammaincinv(cv**-2, (np.arange(n_groups) + 0.5) / n_groups)
    unit = (quantiles - quantiles.mean()) / quantiles.std()
    sizes = np.maximum(1, np.rint(mean * (1 + cv * unit)).astype(int))
    spread = np.argsort(np.arange(n_groups) * (np.sqrt(5) - 1) / 2 % 1)
    return np.asarray(sizes[spread])


def _labels(n_arms: int) -> tuple[str, ...]:
    return ("reference", *(f"arm {j}" for j in range(1, n_arms)))


def _problem(plan: Plan) -> str:
    """What is wrong with a plan, or nothing."""
    if plan.kind not in KINDS:
        return f"kind is one of {', '.join(KINDS)}"
    if plan.groups < 1 or plan.size < 1 or plan.size_cv < 0 or plan.per_block < 0:
        return "groups and size are at least 1, size_cv and per_block at least 0"
    if len(plan.allocation) < 2 or plan.allocation[0] != 1 or min(plan.allocation) <= 0:
        return "allocation names at least two positive shares, the first of them 1"
    if not plan.per_block:
        return ""
    if plan.kind == "within":
        return "blocks are for treatments of whole groups"
    if plan.groups % plan.per_block:
        return "per_block has to divide groups"
    if any((share * plan.per_block) % 1 for share in plan.allocation):
        return "allocation times per_block has to be whole: the groups of an arm in a block"
    return ""
