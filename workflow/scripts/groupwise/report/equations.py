"""The three models, written in the dataset's own names."""

from __future__ import annotations

from groupwise.report.facts import Facts
from groupwise.report.markdown import equation, escape_latex
from groupwise.words import noun

MANY_TERMS = 4

NOISE = r"\varepsilon_{i} \sim N(0, \sigma_\varepsilon^2)"

LINKS = {"log": r"\log", "logit": r"\operatorname{logit}"}


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


def _left(facts: Facts, index: str) -> str:
    """The outcome, or the function of its risk or rate in which effects add up."""
    words, outcome = facts.words, _text(facts.role("outcome"))
    if not words.response.is_ratio:
        return rf"{outcome}_{{{index}}}"
    if words.response.family == "binary":
        return rf"{LINKS[words.response.link]}\,\Pr({outcome}_{{{index}}} = 1)"
    return rf"\log \mathrm{{E}}({outcome}_{{{index}}})"


def _offset(facts: Facts, index: str) -> str:
    """The logarithm of the exposure, of rates; else nothing."""
    exposure = facts.design["roles"].get("exposure")
    if not exposure or not facts.words.response.is_ratio:
        return ""
    return rf"\log \text{{{escape_latex(noun(exposure))}}}_{{{index}}} + "


def _noise(facts: Facts, index: str) -> str:
    """The noise at the end of the model; of ratios it has none of its own."""
    return "" if facts.words.response.is_ratio else rf" + \varepsilon_{{{index}}}"


def _laws(facts: Facts, *levels: str, index: str = "i") -> list[str]:
    """The distributions below the model, joined in one line; none for a model of risks alone."""
    noise = [] if facts.words.response.is_ratio else [NOISE.replace("{i}", f"{{{index}}}")]
    laws = [*levels, *noise]
    return [r", \quad ".join(laws)] if laws else []


def pooled(facts: Facts) -> str:
    right, _ = _fixed(facts, "i", "i")
    first = rf"{_left(facts, 'i')} = {_offset(facts, 'i')}{right}{_noise(facts, 'i')}"
    return equation(_lines(first, *_laws(facts)), "pooled")


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
    left = f"{_left(facts, 'i')} = {_offset(facts, 'i')}{right}"
    second = rf"\quad {{}} + {' + '.join(dummies)}{_noise(facts, 'i')}"
    return equation(_lines(left, second, *_laws(facts)), "dummy")


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
    left = f"{_left(facts, 'ij')} = {_offset(facts, 'ij')}{right}{block}"
    rest = f"{group}{second}{_noise(facts, 'ij')}"
    lines = [left, rf"\quad {{}} + {rest}"] if facts.slopes else [f"{left} + {rest}"]
    return equation(_lines(*lines, *_laws(facts, *levels, index="ij")), "mixed")


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
