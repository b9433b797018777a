"""Interim door to the mixed models."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from groupwise.design import Design
from groupwise.inference.engines import (
    Draws,
    GeneralEngine,
    OneIntercept,
    has_one_intercept,
    random_terms,
)
from groupwise.inference.wald import f_test, wald
from groupwise.models.lmm import fit_structure
from groupwise.models.lmm_structure import LmmStructure
from groupwise.models.random_intercept import RandomIntercept
from groupwise.tidy import Inference, JointTest


@dataclass(frozen=True)
class MixedModel:
    model: Any

    def fit(self, y):
        return MixedFit(self.model, y)


def mixed_model(design: Design) -> MixedModel:
    if has_one_intercept(design):
        return MixedModel(RandomIntercept.of(design.X, design.group))
    return MixedModel(LmmStructure.of(design.X, random_terms(design)))


def stacked(rows, conf_level):
    names = [n for n in Inference.__dataclass_fields__ if n not in ("conf_level", "gaps", "covers")]
    return Inference(
        **{n: np.array([getattr(r, n) for r in rows]) for n in names}, conf_level=conf_level
    )


def joints(tests):
    return JointTest(
        np.array([float(t.statistic) for t in tests]),
        tests[0].df_num,
        np.array([float(t.df_den) for t in tests]),
        np.array([float(t.p_value) for t in tests]),
    )


@dataclass(frozen=True)
class MixedFit:
    model: Any
    y: np.ndarray

    @cached_property
    def engines(self):
        out = []
        for y in self.y:
            try:
                if isinstance(self.model, RandomIntercept):
                    out.append(OneIntercept.of(self.model, y))
                else:
                    f = fit_structure(self.model, y)
                    if not f.converged:
                        raise ValueError(f.message)
                    out.append(GeneralEngine(f))
            except (ValueError, np.linalg.LinAlgError) as e:
                out.append(str(e))
        return out

    @property
    def n_outcomes(self):
        return len(self.y)

    @property
    def converged(self):
        return np.array([not isinstance(e, str) for e in self.engines])

    @property
    def singular(self):
        return np.array([not isinstance(e, str) and e.singular for e in self.engines])

    @property
    def message(self):
        e = self.engines[0]
        return e if isinstance(e, str) else e.fit.message if isinstance(e, GeneralEngine) else ""

    def _each(self, L, conf_level, ask):
        rows = []
        for i, e in enumerate(self.engines):
            if isinstance(e, str):
                rows.append(Inference.missing(len(L), conf_level))
            else:
                rows.append(ask(e, i))
        return stacked(rows, conf_level)

    def wald(self, L, conf_level):
        return self._each(
            L, conf_level, lambda e, i: wald(L, e.beta, e.vcov, df=np.inf, conf_level=conf_level)
        )

    def satterthwaite(self, L, conf_level):
        return self._each(L, conf_level, lambda e, i: e.satterthwaite(L, conf_level))

    def kenward_roger(self, L, conf_level):
        return self._each(L, conf_level, lambda e, i: e.kenward_roger(L, conf_level))

    def profile(self, L, conf_level, limits):
        return self._each(L, conf_level, lambda e, i: e.profile(L, conf_level))

    def bootstrap(self, L, conf_level, n_draws, seed):
        return self._each(
            L, conf_level, lambda e, i: e.bootstrap(L, conf_level, Draws(n_draws, seed + i))
        )

    def wald_joint(self, L):
        return joints([f_test(L @ e.beta, L @ e.vcov @ L.T, np.inf) for e in self.engines])

    def satterthwaite_joint(self, L):
        return joints([e.satterthwaite_joint(L) for e in self.engines])

    def kenward_roger_joint(self, L):
        return joints([e.kenward_roger_joint(L) for e in self.engines])

    def likelihood_ratio(self, L):
        return joints([e.likelihood_ratio(L) for e in self.engines])

    def bootstrap_joint(self, L, n_draws, seed):
        return joints(
            [e.bootstrap_joint(L, Draws(n_draws, seed + i)) for i, e in enumerate(self.engines)]
        )

    def profile_covers(self, L, value, conf_level):
        p = self.profile(L, conf_level, None)
        return ((p.conf_low <= value) & (value <= p.conf_high)).astype(float)

    @property
    def one(self):
        return self.engines[0]

    @property
    def beta(self):
        return self.one.beta[None]

    @property
    def loglik(self):
        return np.array([self.one.loglik])

    @property
    def residual(self):
        return self.one.residual

    def components(self, reml, conf_level):
        return self.one.components(reml=reml, conf_level=conf_level)

    def group_variance_test(self, n_refits, seed):
        return self.one.group_variance_test(Draws(n_refits, seed))

    def unusual_groups(self):
        return self.one.unusual_groups()

    def correlations(self):
        said = {}
        for each in self.one.fit.components if isinstance(self.one, GeneralEngine) else ():
            if not each.correlated:
                continue
            for j, row in enumerate(each.colnames):
                for i, column in enumerate(each.colnames[:j]):
                    scale = each.std_dev[i] * each.std_dev[j]
                    value = each.covariance[i, j] / scale if scale > 0 else np.nan
                    said[f"correlation: {column}, {row}"] = float(value)
        return said

    def random_effects(self):
        if isinstance(self.one, GeneralEngine):
            return {e.name: (e.estimate, e.std_error) for e in self.one.fit.random_effects}
        blup, se = self.one.small.fit.blups()
        return {"group": (blup[:, None], se[:, None])}
