"""How much the answer depends on single groups, covariates, blocks and the group variance."""

from __future__ import annotations

import numpy as np
import pandas as pd

from groupwise.catalogue.methods import method_label
from groupwise.report.facts import Facts
from groupwise.report.markdown import bullets, escape, table
from groupwise.words import (
    article,
    capital,
    count,
    equals_p,
    fixed,
    listing,
    number,
    p_value,
    plural,
    span,
)

MOST_CONTRASTS = 8
"""Above so many comparisons, at most so many with the reference are shown; tables have all."""

NOTHING = 0.01
"""A move of fewer standard errors than this is none."""

HEAD = "\n### {} {{#sec-{}}}\n\n"

MOST_NAMED = 3
"""So many groups are named; more are counted."""


def shown_contrasts(facts: Facts) -> list[str]:
    """All comparisons, or with many arms some of those with the reference."""
    if len(facts.contrasts) <= MOST_CONTRASTS:
        return facts.contrasts
    return facts.contrasts[: min(len(facts.arms) - 1, MOST_CONTRASTS)]


# ---- each group left out ---------------------------------------------------------------------------


def influence_method(facts: Facts) -> str:
    """The headline where each group was left out for it, else the first method of those tried."""
    return _shown_method(facts, facts.results["influence"]["method"])


def _shown_method(facts: Facts, methods: pd.Series) -> str:
    """The headline if it is one of some methods, else the first of them."""
    return facts.headline if facts.headline in set(methods) else str(methods.iloc[0])


def _influence(facts: Facts) -> pd.DataFrame:
    """Leave-one-group-out estimates; `whole` has all, `moved` is the shift, `steps` in SEs."""
    method = influence_method(facts)
    rows = facts.results["influence"]
    rows = rows[(rows["method"] == method) & rows["contrast"].isin(shown_contrasts(facts))]
    whole = facts.estimates(method).loc[rows["contrast"]].reset_index(drop=True)
    rows = rows.reset_index(drop=True).assign(whole=whole["estimate"], whole_p=whole["p_value"])
    rows = rows.assign(
        moved=rows["estimate"] - rows["whole"],
        steps=facts.words.steps(rows["estimate"], rows["whole"], whole["std_error"]),
        changed=(rows["p_value"] < facts.alpha) != (rows["whole_p"] < facts.alpha),
    )
    return rows[rows["estimate"].notna() & rows["whole"].notna()]


def leave_one_out(facts: Facts) -> str:
    """Leave-one-group-out sensitivity: the most influential group, and changes of significance."""
    group, rows = escape(facts.role("group")), _influence(facts)
    method = method_label(influence_method(facts))
    start = (
        f"Does the result depend on one {group}? The model was fitted again without each {group} in "
        f"turn ({method})"
    )
    if rows.empty:
        return f"{start}. No fit gives an answer here. {_why(facts)}".rstrip()
    fitted, total = facts.results["influence"]["left_out"].nunique(), int(facts.design["n_groups"])
    if fitted < total:
        start += (
            f": of {total:,} {plural(group)} those {fitted:,} that move the estimates most by a "
        )
        start += "quick approximation"
    sentences = [f"{start}.", _most(facts, rows, group), _unanswered(facts, rows, group)]
    sentences.append(f"{_significance(facts, rows, group)} (@tbl-influence, @fig-leave-one-out).")
    return " ".join(filter(None, sentences))


def _most(facts: Facts, rows: pd.DataFrame, group: str) -> str:
    """The group that matters most."""
    worst = rows.loc[rows["steps"].abs().idxmax()]
    if abs(worst["steps"]) < NOTHING:
        return f"No estimate moves by as much as {NOTHING:g} standard errors."
    words, name = facts.words, escape(facts.comparison(worst["contrast"]))
    k = words.decimals(worst["std_error"])
    return (
        f"The {group} that matters most is {escape(worst['left_out'])}: without it "
        f"{name} is {words.effect(worst['estimate'], k)} in place of "
        f"{words.effect(worst['whole'], k)}{words.unit}, a move of {_steps(worst['steps'])}."
    )


