"""The sentences of the report that hold numbers or names of the data."""

from __future__ import annotations

import numpy as np

from groupwise.report.facts import Facts
from groupwise.report.markdown import bullets, callout, escape, escape_note
from groupwise.words import (
    article,
    contrast_label,
    count,
    decimals_for,
    equals_p,
    fixed,
    listing,
    method_label,
    number,
    p_value,
    percent,
    plural,
    signed,
)


def bold(text: str) -> str:
    return f"**{escape(text)}**"


def answer(facts: Facts) -> str:
    """The headline method's answer to every comparison, in one callout."""
    rows = facts.estimates(facts.headline)
    if rows["estimate"].isna().any():
        message = rows["message"].iloc[0] or "It does not apply to this design."
        body = f"{method_label(facts.headline)} gives no answer here. {escape(message)}"
        return callout("warning", "The answer", body)
    items = [
        f"{bold(contrast_label(contrast))}: {effect(facts, row)}"
        for contrast, row in rows.iterrows()
    ]
    how = (
        f"Differences in {escape(facts.role('outcome'))} with {facts.interval} intervals, by the "
        f"headline method ({method_label(facts.headline)}):"
    )
    return callout("important", "The answer", f"{how}\n{bullets(items)}\n{disagreement(facts)}")


def effect(facts: Facts, row) -> str:  # type: ignore[no-untyped-def]
    """Estimate, interval and p-value of one row."""
    k = decimals_for(row["std_error"])
    return (
        f"{fixed(row['estimate'], k)} ({fixed(row['conf_low'], k)} to {fixed(row['conf_high'], k)}; "
        f"{equals_p(row['p_value'])})"
    )


def disagreement(facts: Facts) -> str:
    """Do the methods agree on which comparisons are significant, and if not, who says what?"""
    answering = facts.answering
    if len(answering) < 2:
        return "Only one method gives an answer here."
    disputed = []
    for contrast in facts.contrasts:
        p = {m: facts.estimates(m).loc[contrast, "p_value"] for m in answering}
        yes = [m for m in answering if p[m] < facts.alpha]
        no = [m for m in answering if m not in yes]
        if yes and no:
            disputed.append(
                f"{bold(contrast_label(contrast))} is significant by {_with_p(yes, p)}, "
                f"not by {_with_p(no, p)}"
            )
    level = f"At the {100 * facts.alpha:g}% level"
    if not disputed:
        return f"{level} the {len(answering)} methods that answer agree on every comparison."
    return f"{level} the methods disagree: {'; '.join(disputed)}."


def _with_p(methods: list[str], p: dict[str, float]) -> str:
    """Methods with their p-values; many are counted, with the range of their p-values."""
    if len(methods) <= 3:
        return listing([f"{method_label(m)} ({equals_p(p[m])})" for m in methods])
    values = [p[m] for m in methods]
    return f"{len(methods)} methods (p from {p_value(min(values))} to {p_value(max(values))})"


def question(facts: Facts) -> str:
    arms = [f"{escape(arm)}" for arm in facts.arms]
    arms[0] += " (the reference)"
    return (
        f"Does the {bold(facts.role('treatment'))} change the {bold(facts.role('outcome'))}? "
        f"The arms compared are {listing(arms)}."
    )


def design(facts: Facts) -> str:
    """Who is in which group, and what the treatment was given to."""
    d, group = facts.design, escape(facts.role("group"))
    size = d["group_size"]
    if size["min"] == size["max"]:
        sizes = f"{count(size['min'], 'individual')} each"
    else:
        sizes = (
            f"{size['min']} to {size['max']} individuals each "
            f"(median {signed(size['median'])}, mean {number(size['mean'])})"
        )
    text = (
        f"The data hold {count(d['n_obs'], 'individual')} in {count(d['n_groups'], 'group')}, "
        f"{sizes}; a group is {article(group)}. "
    )
    return text + _assignment(facts, group)


def _assignment(facts: Facts, group: str) -> str:
    d, treatment = facts.design, escape(facts.role("treatment"))
    text = ""
    if d["n_blocks"]:
        text = (
            f"The {plural(group)} lie in {count(d['n_blocks'], escape(facts.role('block')))}, "
            f"and arms are compared within a {escape(facts.role('block'))}. "
        )
    if facts.between:
        return text + (
            f"The {treatment} is the same for all individuals of {article(group)}: it was given to "
            f"{plural(group)}. How much the data can tell depends on the {d['n_groups']:,} "
            f"{plural(group)} more than on the {d['n_obs']:,} individuals."
        )
    some = "every" if d["kind"] == "within" else "some"
    return text + (
        f"The {treatment} varies within {some} {group if some == 'every' else plural(group)}: "
        f"individuals of the same {group} can be compared with one another."
    )


