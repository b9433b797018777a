"""The sentences of the report that hold numbers or names of the data."""

from __future__ import annotations

import numpy as np

from groupwise.catalogue.methods import method_label, method_phrase
from groupwise.report import events, periods
from groupwise.report.facts import Facts
from groupwise.report.markdown import bullets, callout, escape, escape_cited_note, escape_note
from groupwise.words import (
    article,
    capital,
    count,
    equals_p,
    fixed,
    listing,
    number,
    percent,
    plural,
    signed,
)


def bold(text: str) -> str:
    return f"**{escape(text)}**"


def effect(facts: Facts, row) -> str:  # type: ignore[no-untyped-def]
    """Estimate, interval and p-value of one row."""
    words = facts.words
    k = words.decimals(row["std_error"])
    estimate, low, high = (words.effect(row[x], k) for x in ("estimate", "conf_low", "conf_high"))
    start = f"{words.noun}\u00a0" if words.response.is_ratio else ""
    return f"{start}{estimate}{words.unit} ({low} to {high}; {equals_p(row['p_value'])})"


def question(facts: Facts) -> str:
    arms = [escape(arm) for arm in facts.arms]
    arms[0] += " (the reference)"
    return (
        f"Does the treatment, {bold(facts.role('treatment'))}, change the outcome, "
        f"{bold(facts.role('outcome'))}? "
        f"The arms compared are {listing(arms)}. {events.kind(facts)}"
    ).rstrip()


def design(facts: Facts) -> str:
    """Who is in which group, and what the treatment was given to."""
    d, group = facts.design, escape(facts.role("group"))
    size = d["group_size"]
    if size["min"] == size["max"]:
        sizes = f"{count(size['min'], facts.row)} each"
    else:
        sizes = (
            f"{size['min']} to {size['max']} {facts.rows} each "
            f"(median {signed(size['median'])}, mean {number(size['mean'])})"
        )
    text = (
        f"The data hold {facts.size} in {count(d['n_groups'], 'group')}, "
        f"{sizes}; {_what_a_group_is(facts, group)}. "
    )
    return (
        text
        + f"{periods.assigned(facts)} "
        + periods.layout(facts)
        + _repeats(facts, group)
        + _blocks(facts, group)
        + _information(facts, group)
    ).rstrip()


def _what_a_group_is(facts: Facts, group: str) -> str:
    """What a group is: the noun in the column's name, or the column where that is no noun."""
    if facts.has_word("group"):
        return f"a group is {article(group)}"
    return f"groups are told apart by the column “{escape(facts.design['roles']['group'])}”"


def _repeats(facts: Facts, group: str) -> str:
    """That repeated measurements correlate; empty where the mixed model has an effect for that."""
    if not facts.repeated or facts.has_individuals or facts.design["roles"]["second_group"]:
        return ""
    who = escape(facts.role("individual"))
    return (
        f"Measurements of one {who} are likely to be more alike than those of two in one {group}; "
        f"the mixed model here has no effect of {plural(who)}. "
    )


def _blocks(facts: Facts, group: str) -> str:
    d, block = facts.design, escape(facts.role("block"))
    if not d["n_blocks"]:
        return ""
    by = "" if facts.has_word("block") else f" (by the column “{escape(d['roles']['block'])}”)"
    return (
        f"The {plural(group)} lie in {count(d['n_blocks'], block)}{by}, "
        f"and arms are compared within {article(block)}. "
    )


def _information(facts: Facts, group: str) -> str:
    """What the precision of a comparison depends on, where arms differ between groups only."""
    d = facts.design
    if not facts.between:
        return ""
    return (
        f"Precision depends on the number of {plural(group)} ({d['n_groups']:,}) more than on the "
        f"number of {facts.rows} ({d['n_obs']:,})."
    )


