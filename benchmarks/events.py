"""Mixed models of events: batches of small experiments beside a loop over lme4's glmer."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
from experiments import Experiment, experiment
from mixed import LEVEL, each
from rivals import R
from sizes import Sizes
from timing import Row, best

from groupwise.design import Design
from groupwise.inference.small_sample import kenward_roger, satterthwaite
from groupwise.models.pseudo_likelihood import PseudoLikelihood

RISK, SD_GROUP = 0.4, 0.5


def rows(sizes: Sizes, r: R) -> Iterator[Row]:
    """Time for each of many binary outcomes of 15 groups of 25, every pair of three arms."""
    some = events(sizes.replicates)
    cost = each(best(partial(analyse, design_of(some), some), sizes.repeats), len(some.y))
    few = Experiment(some.X, some.group, some.y[: sizes.few])
    yield Row(
        "15 groups of 25, events: restricted pseudo-likelihood, Satterthwaite and Kenward-Roger",
        *cost,
        "lme4, glmer, fit alone",
        r.seconds("glmer", few).get("each"),
        at_least=200 if sizes.targets else None,
    )


def events(replicates: int) -> Experiment:
    """Outcomes 0 and 1, with groups that differ on the log odds."""
    some = experiment(375, 15, covariate=False, balanced=True)
    rng = np.random.default_rng(2)
    log_odds = np.log(RISK / (1 - RISK)) + SD_GROUP * rng.standard_normal((replicates, 15))
    y = rng.random((replicates, 375)) < 1 / (1 + np.exp(-log_odds[:, some.group]))
    return Experiment(some.X, some.group, y.astype(float))


def design_of(some: Experiment) -> Design:
    import pandas as pd

    from groupwise.data.validate import Roles
    from groupwise.design import make_design
    from groupwise.response import Response

    arm = pd.Categorical(np.array(["a", "b", "c"])[some.arm])
    table = pd.DataFrame({"y": some.y[0], "arm": arm, "group": some.group})
    return make_design(table, Roles("y", "arm", "group"), response=Response("binary", "odds_ratio"))


def analyse(design: Design, some: Experiment) -> None:
    """Fits, Satterthwaite's and Kenward and Roger's tests and intervals of every row of L."""
    fit = PseudoLikelihood.of(design).fit(some.y)
    satterthwaite(fit, some.L, LEVEL)
    kenward_roger(fit, some.L, LEVEL)
