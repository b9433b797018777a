"""What each mixed-model method answers to a design."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from groupwise.design import Design
from groupwise.inference import mixed
from groupwise.tidy import NO_TEST, Answers, Inference, JointTest


def answers_by(
    design: Design, infer: Callable[[np.ndarray], Inference], joint: JointTest
) -> Answers:
    """Every question of a design put to one function of rows L."""
    return Answers(infer(design.L), infer(design.L_means), infer(np.eye(len(design.terms))), joint)


def satterthwaite_answers(design: Design, fit: mixed.MixedFit, conf_level: float) -> Answers:
    joint = mixed.satterthwaite_joint(fit, design.omnibus)
    return answers_by(design, lambda L: mixed.satterthwaite(fit, L, conf_level), joint)


def kenward_roger_answers(design: Design, fit: mixed.MixedFit, conf_level: float) -> Answers:
    joint = mixed.kenward_roger_joint(fit, design.omnibus)
    return answers_by(design, lambda L: mixed.kenward_roger(fit, L, conf_level), joint)


def profile_answers(design: Design, fit: mixed.MixedFit, conf_level: float) -> Answers:
    """ML profile likelihood; the omnibus is the likelihood-ratio test. No profiles of blocks."""
    joint = mixed.likelihood_ratio(fit, design.omnibus)
    return _without_blocks(design, lambda L: mixed.profile(fit, L, conf_level), joint)


def bootstrap_answers(
    design: Design, fit: mixed.MixedFit, conf_level: float, *, n_draws: int, seed: int
) -> Answers:
    """Studentised parametric bootstrap; the coefficients of blocks are not bootstrapped.

    One set of draws serves every row, and the p-values are those of the intervals: below
    1 - conf_level exactly when the interval excludes 0.
    """
    draws = {"n_draws": n_draws, "seeds": seed}

    def infer(L: np.ndarray) -> Inference:
        return mixed.bootstrap(fit, L, conf_level, **draws)

    answers = _without_blocks(design, infer, NO_TEST)
    if len(design.omnibus) > 1:
        return replace(answers, omnibus=mixed.bootstrap_joint(fit, design.omnibus, **draws))
    one = answers.contrasts  # two arms: one question, one p-value
    joint = JointTest(one.statistic[0] ** 2, 1.0, np.array(np.nan), one.p_value[0])
    return replace(answers, omnibus=joint)


def _without_blocks(
    design: Design, infer: Callable[[np.ndarray], Inference], joint: JointTest
) -> Answers:
    """Every question but the coefficients of blocks, in one call: rows can be costly."""
    k = len(design.terms)
    wanted = np.setdiff1d(np.arange(k), design.columns("block"))
    found = infer(np.vstack([design.L, design.L_means, np.eye(k)[wanted]]))
    contrasts, means, terms = _split(found, len(design.L), len(design.L_means))
    return Answers(contrasts, means, _spread(terms, wanted, k), joint)


def _split(found: Inference, *sizes: int) -> list[Inference]:
    """Consecutive rows as answers of their own; the last takes what is left."""
    cuts = np.split(np.arange(len(found.estimate)), np.cumsum(sizes))
    return [_rows(found, rows) for rows in cuts]


def _rows(found: Inference, rows: np.ndarray) -> Inference:
    arrays = {k: v[rows] for k, v in found.columns().items() if k != "conf_level"}
    return Inference(**arrays, conf_level=found.conf_level)


def _spread(found: Inference, wanted: np.ndarray, k: int) -> Inference:
    """The same rows at their places among k, NaN elsewhere."""
    place = np.zeros(k, dtype=int)
    place[wanted] = np.arange(len(wanted))
    return _rows(found, place).mask(np.isin(np.arange(k), wanted))
