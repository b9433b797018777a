"""The three models, written in the dataset's own names."""

from __future__ import annotations

from groupwise.report.facts import Facts
from groupwise.report.markdown import equation, escape_latex
from groupwise.words import noun

MANY_TERMS = 4

NOISE = r"\varepsilon_{i} \sim N(0, \sigma_\varepsilon^2)"


def _text(words: str) -> str:
    return rf"\text{{{escape_latex(words)}}}"


def _fixed(facts: Facts, index: str, treatment_index: str) -> tuple[str, int]:
    """Intercept, treatment, blocks and covariates; and the number of the next beta."""
    arms = facts.arms[1:]
    terms = [
        rf"\beta_{{{j}}}\,{_text(arm)}_{{{treatment_index}}}" for j, arm in enumerate(arms, start=1)
    ]
    if len(terms) > MANY_TERMS:
        terms = [*terms[:2], r"\cdots", terms[-1]]
    if facts.design["roles"]["block"] and facts.design["blocks_as"] == "fixed":
        terms.append(rf"\gamma_{{{_text(facts.role('block'))}(i)}}")
    for k, name in enumerate(facts.design["roles"]["covariates"], start=1):
        terms.append(rf"\delta_{{{k}}}\,{_text(noun(name))}_{{{index}}}")
    return r"\beta_0 + " + " + ".join(terms), len(arms) + 1


def pooled(facts: Facts) -> str:
    right, _ = _fixed(facts, "i", "i")
    first = rf"{_text(facts.role('outcome'))}_{{i}} = {right} + \varepsilon_{{i}}"
    return equation(_lines(first, NOISE), "pooled")


def dummy(facts: Facts) -> str:
    right, following = _fixed(facts, "i", "i")
    group, n = escape_latex(facts.role("group")), facts.design["n_groups"]
    last = following + n - 2
    dummies = [
        rf"\beta_{{{following}}}\,\text{{{group} 2}}_{{i}}",
        r"\cdots",
        rf"\beta_{{{last}}}\,\text{{{group} {n}}}_{{i}}",
    ]
    if n == 2:
        dummies = dummies[:1]
    left = rf"{_text(facts.role('outcome'))}_{{i}}"
    second = rf"\quad {{}} + {' + '.join(dummies)} + \varepsilon_{{i}}"
    return equation(_lines(f"{left} = {right}", second, NOISE), "dummy")


def mixed(facts: Facts) -> str:
    right, _ = _fixed(facts, "ij", "i" if facts.between else "ij")
    blocks = facts.design["blocks_as"] == "random"
    block = r" + v_{b(i)}" if blocks else ""
    levels = [r"u_{i} \sim N(0, \sigma_u^2)", NOISE.replace("{i}", "{ij}")]
    if blocks:
        levels.insert(0, r"v_{b} \sim N(0, \sigma_v^2)")
    left = rf"{_text(facts.role('outcome'))}_{{ij}}"
    first = rf"{left} = {right}{block} + u_{{i}} + \varepsilon_{{ij}}"
    return equation(_lines(first, r", \quad ".join(levels)), "mixed")


def _lines(*lines: str) -> str:
    """The model above its distributions: short enough for a phone."""
    return r"\begin{gathered} " + r" \\ ".join(lines) + r" \end{gathered}"
