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
    if facts.periods is not None:
        terms.append(rf"\tau_{{t({index})}}")
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
    group, levels = _group_part(facts)
    block, second = "", ""
    if facts.random_blocks:
        block, levels = r" + v_{b(i)}", [r"v_{b} \sim N(0, \sigma_v^2)", *levels]
    if facts.design["roles"]["second_group"]:
        second, levels = r" + w_{s(ij)}", [*levels, r"w_{s} \sim N(0, \sigma_w^2)"]
    if facts.has_cells:
        second, levels = second + r" + w_{it}", [*levels, r"w_{it} \sim N(0, \sigma_w^2)"]
    if facts.has_individuals:
        second, levels = second + r" + s_{k(ij)}", [*levels, r"s_{k} \sim N(0, \sigma_s^2)"]
    left = rf"{_text(facts.role('outcome'))}_{{ij}}"
    noise = NOISE.replace("{i}", "{ij}")
    if not facts.slopes:
        first = rf"{left} = {right}{block} + {group}{second} + \varepsilon_{{ij}}"
        return equation(_lines(first, r", \quad ".join([*levels, noise])), "mixed")
    lines = [f"{left} = {right}{block}", rf"\quad {{}} + {group}{second} + \varepsilon_{{ij}}"]
    return equation(_lines(*lines, r", \quad ".join([*levels, noise])), "mixed")


def _group_part(facts: Facts) -> tuple[str, list[str]]:
    """What a group adds: a level or, with random slopes, also a deviation per arm; and its law."""
    if not facts.slopes:
        return "u_{i}", [r"u_{i} \sim N(0, \sigma_u^2)"]
    slopes = [rf"u_{{{j}i}}\,{_text(arm)}_{{ij}}" for j, arm in enumerate(facts.arms[1:], start=1)]
    if len(slopes) > MANY_TERMS:
        slopes = [*slopes[:2], r"\cdots", slopes[-1]]
    kind = r"\text{ diagonal}" if facts.design["random_slopes"] == "diagonal" else ""
    law = r"\mathbf{u}_{i} \sim N(\mathbf{0}, \Sigma)"
    return " + ".join(["u_{0i}", *slopes]), [rf"{law}, \; \Sigma{kind}" if kind else law]


def _lines(*lines: str) -> str:
    """The model above its distributions: short enough for a phone."""
    return r"\begin{gathered} " + r" \\ ".join(lines) + r" \end{gathered}"