def dropped(facts: Facts) -> str:
    """Which rows were set aside; nothing if none was."""
    reasons, n_read = facts.design["dropped"], facts.design["n_read"]
    if not reasons:
        return f"All {n_read:,} rows of the data are used."
    total = sum(reasons.values())
    why = listing([f"{n:,} with {escape(reason)}" for reason, n in reasons.items()])
    return f"Of {n_read:,} rows, {total:,} ({percent(total / n_read)}) are set aside: {why}."


def warnings(facts: Facts) -> str:
    """What a reader must know of these data; nothing if there is nothing."""
    said = [escape_note(sentence) for sentence in facts.design["warnings"]]
    if facts.design.get("note"):
        said.append(escape_note(facts.design["note"]))
    return callout("warning", "To know about these data", bullets(said)) if said else ""


def effects(facts: Facts) -> str:
    """The three effects that mix in every difference between arms."""
    outcome, group = escape(facts.role("outcome")), escape(facts.role("group"))
    first = escape(contrast_label(facts.contrasts[0]))
    treatment = (
        f"**Treatment effect**, what is asked for: what the {escape(facts.role('treatment'))} does to "
        f"the {outcome}, for instance {first}."
    )
    if facts.truth is not None:
        true = [
            f"{escape(contrast_label(c))}: {signed(v)}" for c, v in facts.truth["effects"].items()
        ]
        treatment += f" These data are simulated, so the true values are known: {listing(true)}."
    return bullets([treatment, _group_effect(facts, group), _individual_effect(facts, group)])


def _group_effect(facts: Facts, group: str) -> str:
    text = f"**Group effect**: {plural(group)} differ, whatever their arm."
    component = facts.group_component
    if component is None:
        return text
    if component["variance"] == 0:
        return (
            text + " Here the mixed model finds no such difference: it estimates the spread as 0."
        )
    return text + f" The standard deviation between {plural(group)} is {_sd(facts, component)}."


def _individual_effect(facts: Facts, group: str) -> str:
    text = f"**Individual effect**: the individuals of one {group} differ among themselves."
    component = facts.component("Residual")
    if component is None:
        return text
    return text + f" Their standard deviation is {_sd(facts, component)}."


def _sd(facts: Facts, component) -> str:  # type: ignore[no-untyped-def]
    text = number(component["std_dev"])
    if np.isfinite(component["conf_low"]):
        low, high = number(component["conf_low"]), number(component["conf_high"])
        text += f" ({facts.interval} interval {low} to {high})"
    return text


def correlation(facts: Facts) -> str:
    """ICC, design effect, and what they do to the number of independent observations."""
    if not np.isfinite(facts.icc):
        return ""
    group, n = escape(facts.role("group")), facts.design["n_obs"]
    within = "within an arm"
    if facts.design["n_blocks"]:
        within += f" of one {escape(facts.role('block'))}"
    text = (
        f"Of the variance {within}, {percent(facts.icc)} lies between {plural(group)}: two "
        f"individuals of one {group} correlate by about {fixed(facts.icc, 2)} (the intraclass "
        f"correlation, ICC). "
    )
    if facts.icc == 0:
        return text + "By this estimate the individuals count as independent."
    if not facts.between:
        return text
    return text + (
        f"For a treatment given to whole {plural(group)} that multiplies the variance of a mean by "
        f"about {number(facts.design_effect)} (the design effect): {n:,} individuals tell as much as "
        f"about {round(n / facts.design_effect):,} independent ones."
    )


def pooled_cost(facts: Facts) -> str:
    """What the pooled model's standard errors claim, beside the mixed model's."""
    ratio = _se_ratio(facts, "mixed_wald", "ols_classical")
    if not np.isfinite(ratio):
        return ""
    contrast = escape(contrast_label(facts.contrasts[0]))
    if ratio < 1.05:
        return f"Here its standard errors are close to the mixed model's (ratio {fixed(ratio, 2)})."
    return (
        f"Here the mixed model's standard error for {contrast} is {fixed(ratio, 1)} times as large: "
        f"the pooled p-values are too small."
    )