def _unanswered(facts: Facts, rows: pd.DataFrame, group: str) -> str:
    """The number of groups without which a comparison has no estimate; empty if it is 0."""
    expected = facts.results["influence"]["left_out"].nunique() * rows["contrast"].nunique()
    complete = rows.groupby("left_out").size() == rows["contrast"].nunique()
    n = facts.results["influence"]["left_out"].nunique() - int(complete.sum())
    if len(rows) == expected or not n:
        return ""
    return f"Without one of {count(n, group)} not every comparison has an answer. {_why(facts)}"


def _why(facts: Facts) -> str:
    messages = facts.results["influence"]["message"]
    messages = messages[messages != ""]
    return escape(str(messages.iloc[0])) if len(messages) else ""


def _steps(steps: float) -> str:
    return f"{fixed(abs(steps), 2)} standard errors"


def _significance(facts: Facts, rows: pd.DataFrame, group: str) -> str:
    """Whether significance at the level depends on one group; without its full stop."""
    level = f"at the {100 * facts.alpha:g}% level"
    changed, clauses = rows[rows["changed"]], []
    if changed.empty:
        of = "" if len(set(rows["contrast"])) == 1 else " of every comparison"
        return f"Significance{of} {level} stays what it is, whichever {group} is left out"
    for contrast, part in changed.groupby("contrast", sort=False):
        verb = "loses" if part["whole_p"].iloc[0] < facts.alpha else "gains"
        n = int((rows["contrast"] == contrast).sum())
        who = _left_out(part, group, n)
        name = escape(facts.comparison(contrast))
        clauses.append(f"{name} {verb} significance {level} when {who}")
    return "; ".join(clauses)


def _left_out(part: pd.DataFrame, group: str, n: int) -> str:
    """That groups are left out: names with their p-values; a count and range of p if many."""
    if len(part) > MOST_NAMED:
        low, high = p_value(part["p_value"].min()), p_value(part["p_value"].max())
        these = f"any one of {len(part):,} of the {count(n, group)}"
        return f"{these} is left out (p from {low} to {high})"
    who = [f"{group} {escape(row.left_out)} ({equals_p(row.p_value)})" for row in part.itertuples()]
    names = " or ".join([", ".join(who[:-1]), who[-1]] if len(who) > 1 else who)
    return f"{names} is left out"


def influence(facts: Facts) -> str:
    """Table by comparison: estimate, its range without one group, the most influential group."""
    rows, cells = _influence(facts), []
    if rows.empty:
        return ""
    shown = facts.words.effect
    k = facts.words.decimals(facts.estimates(influence_method(facts))["std_error"].min())
    for contrast, part in rows.groupby("contrast", sort=False):
        worst = part.loc[part["steps"].abs().idxmax()]
        cells.append(
            [
                escape(facts.comparison(contrast)),
                escape(worst["left_out"]),
                shown(worst["whole"], k),
                span(shown(part["estimate"].min(), k), shown(part["estimate"].max(), k)),
                shown(worst["estimate"], k),
                fixed(worst["steps"], 2),
                f"{int(part['changed'].sum()):,} of {len(part):,}",
            ]
        )
    group = escape(facts.role("group"))
    headers = [
        "comparison",
        "matters most",
        "all groups",
        "without one",
        "without that one",
        "move (std. errors)",
        "significance changes",
    ]
    caption = (
        f"{capital(facts.words.plural_noun)} without one {group}{facts.words.in_brackets()} "
        f"({method_label(influence_method(facts))}): their range, the "
        f"{group} that moves each most, and without how many of them significance at the "
        f"{100 * facts.alpha:g}% level changes."
    )
    return table(headers, cells, label="influence", caption=caption, text_columns=2)


# ---- the group variance fixed -----------------------------------------------------------------------


def _fixed_sd(facts: Facts) -> pd.DataFrame:
    """Mixed-model rows with one random-effect SD held fixed: `at` its value, `effect` its arm.

    With random slopes, of each comparison only the rows for the SD of the slope of its arm.
    """
    rows = facts.results["sensitivity"]
    rows = rows[(rows["kind"] == "group_variance") & rows["estimate"].notna()]
    if rows.empty:
        return rows.assign(at="", effect="")
    # An arm's name may hold anything; what follows the last colon is ours.
    parts = rows["variant"].str.rpartition(": ")
    rows = rows.assign(at=parts[2], effect=parts[0])
    of_effect = rows["effect"].map(lambda arm: f"{arm} - {facts.arms[0]}") == rows["contrast"]
    shown = rows["contrast"].isin(shown_contrasts(facts))
    return rows[shown & ((rows["effect"] == "") | of_effect)]