def dropped(facts: Facts) -> str:
    """Which rows were set aside; nothing if none was."""
    reasons, n_read = facts.design["dropped"], facts.design["n_read"]
    if not reasons:
        return f"All {n_read:,} rows of the data are used."
    total = sum(reasons.values())
    why = listing([f"{n:,} {_reason(reason)}" for reason, n in reasons.items()])
    return f"Of {n_read:,} rows, {total:,} ({percent(total / n_read)}) are set aside: {why}."


def _reason(reason: str) -> str:
    return f"with {escape(reason)}" if reason.endswith(" missing") else escape(reason)


def warnings(facts: Facts) -> str:
    """Callout with the warnings about these data and their note; empty without any."""
    sentences = [escape_note(sentence) for sentence in facts.design["warnings"]]
    if facts.design.get("note"):
        sentences.append(escape_cited_note(facts.design["note"]))
    return callout("warning", "To know about these data", bullets(sentences)) if sentences else ""


def picture_caption(facts: Facts) -> str:
    """The caption of the picture of all groups."""
    has_events = facts.words.response.has_events
    marks = f" The area of a mark says how many {facts.rows} there are." if has_events else ""
    if facts.between:
        what = f"{facts.words.mean} of events" if has_events else "mean"
        return (
            f"Every group by itself, ordered by its {what} within its arm. The dashed line is the mean "
            f"of "
            f"the arm's groups. Look at two distances: between the dashed lines, and between groups "
            f"under one line.{marks}"
        )
    if has_events:
        return (
            f"The {facts.words.mean} of events of every group in its arms; a line joins those of one "
            f"group. The dashed line is the mean of the arm's groups.{marks}"
        )
    return (
        f"Every {facts.row} in its arm; a line joins the means of one group. The dashed line is the "
        f"mean "
        "of the arm's groups."
    )


def picture(facts: Facts) -> str:
    """What to look for in the picture of all groups."""
    start = "Look at @fig-scores-by-group before any model."
    if facts.between:
        return (
            f"{start} Arms differ, but so do groups of one arm, and so do the {facts.rows} of one "
            "group. A standard error has to say how far apart the dashed lines would lie by chance, if "
            "the treatment had no effect."
        )
    group = escape(facts.role("group"))
    if facts.changes:
        return (
            f"{start} It does not show time: a line that rises from one arm to the other may show the "
            "treatment, or what changed between the periods. The models tell the two apart by groups "
            "that are in different arms in one period."
        )
    return (
        f"{start} One line may lie above another: {plural(group)} differ, and that cancels where "
        f"arms are compared within {article(group)}. Do the lines rise and fall alike? Where they do "
        f"not, the treatment does not do the same for every {group}, and how many {plural(group)} "
        f"there are counts again."
    )


def mixing(facts: Facts) -> str:
    """Sentence on how treatment, group and individual effects enter a difference between arms."""
    if facts.between:
        return (
            "One arm may come out above another for three reasons, and a difference between arms "
            "mixes all of them:"
        )
    group = escape(facts.role("group"))
    if facts.changes:
        return (
            f"Several effects make an outcome. {periods.changing(facts)} change their arm over time: "
            f"where periods of one {group} are compared, what lasts of its effect cancels, and what it "
            "has in one period only does not:"
        )
    who = "Every" if facts.design["kind"] == "within" else "Some"
    verb = f"{group} is" if who == "Every" else f"{plural(group)} are"
    return (
        f"Three effects make an outcome. {who} {verb} in more than one arm here; where arms are "
        f"compared within {article(group)}, its own effect cancels:"
    )


def ignored(facts: Facts) -> str:
    """How a standard error that ignores the group effect is biased."""
    if facts.between:
        return (
            f"A standard error that ignores the group effect counts {facts.rows} where it should "
            "count groups [@moulton1990]; the design effect says how much that matters [@kish1965]."
        )
    group = escape(facts.role("group"))
    if facts.changes:
        return periods.ignored(facts)
    return (
        f"A standard error that ignores the group effect is too large here, for it counts as noise "
        f"what cancels. One that takes the treatment to do the same for every {group} is too small "
        f"where it does not: then it counts {facts.rows} where it should count groups [@moulton1990]."
    )