def _se_ratio(facts: Facts, a: str, b: str) -> float:
    if not {a, b} <= set(facts.methods):
        return float("nan")
    return float(facts.estimates(a)["std_error"].iloc[0] / facts.estimates(b)["std_error"].iloc[0])


def group_parameters(facts: Facts) -> dict[str, str]:
    """How many parameters each specification spends on groups."""
    n, group = facts.design["n_groups"], escape(facts.role("group"))
    levels = "two (one more for the blocks)" if facts.design["blocks_as"] == "random" else "one"
    return {
        "pooled": "none",
        "dummy": f"{n - 1:,}, one for each {group} but the first",
        "mixed": f"{levels}, the variance of the {group} effects",
    }


def trap(facts: Facts) -> str:
    """Does the dummy model identify the treatment effect, and if not, why not?"""
    columns, rank = (int(facts.statistic("dummy", name)) for name in ("columns", "rank"))
    group, treatment = escape(facts.role("group")), escape(facts.role("treatment"))
    if not facts.between:
        return (
            f"The {treatment} varies within {plural(group)}, so the dummy model compares individuals "
            f"of the same {group}: the treatment effect is identified wherever both arms meet in one "
            f"{group}."
        )
    lost = columns - rank
    return (
        f"The {treatment} is constant within each {group}. Add up the indicators of the "
        f"{plural(group)} of an arm and you have the indicator of that arm: the model has "
        f"{columns} columns but rank {rank}, so {count(lost, 'column')} too many. The data "
        f"cannot tell an arm from the {plural(group)} in it, and the treatment effect is **not "
        f"identified**. Software prints numbers all the same, and which ones depends on a convention "
        f"(@tbl-aliasing)."
    )


def dropped_columns(facts: Facts) -> str:
    """Which group columns R would drop, and what its treatment coefficients compare then."""
    table = facts.results["aliasing"]
    gone = table[(table["convention"] == "drop_last") & table["aliased"]]
    if gone.empty:
        return ""
    group = escape(facts.role("group"))
    names = [escape(term.replace(": ", " ")) for term in gone["term"]]
    named = f"{len(names)} columns"
    if len(names) <= 4:
        named = f"the column{'' if len(names) == 1 else 's'} {listing(names)}"
    return (
        f"A program that drops the last of the columns it cannot use (R does) drops {named} here, and "
        f"prints under the name of an arm a difference between single {plural(group)}. One that drops "
        f"the first drops the arms themselves. One that uses the pseudo-inverse (statsmodels does) "
        f"drops nothing and prints the solution of smallest length, which estimates no effect at all."
    )


def nested_alternative(facts: Facts) -> str:
    group = escape(facts.role("group"))
    rows = facts.estimates("dummy_nested")
    if rows["estimate"].isna().any():
        return f"The identified alternative gives no answer here. {escape(rows['message'].iloc[0])}"
    first = facts.contrasts[0]
    return (
        f"What the dummies can say is how the average {group} of an arm did: make the {group} effects "
        f"add up to zero within each arm"
        + (f" and {escape(facts.role('block'))}" if facts.design["n_blocks"] else "")
        + f", and the difference between arms is identified again, for {escape(contrast_label(first))} "
        f"{effect(facts, rows.loc[first])}. Its standard error knows only the spread of individuals: "
        f"the answer is about these {count(facts.design['n_groups'], group)} and not about others "
        f"like them."
    )


def shrinkage(facts: Facts) -> str:
    """How far group effects are pulled towards zero, and why."""
    effects, group = facts.group_effects, escape(facts.role("group"))
    component = facts.group_component
    if component is None or effects.empty:
        return "The mixed model could not be fitted, so there are no group effects to show."
    if component["variance"] == 0:
        return (
            f"The variance between {plural(group)} is estimated as 0, so every {group} effect is "
            f"predicted to be 0: the model pulls all raw deviations to the mean of their arm."
        )
    residual = facts.component("Residual")
    assert residual is not None
    kept = component["variance"] / (component["variance"] + residual["variance"] / effects["n_obs"])
    low, high = percent(kept.min()), percent(kept.max())
    share = low if low == high else f"between {low} and {high}"
    return (
        f"The model predicts the effect of each {group} (BLUP) by pulling its raw deviation towards "
        f"zero, the more the fewer individuals stand behind it: {article(group)} keeps {share} of "
        f"its deviation."
    )