def group_variance(facts: Facts) -> str:
    """Sensitivity to the SD between groups, held fixed at each value of its profile interval."""
    rows, group = _fixed_sd(facts), escape(facts.role("group"))
    if rows.empty:
        return ""
    what = f"far {plural(group)} differ"
    if facts.slopes:
        what = f"far {plural(group)} differ in the treatment's effect"
    inside = rows[rows["at"] != "0"]
    contrast, first = next(iter(inside.groupby("contrast", sort=False)))
    low, high = first["std_error"].min(), first["std_error"].max()
    k = facts.words.decimals(low)
    low, high = (facts.words.error(each, k) for each in (low, high))
    text = (
        f"The mixed model has to estimate how {what}. Held at each value of its {facts.interval} "
        f"interval in turn, that standard deviation {_moves(inside)}; the standard error of "
        f"{escape(facts.comparison(contrast))} runs from {low} to {high}"
        f"{facts.words.unit} (@tbl-group-variance). "
    )
    return text + _held_significance(facts, inside)


def _moves(inside: pd.DataFrame) -> str:
    each = inside.groupby(["effect", "contrast"], sort=False)
    most = max(abs(_move(part)) for _, part in each)
    if most < NOTHING:
        return "does not move the estimates"
    return f"moves the estimates by at most {_steps(most)}"


def _move(part: pd.DataFrame) -> float:
    """The largest change of the estimate, in standard errors at the estimate."""
    at = part[part["at"] == "estimate"].iloc[0]
    moved = (part["estimate"] - at["estimate"]) / at["std_error"]
    return float(moved.loc[moved.abs().idxmax()])


def _held_significance(facts: Facts, inside: pd.DataFrame) -> str:
    depends = []
    for contrast, part in inside.groupby("contrast", sort=False):
        if len(set(part["p_value"] < facts.alpha)) > 1:
            depends.append(escape(facts.comparison(contrast)))
    start = f"By the normal distribution, significance at the {100 * facts.alpha:g}% level"
    if not depends:
        return f"{start} does not depend on it."
    return f"{start} of {listing(depends)} depends on it."


def held(facts: Facts) -> str:
    """Table of estimates and standard errors with the SD fixed at 0, its estimate and limits."""
    rows = _fixed_sd(facts)
    cells: list[list[str]] = []
    if rows.empty:
        return ""
    words = facts.words
    k = words.decimals(rows["std_error"].min())
    places = ("0", "lower limit", "estimate", "upper limit")
    for (_, contrast), part in rows.groupby(["effect", "contrast"], sort=False):
        at, name = part.drop_duplicates("at").set_index("at"), escape(facts.comparison(contrast))
        if facts.slopes or not cells:
            about = name if facts.slopes else "every comparison"
            cells.append(
                [about, "sd held", *(number(_in_units(facts, at.loc[p, "value"])) for p in places)]
            )
        cells.append([name, "estimate", *(words.effect(at.loc[p, "estimate"], k) for p in places)])
        cells.append(
            [name, "std. error", *(words.error(at.loc[p, "std_error"], k) for p in places)]
        )
    whose = "of the effect between groups" if facts.slopes else "between groups"
    caption = (
        f"The mixed model with the standard deviation {whose} (sd) held{facts.words.in_brackets()}: at "
        f"0, at both ends of its {facts.interval} interval, and where it is estimated; all else at its "
        "best given that."
    )
    headers = ["comparison", "what", "at 0", "lower limit", "estimated", "upper limit"]
    return table(headers, cells, label="group-variance", caption=caption, text_columns=2)


def _in_units(facts: Facts, value: float) -> float:
    """A standard deviation as it is shown: of shares times 100."""
    return 100 * value if facts.words.in_percent else value


# ---- other settings ---------------------------------------------------------------------------------


def covariates(facts: Facts) -> str:
    """The comparisons with and without covariates; nothing where there are none."""
    names = [escape(name) for name in facts.design["roles"]["covariates"]]
    if not names:
        return ""
    return HEAD.format("Covariates", "covariates") + _compared(
        facts,
        "covariates",
        f"With and without {listing(names)}",
        {"with covariates": "with", "without covariates": "without"},
    )