def effects(facts: Facts) -> str:
    """The effects that make a difference between arms."""
    group = escape(facts.role("group"))
    first = escape(facts.comparison(facts.contrasts[0]))
    treatment = (
        f"**Treatment effect**, what is asked for: what the treatment does to the outcome, for "
        f"instance {first}."
    )
    if facts.truth is not None:
        true = [
            f"{escape(facts.comparison(c))}: {_true(facts, v)}"
            for c, v in facts.truth["effects"].items()
        ]
        treatment += f" These data are simulated, so the true values are known: {listing(true)}."
        treatment += _true_within(facts)
    items = [
        treatment,
        _group_effect(facts, group),
        *_cell_effect(facts, group),
        _individual_effect(facts, group),
        *_period_effect(facts),
    ]
    return bullets(items if facts.between else [*items, _varying_effect(facts, group)])


def _true_within(facts: Facts) -> str:
    """The true odds ratios of one and the same group, which are others than those of all groups."""
    within = (facts.truth or {}).get("effects_within_groups")
    if within is None or facts.words.response.scale != "odds_ratio":
        return ""
    true = [f"{escape(facts.comparison(c))}: {_true(facts, v)}" for c, v in within.items()]
    group = escape(facts.role("group"))
    return (
        " These are population-averaged odds ratios; conditional on the "
        f"{group} they are {listing(true)}."
    )


def _true(facts: Facts, value: float) -> str:
    """A true effect in its shortest form, of risks and ratios to three digits."""
    return facts.words.short(value) if facts.words.response.has_events else signed(value)


def _cell_effect(facts: Facts, group: str) -> list[str]:
    """What a group has in one period."""
    if not facts.has_cells:
        return []
    text = (
        f"**Group-by-period effect**: what {article(group)} has in one period and not in another."
    )
    component = facts.component(facts.cell_level)
    return [
        text if component is None else f"{text} Its standard deviation is {_sd(facts, component)}."
    ]


def _period_effect(facts: Facts) -> list[str]:
    """What changes over time for all groups alike."""
    if facts.periods is None:
        return []
    return [
        "**Period effect**: what changes over time for all groups alike, a mean for each period."
    ]


def _varying_effect(facts: Facts, group: str) -> str:
    """Where groups hold several arms, the treatment may do more for one than for another."""
    which = "Another" if facts.periods else "A fourth"
    text = f"{which}, **varying effects**: the treatment may do more for one {group} than another."
    if not facts.slopes:
        return (
            f"{text} The mixed and the dummy model here take it to do the same for all "
            f"(`random_slopes: true` lets it differ in the mixed model); sandwich standard errors and "
            f"the wild bootstrap do not."
        )
    rows = facts.slope_components
    if rows.empty:
        return text
    sd = [
        f"{escape(facts.against_reference(row.term))}: {number(row.std_dev)}"
        for row in rows.itertuples()
    ]
    return f"{text} The standard deviation over {plural(group)} is, for {listing(sd)}."


def _group_effect(facts: Facts, group: str) -> str:
    whatever = "their arm" if facts.between else "the treatment"
    text = f"**Group effect**: {plural(group)} differ, whatever {whatever}."
    component = facts.group_component
    if component is None:
        return text
    if component["variance"] == 0:
        return (
            text + " Here the mixed model finds no such difference: it estimates the spread as 0."
        )
    return text + f" The standard deviation between {plural(group)} is {_sd(facts, component)}."


def _individual_effect(facts: Facts, group: str) -> str:
    within = "" if facts.between else " in one arm"
    if facts.changes:
        within = " in one period" if facts.has_cells else ""
    if facts.words.response.has_events:
        return f"**Individual effect**: {events.spread_within(facts)}."
    text = (
        f"**Individual effect**: the {facts.rows} of one {group}{within} differ among themselves."
    )
    component = facts.component("Residual")
    if component is None:
        return text
    text += f" Their standard deviation is {_sd(facts, component)}."
    person = facts.component(str(facts.design["roles"]["individual"]))
    if facts.has_individuals and person is not None:
        who = escape(facts.role("individual"))
        text += (
            f" That is of the {facts.rows} of one {who}; {plural(who)} differ as well, with a standard "
            f"deviation of {_sd(facts, person)}."
        )
    return text


