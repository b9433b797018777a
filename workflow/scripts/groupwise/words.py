"""The words for methods and numbers that figures and reports share."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

MINUS = "\u2212"


class MethodWords(NamedTuple):
    """A method's short name, its name in a sentence, and what one has to believe to use it."""

    label: str
    phrase: str
    assumes: str


METHODS = {
    "ols_classical": MethodWords(
        "Pooled OLS",
        "pooled OLS",
        "Individuals are independent, also within a {group}: there are no {group} effects.",
    ),
    "ols_cr1": MethodWords(
        "Pooled OLS, CR1",
        "pooled OLS with CR1",
        "{Groups} are independent of each other, and there are many of them.",
    ),
    "ols_cr2": MethodWords(
        "Pooled OLS, CR2",
        "pooled OLS with CR2",
        "{Groups} are independent of each other; few are enough.",
    ),
    "ols_cr3": MethodWords(
        "Pooled OLS, CR3",
        "pooled OLS with CR3",
        "{Groups} are independent of each other; errs on the careful side.",
    ),
    "ols_wild_bootstrap": MethodWords(
        "Pooled OLS, wild bootstrap",
        "the wild cluster bootstrap",
        "{Groups} are independent of each other; their residuals might as well have the other sign.",
    ),
    "group_means": MethodWords(
        "Group means",
        "the t test of group means",
        "Each {group} is one observation; the means of {groups} have one variance.",
    ),
    "group_means_weighted": MethodWords(
        "Group means, weighted by size",
        "the t test of weighted group means",
        "Each {group} is one observation, and counts in proportion to its size.",
    ),
    "dummy": MethodWords(
        "Dummies",
        "the dummy model",
        "Each {group} has a parameter of its own; arms are compared within a {group}.",
    ),
    "dummy_nested": MethodWords(
        "Dummies, averaged by arm",
        "the dummy model averaged by arm",
        "Each {group} has a parameter of its own; the answer is about these {groups} only.",
    ),
    "mixed_wald": MethodWords(
        "Mixed model, z",
        "the mixed model with z",
        "{Groups} are a sample; their effects are normal with one variance, taken as known.",
    ),
    "mixed_satterthwaite": MethodWords(
        "Mixed model, Satterthwaite",
        "the mixed model with Satterthwaite df",
        "As above, but the variances are estimated, so t with the df they leave.",
    ),
    "mixed_kenward_roger": MethodWords(
        "Mixed model, Kenward-Roger",
        "the mixed model with Kenward-Roger df",
        "As above, with standard errors corrected for the estimated variances as well.",
    ),
    "mixed_profile": MethodWords(
        "Mixed model, profile likelihood",
        "the profile likelihood of the mixed model",
        "As above; the likelihood ratio is compared with its limit for many {groups}.",
    ),
    "mixed_bootstrap": MethodWords(
        "Mixed model, bootstrap",
        "the bootstrap of the mixed model",
        "As above; the model itself draws the data the estimate is compared with.",
    ),
    "gee_bias_reduced": MethodWords(
        "GEE, bias-reduced",
        "bias-reduced GEE",
        "{Groups} are independent of each other; members of a {group} are about equally alike.",
    ),
    "randomization": MethodWords(
        "Randomisation",
        "the randomisation test",
        "Chance alone decided who got which arm, as the design says; nothing else is assumed.",
    ),
}
"""In the order in which tables and figures show them."""


PROCESSES = {
    "normal": "outcomes are as the mixed model has them",
    "t_residuals": "individuals have heavy tails (t with 3 degrees of freedom)",
    "t_groups": "group effects have heavy tails (t with 3 degrees of freedom)",
    "skewed_groups": "group effects are skewed (exponential)",
    "unequal_variance": "arms differ in spread (by a factor of 2 in standard deviation)",
    "varying_effects": "the effect differs between groups (standard deviation .3 of the outcome's)",
    "informative_sizes": "group effects go with group sizes (correlation .7)",
}
"""Processes of the simulations, as the end of a sentence that begins with "if"."""


def method_order(method: str) -> int:
    """Place of a method in tables; one without words stands last."""
    known = list(METHODS)
    return known.index(method) if method in known else len(known)


def method_label(method: str) -> str:
    return METHODS[method].label if method in METHODS else method


def method_phrase(method: str) -> str:
    """A method as a noun, in the middle of a sentence."""
    return METHODS[method].phrase if method in METHODS else method


def capital(text: str) -> str:
    """The text with a capital at its start."""
    return text[:1].upper() + text[1:]


def contrast_label(contrast: str) -> str:
    """`B - A` with a true minus sign."""
    return contrast.replace(" - ", f" {MINUS} ")


def number(value: float, digits: int = 3) -> str:
    """So many significant digits, without an exponent, with a true minus sign."""
    if not np.isfinite(value):
        return "not known"
    if value == 0:
        return "0"
    decimals = digits - 1 - int(np.floor(np.log10(abs(value))))
    return fixed(value, min(max(decimals, 0), 8))


def fixed(value: float, decimals: int) -> str:
    """So many decimals, with a true minus sign and none before a zero."""
    if not np.isfinite(value):
        return "\u2013"
    text = f"{value:,.{decimals}f}"
    if float(text.replace(",", "")) == 0:
        text = text.lstrip("-")
    return text.replace("-", MINUS)


def signed(value: float) -> str:
    """A number as it was set, with a true minus sign: 4, 2.5, −2."""
    return f"{value:g}".replace("-", MINUS)


def decimals_for(spread: float) -> int:
    """Decimals that show two significant digits of a standard error."""
    if not np.isfinite(spread) or spread <= 0:
        return 2
    return int(np.clip(1 - np.floor(np.log10(spread)), 0, 8))


def p_value(value: float) -> str:
    """`.013`, `< .001`: three decimals, no zero before the point; `.0496` is not .050."""
    if not np.isfinite(value):
        return "\u2013"
    if value < 0.001:
        return "<\u00a0.001"
    if value < 0.05 <= round(value, 3):
        return f"{min(value, 0.0499):.4f}".lstrip("0")
    return "1.000" if value > 0.9995 else f"{value:.3f}".lstrip("0")


def equals_p(value: float) -> str:
    """`p = .013` or `p < .001`."""
    text = p_value(value)
    return f"p\u00a0{text}" if text.startswith("<") else f"p\u00a0=\u00a0{text}"


def percent(share: float) -> str:
    """A share as a whole percentage, or `less than 1%`."""
    if 0 < share < 0.01:
        return "less than 1%"
    return f"{round(100 * share)}%"


def plural(word: str) -> str:
    """The plural of an English noun, or of a column's name that is used as one."""
    if word.endswith(("s", "x", "ch", "sh")):
        return f"{word}es"
    if word.endswith("y") and word[-2:-1] not in tuple("aeiou"):
        return f"{word[:-1]}ies"
    return f"{word}s"


def count(n: int, word: str) -> str:
    """`1 group`, `15 groups`, `5,871 individuals`."""
    return f"{n:,} {word if n == 1 else plural(word)}"


def listing(items: list[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} and {items[-1]}"


def noun(column: str) -> str:
    """A column's name as a word in a sentence: `class_type` is a class type."""
    return column.replace("_", " ")


def article(word: str) -> str:
    """The word with `a` or `an` before it."""
    return f"{'an' if word[:1].lower() in 'aeiou' else 'a'} {word}"


def span(low: str, high: str) -> str:
    """`low to high`, kept on one line."""
    return f"{low}\u00a0to\u00a0{high}"