def blocks(facts: Facts) -> str:
    """The comparisons with blocks as fixed and as random; nothing without blocks."""
    if not facts.design["n_blocks"]:
        return ""
    block = escape(facts.role("block"))
    return HEAD.format("Blocks", "blocks") + _compared(
        facts,
        "blocks",
        f"With an indicator for each {block}, or {plural(block)} as a sample of them",
        {"fixed blocks": "fixed", "random blocks": "random"},
    )


def _compared(facts: Facts, kind: str, start: str, words: dict[str, str]) -> str:
    """A bullet per comparison with both variants of a setting."""
    rows = facts.results["sensitivity"]
    methods = set(rows.loc[rows["kind"] == kind, "method"])
    if not methods:
        return f"No method of {plural(facts.words.noun)} allows the comparison."
    method = _shown_method(facts, rows.loc[rows["kind"] == kind, "method"])
    rows = rows[(rows["kind"] == kind) & (rows["method"] == method)]
    items = []
    for contrast in shown_contrasts(facts):
        at = rows[rows["contrast"] == contrast].set_index("variant")
        answers = [f"{word} {_answer(facts, at.loc[variant])}" for variant, word in words.items()]
        items.append(f"**{escape(facts.comparison(contrast))}**: {', '.join(answers)}")
    return f"{start} ({method_label(method)}):\n{bullets(items)}"


def _answer(facts: Facts, row: pd.Series) -> str:
    if np.isnan(row["estimate"]):
        return f"no answer ({escape(str(row['message']).rstrip('.'))})"
    words = facts.words
    k = words.decimals(row["std_error"])
    of_log = " of the logarithm" if words.response.is_ratio else ""
    return (
        f"{words.effect(row['estimate'], k)}{words.unit} (std. error{of_log} "
        f"{words.error(row['std_error'], k)}, {equals_p(row['p_value'])})"
    )


# ---- words beside the figures -----------------------------------------------------------------------


def profile(facts: Facts) -> str:
    """What the profile of the likelihood says of the spread between groups."""
    curves, group = facts.results["profile"], escape(facts.role("group"))
    curves = curves[curves["estimator"] == "reml"]
    if curves.empty:
        return ""
    one = curves.iloc[0]
    where = f" in {escape(facts.arms[0])}" if facts.slopes else ""
    spread = facts.words.spread
    of_risks = facts.words.response.family == "binary"
    low = number(100 * one["conf_low"] if of_risks else one["conf_low"])
    high = spread(one["conf_high"]) if np.isfinite(one["conf_high"]) else "no end"
    text = (
        f"How far {plural(group)} differ is itself an estimate. @fig-profile-likelihood shows how well "
        f"it is known: values from {low} to {high} for the standard deviation "
        f"between {plural(group)}{where} lie below the cut"
    )
    if one["conf_low"] > 0:
        return f"{text}, and 0 does not."
    return f"{text}: the data do not exclude that {plural(group)} do not differ at all."


def split(facts: Facts) -> str:
    """How the shares of the variance are defined."""
    group = escape(facts.role("group"))
    if facts.group_component is None:
        return ""
    text = (
        "@fig-variance-split sets the effects side by side, by the mixed model. The treatment's share "
        f"is the variance, over all {facts.rows}, of the estimated mean of their arm: chance alone "
        f"makes it larger than 0, the more the fewer {plural(group)} there are."
    )
    removed = [f"{plural(escape(facts.role('block')))}"] if _fixed_blocks(facts) else []
    removed += [escape(name) for name in facts.design["roles"]["covariates"]]
    if removed:
        text += f" Differences between {listing(removed)} are taken off first."
    if facts.slopes:
        text += f" The share of the {plural(group)} is averaged over the arms."
    return text


def _fixed_blocks(facts: Facts) -> bool:
    return bool(facts.design["n_blocks"]) and not facts.random_blocks


def caterpillar(facts: Facts) -> str:
    """How to read the intervals of predicted effects."""
    effects, group = facts.group_effects, escape(facts.role("group"))
    if effects.empty:
        return ""
    return (
        f"@fig-caterpillar has the predictions with what is left unknown of them. An interval without 0 "
        f"says that {article(group)} lies apart from the average one; it compares no two of them, and "
        f"with {count(len(effects), group)} some would by chance."
    )