def _sd(facts: Facts, component) -> str:  # type: ignore[no-untyped-def]
    spread = facts.words.spread
    text = spread(component["std_dev"])
    if np.isfinite(component["conf_low"]):
        low, high = number(component["conf_low"]), number(component["conf_high"])
        if facts.words.response.family == "binary":
            low, high = number(100 * component["conf_low"]), spread(component["conf_high"])
        text += f" ({facts.interval} interval {low} to {high})"
    return text


def correlation(facts: Facts) -> str:
    """ICC, design effect, and what they do to the number of independent observations."""
    if not np.isfinite(facts.icc):
        return ""
    group, n = escape(facts.role("group")), facts.design["n_obs"]
    within = "within the reference arm" if facts.slopes else "within an arm"
    if facts.design["n_blocks"]:
        within += f" of one {escape(facts.role('block'))}"
    on_average = " on average" if facts.repeated or facts.words.per else ""
    of_events = events.correlation(facts)
    rates = f"the rates{escape(facts.words.per)} of " if facts.words.per else ""
    text = (
        f"Of the variance {within}, {percent(facts.icc)} lies between {plural(group)}: {rates}two "
        f"{facts.rows} of one {group} correlate by about {fixed(facts.icc, 2)}{on_average} (the "
        f"intraclass correlation, ICC). {of_events}"
    )
    if facts.icc == 0:
        return text + f"By this estimate the {facts.rows} count as independent."
    if facts.has_cells:
        text = text.replace(
            f"two {facts.rows} of one {group}", f"two {facts.rows} of one {group} in one period"
        )
        return text + periods.autocorrelation(facts)
    if not facts.between or facts.has_individuals:
        return text
    return text + (
        f"For a treatment that is the same within each {group}, this multiplies the variance of a "
        f"mean by about {number(facts.design_effect)} (the design effect): {n:,} {facts.rows} hold as "
        f"much information as about {round(n / facts.design_effect):,} independent ones."
    )


def pooled_model(facts: Facts) -> str:
    """Which of the effects the pooled model has."""
    noise = "its noise"
    if facts.words.response.is_ratio:
        noise = "the chance with which events happen"
    return (
        f"@eq-pooled has the treatment effect in its coefficients and the individual effect in {noise}. "
        "There is no group effect anywhere: it assumes that groups do not differ and that two "
        f"members of one group are as independent as any two {facts.rows}."
        + (r" $\tau_t$ is what period $t$ adds for all groups." if facts.periods else "")
        + events.pooled_model(facts)
    )


def pooled_cost(facts: Facts) -> str:
    """The ratio of the mixed model's standard error to the pooled model's, in a sentence."""
    plain, mixed = facts.plain_methods
    ratio = _se_ratio(facts, mixed, plain)
    if not np.isfinite(ratio):
        return ""
    contrast, group = escape(facts.comparison(facts.contrasts[0])), escape(facts.role("group"))
    if 0.95 < ratio < 1.05:
        return f"Here its standard errors are close to the mixed model's (ratio {fixed(ratio, 2)})."
    text = f"Here the mixed model's standard error for {contrast} is {_times(ratio)} as large"
    if ratio > 1:
        return f"{text}: the pooled p-values are too small."
    if facts.between:
        return f"{text}."
    return (
        f"{text}: differences between {plural(group)} cancel within {article(group)}, and the pooled "
        f"model counts them as noise."
    )


def _times(ratio: float) -> str:
    return f"{fixed(ratio, 1 if ratio > 1 else 2)} times"


def _se_ratio(facts: Facts, a: str, b: str) -> float:
    if not {a, b} <= set(facts.methods):
        return float("nan")
    return float(facts.estimates(a)["std_error"].iloc[0] / facts.estimates(b)["std_error"].iloc[0])


