"""The three models, written in the dataset's own names."""

from __future__ import annotations

from groupwise.report.facts import Facts
from groupwise.report.markdown import equation, escape_latex

MANY_TERMS = 4


def _text(words: str) -> str:
    return rf"\text{{{escape_latex(words)}}}"


def _fixed(facts: Facts, index: str) -> tuple[str, int]:
    """Intercept, treatment, blocks and covariates; and the number of the next beta."""
    arms = facts.arms[1:]
    terms = [rf"\beta_{{{j}}}\,{_text(arm)}_{{{index}}}" for j, arm in enumerate(arms, start=1)]
    if len(terms) > MANY_TERMS:
        terms = [*terms[:2], r"\cdots", terms[-1]]
    if facts.design["roles"]["block"] and facts.design["blocks_as"] == "fixed":
        terms.append(rf"\gamma_{{{_text(facts.role('block'))}({index})}}")
    for k, name in enumerate(facts.design["roles"]["covariates"], start=1):
        terms.append(rf"\delta_{{{k}}}\,{_text(name)}_{{{index}}}")
    return r"\beta_0 + " + " + ".join(terms), len(arms) + 1


def pooled(facts: Facts) -> str:
    right, _ = _fixed(facts, "i")
    latex = rf"{_text(facts.role('outcome'))}_{{i}} = {right} + \varepsilon_{{i}}, \qquad "
    return equation(latex + r"\varepsilon_{i} \sim N(0, \sigma_\varepsilon^2)", "pooled")


def dummy(facts: Facts) -> str:
    right, following = _fixed(facts, "i")
    group, n = escape_latex(facts.role("group")), facts.design["n_groups"]
    last = following + n - 2
    dummies = [
        rf"\beta_{{{following}}}\,\text{{{group} 2}}_{{i}}",
        r"\cdots",
        rf"\beta_{{{last}}}\,\text{{{group} {n}}}_{{i}}",
    ]
    if n == 2:
        dummies = dummies[:1]
    latex = rf"{_text(facts.role('outcome'))}_{{i}} = {right} + {' + '.join(dummies)}"
    return equation(latex + r" + \varepsilon_{i}", "dummy")


def mixed(facts: Facts) -> str:
    right, _ = _fixed(facts, "ij")
    blocks = facts.design["blocks_as"] == "random"
    block = r" + v_{b(i)}" if blocks else ""
    latex = (
        rf"{_text(facts.role('outcome'))}_{{ij}} = {right}{block} + u_{{i}} + \varepsilon_{{ij}}, "
        r"\qquad u_{i} \sim N(0, \sigma_u^2), \quad "
        r"\varepsilon_{ij} \sim N(0, \sigma_\varepsilon^2)"
    )
    return equation(latex + (r", \quad v_{b} \sim N(0, \sigma_v^2)" if blocks else ""), "mixed")