def randomization(facts: Facts) -> str:
    """What the distribution of the statistic over the assignments shows."""
    rows = facts.results["randomization"]
    rows = rows[rows["bin_low"].notna()].drop_duplicates("contrast")
    if rows.empty:
        return ""
    exact = bool(rows["exact"].all())
    n = rows["n_assignments"]
    many = f"{n.min():,}" if n.min() == n.max() else f"{n.min():,} to {n.max():,}"
    how = f"all {many}" if exact else f"{many}"
    return (
        f"@fig-randomization-distribution needs no model: it has the studentised "
        f"{_statistic(facts)} under {how} assignments"
        f"{'' if exact else ', drawn at random where there are too many,'} that keep the "
        f"design{_reassigned(facts)}. The shaded tails are the p-value.{_assumed_assignment(facts)}"
    )


def _statistic(facts: Facts) -> str:
    """What the test compares: of ratios the logarithm."""
    words = facts.words
    return f"logarithm of the {words.noun}" if words.response.is_ratio else "difference"


def _reassigned(facts: Facts) -> str:
    """The unit that the test reassigns to arms; empty where it is groups, as they were assigned."""
    group = plural(escape(facts.role("group")))
    unit = facts.design["unit"]
    bearer = plural(escape(facts.role("individual"))) if unit["bearer"] == "individual" else group
    if unit["unit"] == "sequence":
        return f", with the sequences of arms dealt to {bearer} anew{_in_strata(facts)}"
    if unit["unit"] == "group_period":
        return (
            f", with the arms of {article(escape(facts.role('group')))} dealt to its periods anew"
        )
    if not facts.between:
        dealt = bearer if unit["bearer"] == "individual" else facts.rows
        return f", with {dealt} dealt to arms anew within {group}"
    if facts.assigned == "group":
        return ""
    return f", with {group} dealt to arms anew"


def _in_strata(facts: Facts) -> str:
    """Within which larger units sequences are dealt."""
    if facts.design["unit"]["bearer"] == "individual":
        return f" within {plural(escape(facts.role('group')))}"
    if facts.design["n_blocks"]:
        return f" within {plural(escape(facts.role('block')))}"
    return ""


def _as_assigned(facts: Facts) -> bool:
    """Whether the unit that the test reassigns is the unit declared as assigned."""
    if facts.between:
        return facts.assigned == "group"
    if facts.design["unit"]["bearer"] != "row":
        return facts.assigned is not None
    return facts.assigned == "individual" and facts.row == "individual"


def _assumed_assignment(facts: Facts) -> str:
    """The assignment that the test assumes; empty where the configuration declares it."""
    if facts.between or _as_assigned(facts):
        return ""
    if facts.assigned is not None:
        return f" It takes {facts.rows} as assigned one by one, though individuals were."
    group = plural(escape(facts.role("group")))
    assumed = f"{facts.rows} as assigned within {group}"
    unit = facts.design["unit"]
    if unit["unit"] == "sequence":
        assumed = "sequences as assigned"
    elif unit["bearer"] == "individual":
        assumed = f"{plural(escape(facts.role('individual')))} as assigned within {group}"
    return f" It takes {assumed}; config.yaml does not say so (`assigned`)."


def assignments(facts: Facts) -> str:
    """The caption of the figure of the assignments."""
    as_assigned = _as_assigned(facts)
    which = "that chance could have made" if as_assigned else "that the test takes as possible"
    return (
        f"The studentised {_statistic(facts)} under the assignments {which}. The line is the one "
        "observed; shaded is what lies as far from 0."
    )


# ---- captions --------------------------------------------------------------------------------------


def split_caption(facts: Facts) -> str:
    """The caption of the shares of the variance."""
    spread = "." if facts.words.response.has_events else ", and standard deviations (sd)."
    return f"Where differences between {facts.rows} come from: shares of the variance{spread}"


def leave_one_out_caption(facts: Facts) -> str:
    """The caption of the estimates without each group."""
    return (
        f"{facts.words.estimates()} with {facts.interval} intervals, each without one "
        f"{escape(facts.role('group'))}. The solid line is the estimate with all, the dotted one is "
        f"{facts.words.null:g}."
    )


def profile_caption(facts: Facts) -> str:
    """The caption of the profile likelihood."""
    return (
        "How far the likelihood falls when the standard deviation between groups is held at a value. "
        f"What lies below the dashed line is the {facts.interval} interval; diamonds are the estimates."
    )