def group_parameters(facts: Facts) -> dict[str, str]:
    """How many parameters each specification spends on groups."""
    n, group = facts.design["n_groups"], escape(facts.role("group"))
    return {
        "pooled": "none",
        "dummy": f"{n - 1:,}, one for each {group} but the first",
        "mixed": _variances(facts, group),
    }


def _variances(facts: Facts, group: str) -> str:
    """How many parameters the covariance of the mixed model has, the noise apart, and which."""
    arms, kind = len(facts.arms), facts.design["random_slopes"]
    of_groups = {"none": 1, "diagonal": arms, "unstructured": arms * (arms + 1) // 2}[kind]
    further = [escape(facts.role("block"))] if facts.random_blocks else []
    if facts.design["roles"]["second_group"]:
        further.append(escape(facts.role("second_group")))
    if facts.has_cells:
        further.append(f"{group}-by-period")
    if facts.has_individuals:
        further.append(escape(facts.role("individual")))
    what = {
        "none": f"the {group} effects",
        "diagonal": f"the {group} effects (level and {arms - 1} slopes)",
        "unstructured": f"the {group} effects (level and {arms - 1} slopes), covariances included",
    }[kind]
    of = listing([what, *(f"the {name} effects" for name in further)])
    total = of_groups + len(further)
    return f"{'one, the variance' if total == 1 else f'{total}, the variances'} of {of}"


def mixed_model(facts: Facts) -> str:
    """What the symbols of the mixed model are, and how it correlates members of a group."""
    group = escape(facts.role("group"))
    blocks = (
        f", $b(i)$ the {escape(facts.role('block'))} of group $i$" if facts.random_blocks else ""
    )
    text = f"Here $i$ counts groups and $j$ their members{blocks}. @eq-mixed treats groups as a sample: "
    if facts.slopes:
        return text + (
            f"the level $u_{{0i}}$ of {article(group)} and what each arm adds for it come from a normal "
            f"distribution, and only variances and covariances are parameters. Groups, not "
            f"{facts.rows}, then say how well the treatment effect is known."
        )
    text += (
        "their effects $u_i$ come from a normal distribution, and only its variance is a parameter. "
        "Members of one group share their $u_i$, so they are correlated, by "
        r"$\sigma_u^2 / (\sigma_u^2 + \sigma_\varepsilon^2)$"
    )
    if facts.words.response.is_ratio:
        text = text.rpartition(", by ")[0]
    blocked = facts.design["n_blocks"] and not facts.changes
    within = f" within {article(escape(facts.role('block')))}" if blocked else ""
    if facts.has_cells or facts.has_individuals:
        text = text.rpartition(", by ")[0]
    if facts.has_cells:
        within += (
            ", and those of one period share $w_{it}$ besides, so that they are correlated more than "
            "members in different periods (the nested exchangeable model)"
        )
    if facts.has_individuals:
        within += f"; rows of one {escape(facts.role('individual'))} share $s_k$"
    return f"{text}{within}."


def trap(facts: Facts) -> str:
    """Whether the dummy model identifies the treatment effect, with its columns and rank."""
    columns, rank = (int(facts.statistic("dummy", name)) for name in ("columns", "rank"))
    group = escape(facts.role("group"))
    if facts.changes:
        return periods.trap(facts)
    if not facts.between:
        return (
            f"There is no trap here: the treatment varies within {plural(group)}, so the dummy model "
            f"compares {facts.rows} of the same {group}, and the effect is identified for arms that "
            f"meet in {plural(group)}. What it does assume is that the treatment does the same for "
            f"every {group}: its standard error knows only the spread of {facts.rows}."
            f"{events.trap(facts)}"
        )
    lost = columns - rank
    blocks = ""
    if facts.design["n_blocks"] and not facts.random_blocks:
        block = escape(facts.role("block"))
        blocks = f", and those of {article(block)} make its indicator"
    return (
        f"The treatment is constant within each {group}. Add up the indicators of the "
        f"{plural(group)} of an arm and you have the indicator of that arm{blocks}: the model has "
        f"{columns} columns but rank {rank}, so {count(lost, 'column')} too many. The data "
        f"cannot tell an arm from the {plural(group)} in it, and the treatment effect is **not "
        f"identified**. Software prints numbers all the same, and which ones depends on a convention "
        f"(@tbl-aliasing).{events.trap(facts)}"
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
    """What the dummies identify; empty where the method is not listed, as of ratios."""
    if "dummy_nested" not in facts.methods:
        return ""
    group = escape(facts.role("group"))
    rows = facts.estimates("dummy_nested")
    if rows["estimate"].isna().any():
        return f"The identified alternative gives no answer here. {escape(rows['message'].iloc[0])}"
    first = facts.contrasts[0]
    return (
        f"What the dummies can say is how the average {group} of an arm did: make the {group} effects "
        f"add up to zero within each arm"
        + (f" and {escape(facts.role('block'))}" if facts.design["n_blocks"] else "")
        + ", and the difference between arms is identified again, for "
        f"{escape(facts.comparison(first))} {effect(facts, rows.loc[first])}. Its standard error "
        f"knows only the spread of {facts.rows}: "
        f"the answer is about these {count(facts.design['n_groups'], group)} and not about others "
        f"like them."
    )


def _correlations(facts: Facts) -> str:
    """Estimated correlations of the random effects; empty where they are taken as uncorrelated."""
    table, start = facts.results["fit_statistics"], "correlation: "
    correlations = table[table["statistic"].str.startswith(start) & table["value"].notna()]
    items = []
    for name, value in zip(correlations["statistic"], correlations["value"], strict=True):
        pair = [_effect_name(facts, each) for each in name.removeprefix(start).split(", ")]
        items.append(f"{fixed(value, 2)} ({' and '.join(pair)})")
    return f" Estimated correlations: {listing(items)}." if items else ""


def _effect_name(facts: Facts, term: str) -> str:
    if term == "Intercept":
        return f"the level in {escape(facts.arms[0])}"
    return escape(facts.against_reference(term) if term in facts.arms else term)


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
    if facts.slopes:
        return (
            f"The model predicts the level and the slopes of each {group} (BLUP) together, pulled "
            f"towards those of the average {group}; shown is the level in {escape(facts.arms[0])}."
            f"{_correlations(facts)}"
        )
    text = (
        f"The model predicts the effect of each {group} (BLUP) by pulling its raw deviation towards "
        f"zero, the more the fewer {facts.rows} stand behind it: {article(group)} keeps {share} of "
        f"its deviation"
    )
    if facts.has_cells or facts.has_individuals:
        return f"{text.partition(': ')[0]}."
    if facts.random_blocks:
        block = escape(facts.role("block"))
        text += f", once the predicted effect of its {block} is taken off"
    return f"{text}."


def shrinkage_caption(facts: Facts) -> str:
    """The caption of the predicted group effects."""
    what = "and its block's predicted effect expect" if facts.random_blocks else "expects"
    return (
        f"Each {escape(facts.role('group'))}'s raw deviation from what the fixed part {what}, and the "
        f"model's prediction, pulled towards zero."
    )


def why_methods_differ(facts: Facts) -> str:
    """What methods differ in, and which of them pay for what is estimated."""
    start = (
        "A method is an estimate, a standard error and what the two are compared with, and methods "
        "differ "
        "in each (@tbl-methods)."
    )
    if facts.words.response.is_ratio:
        return f"{start} {events.why_methods_differ(facts)}"
    return (
        f"{start} Pooled OLS counts rows of the data. Sandwich standard errors and the wild bootstrap "
        f"let "
        "members of a group resemble each other in any way and count groups; with few of them CR1 is "
        "too "
        "small, which CR2 with its degrees of freedom mends [@pustejovsky2018]. The mixed model says "
        "how "
        "members of a group resemble each other; z takes its variances as known, Satterthwaite "
        "[@kuznetsova2017] and Kenward-Roger [@kenward1997; @halekoh2014] pay for estimating them. "
        "Randomisation asks what chance alone could have done."
    )


def anatomy(facts: Facts) -> str:
    """What the mixed model puts an outcome together from."""
    if facts.words.response.is_ratio:
        return events.anatomy(facts)
    noise = "the noise the individuals"
    if facts.words.response.has_events:
        noise += " (here: whether the event happens to them)"
    return (
        "The mixed model says: outcome = fixed part + random part + noise. The fixed part is the "
        "treatment "
        f"(and time, where rows are of several periods), the random part the groups, {noise}."
    )


def means_of_arms(facts: Facts) -> str:
    """What the large marks of the figure of the arms' means are."""
    if not facts.words.response.has_events:
        return "Mean of each arm by the mixed model"
    return f"{capital(facts.words.mean)} in each arm by the headline method"


def means_figure(facts: Facts) -> str:
    """What the figure of the arms' means shows of the model."""
    if not facts.words.response.has_events:
        return "@fig-arm-means shows what the coefficients of @eq-mixed say of each arm."
    by = method_phrase(facts.headline)
    return f"@fig-arm-means shows the {plural(facts.words.mean)} of the arms by {by}."


def noise(facts: Facts) -> str:
    """The heading of what is left once arm and group are known, and of events what is looked at."""
    if not facts.words.response.has_events:
        return "### Noise: what is left\n"
    return f"### Groups against chance\n\n{events.against_chance(facts)}\n"


def noise_caption(facts: Facts) -> str:
    """The caption of the figure of residuals, or of events against chance."""
    if facts.words.response.has_events:
        return (
            f"The {facts.words.mean} of events of each group, in order within its arm; grey bars hold "
            f"what "
            f"chance alone would give if all groups of an arm had one {facts.words.mean} (the dashed "
            f"line)."
        )
    return (
        f"What is left of each {facts.row} once its arm and its group are known, against the fitted "
        f"value. "
        "A band of even width is what the model assumes. The black line is a running mean; it may rise "
        "a "
        "little where groups are small, because predictions are pulled to the middle."
    )


def quantiles_caption(facts: Facts) -> str:
    """The caption of the quantile plots."""
    if facts.words.response.has_events:
        return (
            "Each group's deviation from what is expected of it, over the standard deviation it should "
            "have, beside the quantiles of a normal distribution. Points on the line are what the model "
            "assumes of groups; outcomes of 0 and 1, or counts, are not normal and need not be."
        )
    return (
        "Residuals and predicted group effects beside the quantiles of a normal distribution. Points on "
        "the line are what the model assumes."
    )


def means(facts: Facts) -> str:
    """Why intervals of the arms' means do not compare the arms; empty where they do."""
    if facts.between and not facts.random_blocks:
        return ""
    if facts.changes:
        return (
            "Compare arms by @fig-effects-forest, not by these intervals: much of what they allow for "
            "is shared by the arms, so that it cancels in a comparison."
        )
    shared = escape(facts.role("group" if not facts.between else "block"))
    return (
        f"Compare arms by @fig-effects-forest, not by these intervals: they allow for differences "
        f"between {plural(shared)}, which the arms share, so that they cancel in a comparison."
    )


def remarks(facts: Facts) -> str:
    """Messages of the methods about their answers, each once; empty without any."""
    labels: dict[str, list[str]] = {}
    for method in facts.methods:
        for message in dict.fromkeys(facts.estimates(method)["message"]):
            if message:
                labels.setdefault(message, []).append(method_label(method))
    items = [
        f"{listing(who)}: {escape_note(_readable(facts, text))}" for text, who in labels.items()
    ]
    return f"Remarks:\n{bullets(items)}" if items else ""


def _readable(facts: Facts, message: str) -> str:
    """Contrasts with their minus sign; all of them are every comparison."""
    message = message.replace(", ".join(facts.contrasts), "every comparison")
    for contrast in facts.contrasts:
        message = message.replace(contrast, facts.comparison(contrast))
    return facts.of_rows(message)
