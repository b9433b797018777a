"""A mistake in config.yaml ends in one sentence, before anything is run or removed.

The sentences stand here as a user reads them. All are asked of the checks themselves, and those of
`IN_A_RUN` of a run too: one for each place where a mistake is seen.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import in_process
import pytest
from tiny_project import Project

CONFIG = "config.yaml"
MEASURED = """\
    file: data/raw/tiny.csv
    roles: {outcome: score, treatment: arm, group: class}
    reference: control
"""
DRAWN = """\
    roles: {outcome: score, treatment: arm, group: class}
    reference: control

"""
RECIPE = (
    "{seed: 1, groups_per_arm: {control: 3, treated: 3}, group_size: 5, mean: 50, effects: {}, "
    "sd_group: 3, sd_residual: 6}"
)


class Mistake(NamedTuple):
    """A mistake a user makes, and what they are told: `{config.yaml: }{says}`."""

    name: str
    says: str
    make: Callable[[Project], None]


def replace(old: str, new: str) -> Callable[[Project], None]:
    """Replace a text of config.yaml."""
    return lambda project: project.edit(CONFIG, old, new)


def measured(old: str, new: str) -> Callable[[Project], None]:
    """Replace a text in the block of the dataset that is read from a file."""
    assert MEASURED.count(old) == 1
    return replace(MEASURED, MEASURED.replace(old, new))


def drawn(old: str, new: str) -> Callable[[Project], None]:
    """Replace a text in the roles or the reference of the simulated dataset."""
    assert DRAWN.count(old) == 1
    return replace(DRAWN, DRAWN.replace(old, new))


def whole(text: str | bytes) -> Callable[[Project], None]:
    """Another config.yaml altogether."""
    return lambda project: project.write(CONFIG, text)


def add(line: str) -> Callable[[Project], None]:
    """A line more in the block of the dataset that is read from a file."""
    return measured("    reference: control\n", f"    reference: control\n    {line}\n")


def answer_no(project: Project) -> None:
    """Arms that YAML takes for truth values."""
    project.edit(CONFIG, "{control: 3, treated: 3}", "{No: 3, Yes: 3}")
    project.edit(CONFIG, "{treated: 4}", "{'Yes': 4}")
    project.edit(CONFIG, DRAWN, DRAWN.replace("control", "'No'"))


UNKNOWN_KEYS = [
    Mistake(
        "of the top",
        "headlines: unknown key; did you mean 'headline'?",
        replace("headline:", "headlines:"),
    ),
    Mistake(
        "of a dataset",
        "datasets.measured.fiel: unknown key; did you mean 'file'?",
        measured("file:", "fiel:"),
    ),
    Mistake(
        "of a dataset, like none",
        "datasets.measured.xyz: unknown key; there are: title, note, simulate, file, format, roles, "
        "headline, teaching, assumed_effects, effect_to_find, family, subsets, where, recode, "
        "missing_codes, baseline, outcome_kind, event, effect_as, outcome_as, and more.",
        add("xyz: age"),
    ),
    Mistake(
        "for weights",
        "datasets.measured.weights: individuals cannot be weighted: none of the methods here is "
        "defined for it; remove the key; adjust for what the weights are made of by `covariates`.",
        add("weights: age"),
    ),
    Mistake(
        "of roles",
        "datasets.measured.roles.treatmnt: unknown key; did you mean 'treatment'?",
        measured("treatment:", "treatmnt:"),
    ),
    Mistake(
        "of simulate",
        "datasets.drawn.simulate.sd_groups: unknown key; did you mean 'sd_group'?",
        replace("sd_group:", "sd_groups:"),
    ),
    Mistake(
        "inside an alternative",
        "datasets.drawn.simulate.group_size.mx: unknown key; did you mean 'max'?",
        replace("group_size: 5", "group_size: {min: 4, mx: 6}"),
    ),
]

MISSING_KEYS = [
    Mistake(
        "title",
        "datasets.measured.title: this key is missing; add it: the report's title, a text.",
        replace("    title: Tiny, from a file\n", ""),
    ),
    Mistake(
        "roles",
        "datasets.measured.roles: this key is missing; add it: which column plays which part, "
        "as a mapping of roles to column names.",
        measured("    roles: {outcome: score, treatment: arm, group: class}\n", ""),
    ),
    Mistake(
        "group",
        "datasets.measured.roles.group: this key is missing; add it: the unit whose members "
        "resemble each other, a column name, or a list of columns that name it together.",
        measured(", group: class", ""),
    ),
    Mistake(
        "source",
        "datasets.measured: there is neither `file` nor `simulate`; add the one that says where "
        "the data come from.",
        measured("    file: data/raw/tiny.csv\n", ""),
    ),
    Mistake(
        "value of title",
        "datasets.measured.title: it has no value; this key holds: the report's title, a text.",
        replace("title: Tiny, from a file", "title: # Tiny"),
    ),
    Mistake(
        "value of datasets",
        "datasets: it has no value; this key holds: the datasets to analyse, each under a name "
        "of its own.",
        whole("datasets:\n"),
    ),
    Mistake(
        "entry of datasets",
        "datasets: it has no value; this key holds: the datasets to analyse, each under a name "
        "of its own.",
        whole("datasets: {}\n"),
    ),
    Mistake(
        "datasets",
        "datasets: this key is missing; add it: the datasets to analyse, each under a name of "
        "its own.",
        whole("headline: mixed_wald\n"),
    ),
]

WRONG_VALUES = [
    Mistake(
        "a list for a mapping",
        "datasets.drawn.simulate.groups_per_arm: a list does not fit; this key holds: the number "
        "of groups in each arm, a mapping of at least two arms.",
        replace("{control: 3, treated: 3}", "[3, 3]"),
    ),
    Mistake(
        "a list of datasets",
        "datasets: a list does not fit; this key holds: the datasets to analyse, each under a "
        "name of its own.",
        whole("datasets:\n  - title: Tiny\n    file: data/raw/tiny.csv\n"),
    ),
    Mistake(
        "a text for a list",
        "datasets.measured.roles.covariates: 'age' does not fit; this key holds: columns to "
        "adjust for, a list of column names.",
        measured("class}", "class, covariates: age}"),
    ),
    Mistake(
        "a text for a number",
        "datasets.drawn.simulate.effects.treated: 'large' does not fit; this key holds: the true "
        "effect of this arm, a number.",
        replace("{treated: 4}", "{treated: large}"),
    ),
    Mistake(
        "per cent",
        "datasets.measured.conf_level: 95 does not fit; this key holds: the confidence level, "
        "between 0 and 1.",
        add("conf_level: 95"),
    ),
    Mistake(
        "too small a number",
        "datasets.drawn.simulate.sd_group: -3 does not fit; this key holds: standard deviation "
        "of the group effects, 0 or more, in units of the outcome; of events, of log odds or of "
        "logarithms of rates.",
        replace("sd_group: 3", "sd_group: -3"),
    ),
    Mistake(
        "an alternative",
        "datasets.drawn.simulate.group_size: 'many' does not fit; this key holds: one size, a "
        "list of one size per group, or a range as `min` and `max`.",
        replace("group_size: 5", "group_size: many"),
    ),
    Mistake(
        "inside an alternative",
        "datasets.drawn.simulate.group_size[1]: 0 does not fit; this key holds: a whole number, "
        "1 or more.",
        replace("group_size: 5", "group_size: [5, 0, 5, 5, 5, 5]"),
    ),
    Mistake(
        "a choice",
        "datasets.measured.blocks_as: 'randm' is not one of the choices; did you mean 'random'?",
        add("blocks_as: randm"),
    ),
    Mistake(
        "a method",
        "headline: 'mixed_wal' is not one of the choices; did you mean 'mixed_wald'?",
        replace("mixed_wald", "mixed_wal"),
    ),
    Mistake(
        "an arm twice",
        "datasets.measured.levels: an entry of this list appears twice; remove one of them.",
        add("levels: [control, control]"),
    ),
]

UNQUOTED = [
    Mistake(
        "reference: No",
        "datasets.measured.reference: YAML reads No as false, not as a text; put it in quotes: "
        "'No'.",
        measured("reference: control", "reference: No"),
    ),
    Mistake(
        "reference: 2020-01-01",
        "datasets.measured.reference: YAML reads 2020-01-01 as a date, not as a text; put it in "
        "quotes: '2020-01-01'.",
        measured("reference: control", "reference: 2020-01-01"),
    ),
    Mistake(
        "periods: [2020-01-01, ...]",
        "datasets.measured.periods[0]: YAML reads 2020-01-01 as a date, not as a text; put it in "
        "quotes: '2020-01-01'.",
        add("periods: [2020-01-01, 2020-02-01]"),
    ),
    Mistake(
        "untreated_periods: [2020-01-01]",
        "datasets.measured.untreated_periods[0]: YAML reads 2020-01-01 as a date, not as a text; put it "
        "in quotes: '2020-01-01'.",
        add("untreated_periods: [2020-01-01]"),
    ),
    Mistake(
        "levels: {No: ...}",
        "datasets.measured.levels: YAML reads No as false, not as a text; put it in quotes: 'No'.",
        add("levels: {No: control, Yes: treated}"),
    ),
    Mistake(
        "levels: [No, ...]",
        "datasets.measured.levels[0]: YAML reads No as false, not as a text; put it in quotes: "
        "'No'.",
        add("levels: [No, Yes]"),
    ),
    Mistake(
        "recode: {no: ...}",
        "datasets.measured.recode.arm: YAML reads no as false, not as a text; put it in quotes: "
        "'no'.",
        add("recode: {arm: {no: control}}"),
    ),
    Mistake(
        "where: {arm: {not: on}}",
        "datasets.measured.where.arm.not: YAML reads on as true, not as a text; put it in quotes: "
        "'on'.",
        add("where: {arm: {not: on}}"),
    ),
    Mistake(
        "groups_per_arm: {No: ...}",
        "datasets.drawn.simulate.groups_per_arm: YAML reads No as false, not as a text; put it "
        "in quotes: 'No'.",
        answer_no,
    ),
    Mistake(
        "outcome: 3",
        "datasets.measured.roles.outcome: YAML reads 3 as a number, not as a text; put it in "
        "quotes: '3'.",
        measured("outcome: score", "outcome: 3"),
    ),
    Mistake(
        "title: 2024",
        "datasets.measured.title: YAML reads 2024 as a number, not as a text; put it in quotes: "
        "'2024'.",
        replace("title: Tiny, from a file", "title: 2024"),
    ),
]

NAMES = [
    Mistake(
        "given twice",
        "datasets.drawn: the key appears twice (again in line 19); rename or remove one of them.",
        replace("  measured:\n", "  drawn:\n"),
    ),
    Mistake(
        "with a bad character",
        "datasets.my-data: this name cannot be used; use letters, digits and underscores, "
        "starting with a letter.",
        replace("  measured:\n", "  my-data:\n"),
    ),
    Mistake(
        "that is a number",
        "datasets.2020: this name cannot be used; use letters, digits and underscores, starting "
        "with a letter.",
        replace("  measured:\n", "  2020:\n"),
    ),
    Mistake(
        "of the index page",
        "datasets.Index: the page that leads to all reports has this name; choose another.",
        replace("  measured:\n", "  Index:\n"),
    ),
    Mistake(
        "that differs by case only",
        "datasets.Drawn: 'drawn' is the same name but for upper and lower case; choose another.",
        replace("  measured:\n", "  Drawn:\n"),
    ),
]

EFFECTS = [
    Mistake(
        "of no arm of a simulation",
        "datasets.drawn.assumed_effects: 'treatd' is not an arm of groups_per_arm; did you mean "
        "'treated'?",
        replace("  measured:\n", "    assumed_effects: {treatd: 2}\n\n  measured:\n"),
    ),
    Mistake(
        "of no arm in a file",
        "datasets.measured.assumed_effects: 'treatd' is not an arm; did you mean 'treated'?",
        add("assumed_effects: {treatd: 2}"),
    ),
    Mistake(
        "to find, below 0",
        "datasets.measured.effect_to_find: -1 does not fit; this key holds: a number above 0.",
        add("effect_to_find: -1"),
    ),
]
SOURCES = [
    Mistake(
        "both",
        "datasets.measured.file: a dataset is simulated or read from a file, never both; remove "
        "`file` or `simulate`.",
        add(f"simulate: {RECIPE}"),
    ),
    Mistake(
        "no such file",
        "datasets.measured.file: there is no file 'data/raw/tny.csv'; did you mean "
        "'data/raw/tiny.csv'?",
        measured("tiny.csv", "tny.csv"),
    ),
    Mistake(
        "no such folder",
        "datasets.measured.file: there is no file 'data/new/tiny.csv'; put it there, or correct "
        "the path.",
        measured("data/raw", "data/new"),
    ),
    Mistake(
        "a folder",
        "datasets.measured.file: 'data/raw' is a folder; did you mean 'data/raw/tiny.csv'?",
        measured("data/raw/tiny.csv", "data/raw"),
    ),
]

ROLES = [
    Mistake(
        "a baseline of nobody",
        "datasets.measured.baseline: nothing says which rows are of one individual; name the column "
        "of the individuals' ids as `individual` under `roles`.",
        add("baseline: {pupil: {max: 3}}"),
    ),
    Mistake(
        "an identifier twice",
        "datasets.measured.roles.block: column 'class, pupil' already is roles.group; give each role a "
        "column of its own.",
        measured("group: class", "group: [class, pupil], block: [class, pupil]"),
    ),
    Mistake(
        "one column twice",
        "datasets.measured.roles.group: column 'arm' already is roles.treatment; give each role "
        "a column of its own.",
        measured("group: class", "group: arm"),
    ),
    Mistake(
        "the period as a covariate",
        "datasets.measured.roles.covariates[0]: column 'age' already is roles.period; give each role a "
        "column of its own.",
        measured("class}", "class, period: age, covariates: [age]}"),
    ),
    Mistake(
        "the group as the period",
        "datasets.measured.roles.period: column 'class' already is roles.group; give each role a "
        "column of its own.",
        measured("class}", "class, period: class}"),
    ),
    Mistake(
        "several columns as the period",
        "datasets.measured.roles.period: a list does not fit; this key holds: when a row was measured, "
        "a column of numbers, dates or labels that can be put in order, or nothing; each period has its "
        "own mean.",
        measured("class}", "class, period: [age, pupil]}"),
    ),
    Mistake(
        "the outcome as a covariate",
        "datasets.measured.roles.covariates[1]: column 'score' already is roles.outcome; give "
        "each role a column of its own.",
        measured("class}", "class, covariates: [age, score]}"),
    ),
    Mistake(
        "one column twice in a simulation",
        "datasets.drawn.roles.group: column 'arm' already is roles.treatment; give each role a "
        "column of its own.",
        drawn("group: class", "group: arm"),
    ),
    Mistake(
        "a covariate with the outcome's name",
        "datasets.drawn.simulate.group_covariate.name: column 'score' already is roles.outcome; "
        "give each role a column of its own.",
        replace("sd_group: 3", "sd_group: 3\n      group_covariate: {name: score, slope: 1}"),
    ),
    Mistake(
        "a block in a simulation",
        "datasets.drawn.roles.block: a simulation has no blocks; remove the role.",
        drawn("group: class", "group: class, block: school"),
    ),
    Mistake(
        "a covariate that is not simulated",
        "datasets.drawn.roles.covariates[0]: the simulation makes no 'age'; describe it as "
        "`simulate.group_covariate`.",
        drawn("class}", "class, covariates: [age]}"),
    ),
]

KINDS = [
    Mistake(
        "no kind",
        "datasets.measured.outcome_kind: 'ordinal' is not one of the choices; there are: continuous, "
        "binary, count.",
        add("outcome_kind: ordinal"),
    ),
    Mistake(
        "an event that YAML reads as true",
        "datasets.measured.event: YAML reads yes as true, not as a text; put it in quotes: 'yes'.",
        add("event: yes"),
    ),
    Mistake(
        "an event of counts",
        "datasets.measured.event: only a binary outcome has an event, and `outcome_kind` is count; "
        "remove it, or write `outcome_kind: binary`.",
        add("event: 1\n    outcome_kind: count"),
    ),
    Mistake(
        "an odds ratio of counts",
        "datasets.measured.effect_as: effects on a count outcome are no odds ratios: an event can "
        "happen more than once, so that it has no odds; write `effect_as: ratio` or `effect_as: "
        "difference`.",
        add("outcome_kind: count\n    effect_as: odds_ratio"),
    ),
    Mistake(
        "a ratio of numbers",
        "datasets.measured.effect_as: effects on a continuous outcome are no ratios; write "
        "`effect_as: difference`.",
        add("outcome_kind: continuous\n    effect_as: ratio"),
    ),
    Mistake(
        "an exposure without counts",
        "datasets.measured.roles.exposure: an exposure is for numbers of events, and nothing says "
        "that the outcome counts events; write `outcome_kind: count`, or remove the role.",
        measured("class}", "class, exposure: age}"),
    ),
    Mistake(
        "an exposure that is the outcome",
        "datasets.measured.roles.exposure: column 'score' already is roles.outcome; give each role a "
        "column of its own.",
        measured("class}", "class, exposure: score}"),
    ),
    Mistake(
        "a logarithm of events",
        "datasets.measured.outcome_as: events are counted, and have no log scale; remove it, or write "
        "`outcome_kind: continuous` to take the outcome as a number.",
        add("outcome_kind: binary\n    outcome_as: log"),
    ),
    Mistake(
        "slopes of a ratio",
        "datasets.measured.random_slopes: no model here lets groups differ in an effect that is a "
        "ratio; remove it, or write `effect_as: difference`.",
        add("outcome_kind: count\n    random_slopes: true"),
    ),
    Mistake(
        "a simulation of counts, not declared",
        "datasets.drawn.outcome_kind: the simulation draws numbers of events, and counts are never "
        "guessed; write `outcome_kind: count`.",
        replace(
            "mean: 50\n      effects: {treated: 4}\n      sd_group: 3\n      sd_residual: 6\n",
            "rates: {control: 1, treated: 2}\n      icc: 0.1\n",
        ),
    ),
    Mistake(
        "a risk above 1",
        "datasets.drawn.simulate.risks.treated: 2 does not fit; this key holds: the risk in this arm, "
        "between 0 and 1.",
        replace(
            "mean: 50\n      effects: {treated: 4}\n      sd_group: 3\n      sd_residual: 6\n",
            "risks: {control: 0.5, treated: 2}\n      icc: 0.1\n",
        ),
    ),
    Mistake(
        "a simulation of nothing",
        "datasets.drawn.simulate.mean: a simulation of numbers needs it; add it, or describe events "
        "by `risks` or `rates`.",
        replace("      mean: 50\n", ""),
    ),
]

SIMULATIONS = [
    Mistake(
        "a group of two columns",
        "datasets.drawn.roles.group: a simulation makes one column of labels; name one column.",
        drawn("group: class", "group: [school, class]"),
    ),
    Mistake(
        "reference",
        "datasets.drawn.reference: 'contrl' is not an arm of groups_per_arm; did you mean "
        "'control'?",
        drawn("reference: control", "reference: contrl"),
    ),
    Mistake(
        "effect of no arm",
        "datasets.drawn.simulate.effects: 'treatd' is not an arm of groups_per_arm; did you mean "
        "'treated'?",
        replace("{treated: 4}", "{treatd: 4}"),
    ),
    Mistake(
        "arm with one group",
        "datasets.drawn.simulate.groups_per_arm.treated: one group does not show how much groups "
        "differ; give every arm two groups or more.",
        replace("treated: 3}", "treated: 1}"),
    ),
    Mistake(
        "arm without its spread",
        "datasets.drawn.simulate.sd_residual: it has no value for the arm 'treated'; add one.",
        replace("sd_residual: 6", "sd_residual: {control: 6}"),
    ),
    Mistake(
        "number of sizes",
        "datasets.drawn.simulate.group_size: 2 sizes are listed for 6 groups; list one size per "
        "group, or give one size for all.",
        replace("group_size: 5", "group_size: [5, 5]"),
    ),
    Mistake(
        "range",
        "datasets.drawn.simulate.group_size: min 9 is above max 5; exchange them.",
        replace("group_size: 5", "group_size: {min: 9, max: 5}"),
    ),
]

SYNTAX = [
    Mistake(
        "bracket",
        "line 23: this is not valid YAML (expected ',' or '}', but got ':'); check indentation, "
        "colons, brackets and quotes there and in the line before.",
        measured("class}", "class"),
    ),
    Mistake(
        "tab",
        "line 23: a tab stands where YAML wants spaces; indent with spaces.",
        measured("    reference", "\treference"),
    ),
    Mistake(
        "colon in a text",
        "line 20: a colon stands where none can be; put a text that holds a colon in quotes, and "
        "check the indentation.",
        replace("Tiny, from a file", "Tiny: from a file"),
    ),
    Mistake(
        "empty file",
        "the file is empty; describe a dataset under `datasets:` (see README.md).",
        whole(""),
    ),
    Mistake(
        "no keys",
        "the file holds no keys; describe a dataset under `datasets:` (see README.md).",
        whole("- drawn\n- measured\n"),
    ),
    Mistake(
        "no file",
        "there is no such configuration file; check its name, or bring it back.",
        lambda project: (project.folder / CONFIG).unlink(),
    ),
    Mistake("encoding", "it is not text in UTF-8; save it as UTF-8.", whole(b"title: \xe9t\xe9\n")),
]

MISTAKES = {
    f"{kind}: {mistake.name}": mistake
    for kind, mistakes in {
        "unknown key": UNKNOWN_KEYS,
        "missing": MISSING_KEYS,
        "wrong value": WRONG_VALUES,
        "without quotes": UNQUOTED,
        "name": NAMES,
        "effects": EFFECTS,
        "source": SOURCES,
        "roles": ROLES,
        "simulation": SIMULATIONS,
        "kind": KINDS,
        "syntax": SYNTAX,
    }.items()
    for mistake in mistakes
}
# By a job; before Snakemake reads the file, twice; by the Snakefile.
BY_A_JOB = "effects: of no arm in a file"
IN_A_RUN = (
    BY_A_JOB,
    *("syntax: bracket", "syntax: no file"),
    *("unknown key: of a dataset", "source: no such file"),
)


@pytest.mark.parametrize("name", sorted(MISTAKES.keys() - {BY_A_JOB}))
def test_mistake_is_one_sentence(bare: Project, name: str) -> None:
    mistake = MISTAKES[name]
    mistake.make(bare)
    run = in_process.check(bare)
    assert run.code != 0
    assert run.sentences == [f"{CONFIG}: {mistake.says}"], run.console
    assert "Traceback" not in run.console


@pytest.mark.parametrize("name", IN_A_RUN)
def test_mistake_is_one_sentence_of_a_run_that_removes_nothing(copied: Project, name: str) -> None:
    mistake, before = MISTAKES[name], copied.times()
    mistake.make(copied)
    for run in copied.both_ways():
        assert run.code != 0
        assert run.sentences == [f"{CONFIG}: {mistake.says}"], run.console
        assert "Traceback" not in run.console
    assert copied.times() == before


def test_mistake_in_another_configfile_names_that_file(copied: Project) -> None:
    copied.write("more.yaml", "datasets: {measured: {referense: treated}}\n")
    for run in (
        copied.make_report("--configfile more.yaml"),
        copied.snakemake("--configfile", "more.yaml"),
    ):
        assert run.code != 0
        says = "datasets.measured.referense: unknown key; did you mean 'reference'?"
        assert run.sentences == [f"more.yaml: {says}"]


BAD_SUMS = (
    "data/raw/SHA256SUMS: line 1: this is no sum with a file's name; write it as `sha256sum` "
)
NO_SUMS = (
    "data/raw/SHA256SUMS: there is no such list of checksums; bring it back (it may be empty)."
)


def test_bad_list_of_checksums(bare: Project) -> None:
    bare.write(in_process.SUMS, "0123  tiny.csv\n")
    run = in_process.check(bare)
    assert run.code != 0 and "Traceback" not in run.console
    assert [each.startswith(BAD_SUMS) for each in run.sentences] == [True], run.console


def test_missing_list_of_checksums(copied: Project) -> None:
    """The list is an input of jobs: Snakemake would miss it in its own words."""
    (copied.folder / in_process.SUMS).unlink()
    for run in copied.both_ways():
        assert run.code != 0 and "Traceback" not in run.console
        assert run.sentences == [NO_SUMS], run.console
