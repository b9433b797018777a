"""A mistake in a data file ends in one sentence, and earlier results stay; what is harmless works.

The sentences stand here as a user reads them. All are asked of the scripts themselves, and those of
`IN_A_RUN` of a run too.
"""

from __future__ import annotations

import gzip
import pickle
from collections.abc import Callable
from typing import NamedTuple

import in_process
import pytest
from tiny_project import CONFIG, TINY_CSV, Project, Run, make_data

TINY = (CONFIG / "tiny.csv").read_text(encoding="utf-8")
LINES = TINY.splitlines()
SCORE = LINES[7].split(",")[3]  # of the seventh pupil
ROLES = "    roles: {outcome: score, treatment: arm, group: class}\n    reference: control\n"
BLOCK = "    file: data/raw/tiny.csv\n" + ROLES
KEEP = "save it as CSV in UTF-8, with commas and a header line"


class Mistake(NamedTuple):
    """Something wrong with a file: the file's content, changes of config.yaml, what a user reads.

    `says` follows `{file}: datasets.measured.`.
    """

    name: str
    says: str
    content: str | bytes
    change: tuple[str, str] = ("", "")
    file: str = TINY_CSV


def rows(keep: Callable[[str], bool]) -> str:
    """The header, and some of the rows."""
    return "\n".join([LINES[0], *filter(keep, LINES[1:])]) + "\n"


def with_column(name: str, value: Callable[[list[str]], str]) -> str:
    """A column more, computed from a row's fields."""
    more = [f"{line},{value(line.split(','))}" for line in LINES[1:]]
    return "\n".join([f"{LINES[0]},{name}", *more]) + "\n"


def with_score(value: str, old: str = SCORE) -> str:
    """Another score of the seventh pupil."""
    return TINY.replace(f",{old},", f",{value},", 1)


def with_scores(value: str) -> str:
    """One score for everybody."""
    fields = [line.split(",") for line in LINES[1:]]
    return "\n".join([LINES[0], *(",".join([*f[:3], value, f[4]]) for f in fields)]) + "\n"


def month(fields: list[str]) -> int:
    """The five pupils of a class were measured in one month each."""
    return 1 + (int(fields[0]) - 1) % 5


def in_months(arm: Callable[[int, int], str], label: Callable[[int], str] = str) -> str:
    """A column more, the month; the arm of a class, by its number, in a month."""
    rows = []
    for fields in (each.split(",") for each in LINES[1:]):
        fields[2] = arm(int(fields[1][1:]), month(fields))
        rows.append(",".join([*fields, label(month(fields))]))
    return "\n".join([f"{LINES[0]},month", *rows]) + "\n"


def stepwise(number: int, when: int) -> str:
    """The arm of a class that is treated from a month on, two classes from each."""
    return "treated" if when > 1 + (number + 1) // 2 else "control"


def always(number: int, when: int) -> str:
    return "control" if number % 2 else "treated"


def more_roles(text: str) -> tuple[str, str]:
    return "class}", f"class, {text}}}"


def line(text: str) -> tuple[str, str]:
    return "reference: control\n", f"reference: control\n    {text}\n"


def quote(fields: list[str]) -> str:
    return ",".join(f'"{field.replace(".", ",")}"' if "." in field else field for field in fields)


COLUMNS = [
    Mistake(
        "missing",
        "roles.outcome: the data have no column 'scores'; did you mean 'score'?",
        TINY,
        ("outcome: score", "outcome: scores"),
    ),
    Mistake(
        "in lower case",
        "roles.outcome: the data have no column 'Score'; did you mean 'score'?",
        TINY,
        ("outcome: score", "outcome: Score"),
    ),
    Mistake(
        "named twice",
        "file: the header has the column 'class' 2 times; rename all but one.",
        TINY.replace("pupil,", "class,", 1),
    ),
    Mistake(
        "no header",
        f"roles.outcome: the data have no column 'score'; there are: {LINES[1].replace(',', ', ')}.",
        "\n".join(LINES[1:]),
    ),
]

OUTCOMES = [
    Mistake(
        "a word",
        "roles.outcome: column 'score' has a text among its numbers: 'absent' (1); write "
        "`missing_codes: {score: [absent]}` if that means missing, or else correct it in the file.",
        with_score("absent"),
    ),
    Mistake(
        "infinite",
        "roles.outcome: column 'score' is not numeric: data row 7 has 'inf'; correct the value "
        "or leave it empty if it is missing.",
        with_score("inf"),
    ),
    Mistake(
        "decimal commas",
        "roles.outcome: column 'score' has numbers with a decimal comma, as in "
        f"'{LINES[1].split(',')[3].replace('.', ',')}'; write `format: {{decimal: ','}}`.",
        "\n".join(quote(each.split(",")) for each in LINES) + "\n",
    ),
    Mistake(
        "true and false",
        "roles.outcome: column 'score' holds two labels, 'false' and 'true', not numbers; write "
        "`recode: {score: {'false': 0, 'true': 1}}`.",
        with_scores("True"),
    ),
    Mistake(
        "missing, which is an error",
        "roles.outcome: column 'score' has 1 missing value; complete them, or set `missing: "
        "drop` to analyse the complete rows.",
        with_score(""),
        line("missing: error"),
    ),
    Mistake(
        "always missing",
        "roles: no row has a value in every column in use; look for a column that is always "
        "missing.",
        with_scores(""),
    ),
]

ARMS = [
    Mistake(
        "reference",
        "reference: column 'arm' has no level 'contrl'; did you mean 'control'?",
        TINY,
        ("reference: control", "reference: contrl"),
    ),
    Mistake(
        "with one group",
        "roles.treatment: the arm 'treated' has 1 group; with one group in an arm nothing tells the "
        "effect of the treatment from that of the group: if smaller units than 'class' were assigned, "
        "name them as the group; if the members of 'treated' were in no group, write `recode: {class: "
        "{c6: null}}` and `ungrouped: own_group`.",
        rows(lambda row: ",c2," not in row and ",c4," not in row),
    ),
    Mistake(
        "one only",
        "roles.treatment: column 'arm' has one level only, 'control'; a comparison needs two arms.",
        rows(lambda row: "control" in row),
    ),
    Mistake(
        "the same for all",
        "roles.treatment: column 'arm' has one level only, 'control'; a comparison needs two arms.",
        TINY.replace("treated", "control"),
    ),
    Mistake(
        "not in levels",
        "levels: the data have a treatment 'placebo' that is not listed; list every arm, or "
        "leave `levels` out.",
        TINY.replace("c1,control", "c1,placebo").replace("c3,control", "c3,placebo"),
        line("levels: [control, treated]"),
    ),
    Mistake(
        "not in the data",
        "levels: no row has the treatment 'treatd'; did you mean 'treated'?",
        TINY,
        line("levels: [control, treatd]"),
    ),
    Mistake(
        "without a label",
        "levels: the data have a treatment 'treated' that has no label; give every value a label.",
        TINY,
        line("levels: {control: control, new: new}"),
    ),
    Mistake(
        "spelt in two ways",
        "roles.treatment: the arms 'Treated' and 'treated' differ in upper and lower case only; "
        "write each arm in one way.",
        TINY.replace("treated", "Treated", 1),
    ),
]

DESIGNS = [
    Mistake(
        "a group in two blocks",
        "roles.block: group 'c1' lies in 2 blocks; a group must lie in one block: give groups of "
        "different blocks different labels.",
        with_column("school", lambda fields: "east" if int(fields[0]) % 2 else "west"),
        more_roles("block: school"),
    ),
    Mistake(
        "one group",
        "roles.group: column 'school' has one level only; inference needs several groups.",
        with_column("school", lambda fields: "east"),
        ("group: class", "group: school"),
    ),
    Mistake(
        "collinear covariates",
        "roles: 'twice' cannot be told apart from the other terms of the model; leave out "
        "covariates or blocks that say the same, or set `rank_deficient: drop`.",
        with_column("twice", lambda fields: str(2 * int(fields[4]))),
        more_roles("covariates: [age, twice]"),
    ),
]

FILES = [
    Mistake("empty", "file: the file is empty; put the data in it, with a header line.", ""),
    Mistake(
        "a blank line", "file: the file is empty; put the data in it, with a header line.", "\n"
    ),
    Mistake(
        "header only", "file: the data have a header but no rows; add the data.", LINES[0] + "\n"
    ),
    Mistake(
        "encoding",
        f"file: the file is not text in UTF-8; {KEEP}, or name its encoding as "
        "`format: {encoding: cp1252}`.",
        TINY.replace("treated", "ma\u00f1ana").encode("latin-1"),
    ),
    Mistake(
        "zero bytes",
        f"file: the file holds zero bytes, so it is no text; {KEEP}.",
        TINY.encode("utf-16-le"),
    ),
    Mistake(
        "commas in numbers",
        "file: the commas in the numbers of column 'score' may be decimal or not; write "
        "`format: {decimal: ','}`, or `format: {thousands: ','}` if they separate thousands.",
        with_scores("1|234").replace(",", ";").replace("|", ","),
    ),
    Mistake(
        "a long line",
        "file: line 8 has 7 fields, but the header has 5; correct the line, and put a text that "
        "holds a comma in quotes.",
        TINY.replace("\n7,", "\n7,8,9,"),
    ),
    Mistake(
        "a line cut off",
        "file: line 31 has 3 fields, but the header has 5; correct the line, and put a text that "
        "holds a comma in quotes.",
        TINY[: TINY.rindex("treated") + 4],
    ),
    Mistake(
        "an open quote",
        "file: line 31 cannot be read (unexpected end of data); look for a quote that is not "
        "closed.",
        TINY.replace(",c3,", ',"c3,', 1),
    ),
    Mistake(
        "no Parquet",
        "file: the file is not Parquet, or it is damaged; write it anew, or name a CSV file "
        "`.csv`.",
        TINY,
        ("tiny.csv", "tiny.parquet"),
        "data/raw/tiny.parquet",
    ),
    Mistake(
        "a workbook",
        "file: the file is not an Excel workbook, or it is damaged; save it anew as .xlsx.",
        b"PK\x03\x04" + bytes(100),
        ("tiny.csv", "tiny.xlsx"),
        "data/raw/tiny.xlsx",
    ),
    Mistake(
        "a workbook by another name",
        f"file: the file is a spreadsheet or an archive, not CSV; {KEEP}.",
        b"PK\x03\x04" + bytes(100),
    ),
    Mistake(
        "no SPSS",
        "file: the file is not a file of SPSS, or it is damaged; write it anew in SPSS, or save "
        "it as CSV.",
        b"$FL2" + bytes(1000),
        ("tiny.csv", "tiny.sav"),
        "data/raw/tiny.sav",
    ),
    Mistake(
        "a pickle",
        "file: the file is a pickle, which can hold a program and is not read; save the table as "
        "CSV, Parquet or .xlsx.",
        pickle.dumps({"score": [1, 2]}),
        ("tiny.csv", "tiny.pkl"),
        "data/raw/tiny.pkl",
    ),
    Mistake(
        "compressed and cut off",
        "file: the compressed file is damaged or cut off; compress it anew with gzip.",
        gzip.compress(TINY.encode())[:-20],
        ("tiny.csv", "tiny.csv.gz"),
        "data/raw/tiny.csv.gz",
    ),
]

DECLARED = [
    Mistake(
        "a condition on no column",
        "where.grade: the data have no column 'grade'; there are: pupil, class, arm, score, age.",
        TINY,
        line("where: {grade: K}"),
    ),
    Mistake(
        "a condition nobody meets",
        "where: no row of 30 meets the conditions; check the values they ask for.",
        TINY,
        line("where: {score: {min: 1000}}"),
    ),
    Mistake(
        "a value nobody has",
        "where.class.not: no row has the value 'c9' in column 'class'; "
        "there are: c1, c2, c3, c4, c5, c6.",
        TINY,
        line("where: {class: {not: [c9]}}"),
    ),
    Mistake(
        "a condition in numbers on words",
        "where.class: column 'class' holds 6 labels, not numbers: 'c1', 'c2', 'c3', 'c4', 'c5', 'c6'; "
        "name a column of numbers, or recode each label as one.",
        TINY,
        line("where: {class: {max: 3}}"),
    ),
    Mistake(
        "a recode of nothing",
        "recode.arm: no row has the value 'Control' in column 'arm'; did you mean 'control'?",
        TINY,
        line("recode: {arm: {Control: control}}"),
    ),
    Mistake(
        "a recode of no column",
        "recode.arms: the data have no column 'arms'; did you mean 'arm'?",
        TINY,
        line("recode: {arms: {control: c}}"),
    ),
    Mistake(
        "a logarithm of less than 0",
        f"outcome_as: column 'score' has the value -{SCORE}; "
        "a logarithm needs values above 0: set `outcome_as: raw`.",
        with_score(f"-{SCORE}"),
        line("outcome_as: log"),
    ),
    Mistake(
        "standardized without spread",
        "roles.outcome: column 'score' has the value 5 in every row in use; name an outcome that "
        "varies.",
        with_scores("5"),
        line("outcome_as: standardized"),
    ),
    Mistake(
        "a category that is no covariate",
        "categorical[0]: 'sex' is none of the covariates; "
        "add it to roles.covariates, or remove it.",
        TINY,
        line("categorical: [sex]"),
    ),
    Mistake(
        "a number that is a word",
        "roles.covariates[0]: column 'sex' holds 1 label, not a number: 'f'; name a column of "
        "numbers, or recode each label as one.",
        with_column("sex", lambda fields: "f"),
        ("class}\n", "class, covariates: [sex]}\n    numeric: [sex]\n"),
    ),
    Mistake(
        "no blocks to drop",
        "one_arm_blocks: there are no blocks to drop; remove it, or name roles.block.",
        TINY,
        line("one_arm_blocks: drop"),
    ),
    Mistake(
        "slopes of a treatment of whole groups",
        "random_slopes: the treatment is constant within every group, so no group shows an effect; "
        "remove it: it is for treatments within groups.",
        TINY,
        line("random_slopes: true"),
    ),
    Mistake(
        "a covariate said twice",
        "roles: 'twice' cannot be told apart from the other terms of the model; "
        "leave out covariates or blocks that say the same, or set `rank_deficient: drop`.",
        with_column("twice", lambda fields: "1" if fields[2] == "treated" else "0"),
        more_roles("covariates: [twice]"),
    ),
]

SEASONS = ("", "Spring", "Summer", "Monsoon", "Autumn", "Winter")
MONTH = more_roles("period: month")
NO_PERIOD = (
    "nothing says in which period a row was measured; name the column as `period` under `roles`."
)


def months(text: str) -> tuple[str, str]:
    """The month as the period, and a line more."""
    return "class}\n", f"class, period: month}}\n    {text}\n"


KINDS = [
    Mistake(
        "three values",
        "outcome_kind: column 'passed' has 3 values ('maybe', 'no', 'yes'), and a binary outcome has "
        "two; write `recode: {passed: {maybe: null}}` if 'maybe' means a missing value, or merge two "
        "of them, as by `recode: {passed: {maybe: 'no'}}`.",
        with_column("passed", lambda f: "maybe" if f[0] == "1" else ("no", "yes")[int(f[0]) % 2]),
        (BLOCK, BLOCK.replace("score", "passed") + "    outcome_kind: binary\n"),
    ),
    Mistake(
        "two values without a yes",
        "event: column 'side' has two values, 'left' and 'right', and neither says that it happened; "
        "write `event: right` if that counts, or `event: left`.",
        with_column("side", lambda f: ("left", "right")[int(f[0]) % 2]),
        ("outcome: score", "outcome: side"),
    ),
    Mistake(
        "an event that is no value",
        "event: no row has the value 'rihgt' in column 'side'; did you mean 'right'?",
        with_column("side", lambda f: ("left", "right")[int(f[0]) % 2]),
        (BLOCK, BLOCK.replace("score", "side") + "    event: rihgt\n"),
    ),
    Mistake(
        "one value",
        "roles.outcome: column 'passed' has the value 'yes' in every row; name an outcome that varies.",
        with_column("passed", lambda f: "yes"),
        (BLOCK, BLOCK.replace("score", "passed") + "    event: 'yes'\n"),
    ),
    Mistake(
        "a fraction of an event",
        f"outcome_kind: column 'score' has the value {float(LINES[1].split(',')[3]):g}, which is no "
        "whole number; numbers of events are 0, 1, 2 and so on: correct it in the file, or write "
        "`outcome_kind: continuous`.",
        TINY,
        line("outcome_kind: count"),
    ),
    Mistake(
        "a negative number of events",
        "outcome_kind: column 'visits' has the value -20, which is below 0; numbers of events are 0, "
        "1, 2 and so on: correct it in the file, or write `outcome_kind: continuous`.",
        with_column("visits", lambda f: str(int(f[0]) - 21)),
        (BLOCK, BLOCK.replace("score", "visits") + "    outcome_kind: count\n"),
    ),
    Mistake(
        "no time at risk",
        "roles.exposure: column 'days' is 0 in 1 row, and an exposure is above 0; correct it in the "
        "file, or leave such rows out by `where: {days: {not: [0]}}`.",
        with_column("days", lambda f: str(int(f[0]) - 1)),
        (
            BLOCK,
            BLOCK.replace("score", "age").replace("class}", "class, exposure: days}")
            + "    outcome_kind: count\n",
        ),
    ),
    Mistake(
        "no numbers at risk",
        "roles.exposure: column 'days' has a text among its numbers: 'all' (1); write "
        "`missing_codes: {days: [all]}` if that means missing, or else correct it in the file.",
        with_column("days", lambda f: "all" if f[0] == "1" else f[0]),
        (
            BLOCK,
            BLOCK.replace("score", "age").replace("class}", "class, exposure: days}")
            + "    outcome_kind: count\n",
        ),
    ),
    Mistake(
        "a standardized event",
        "outcome_as: events are counted, and have no standardized scale; remove it, or write "
        "`outcome_kind: continuous` to take the outcome as a number.",
        with_column("passed", lambda f: str(int(f[0]) % 2)),
        (BLOCK, BLOCK.replace("score", "passed") + "    outcome_as: standardized\n"),
    ),
    Mistake(
        "a ratio of numbers",
        "effect_as: effects on a continuous outcome are no ratios; write `outcome_kind: count` if it "
        "counts events, or remove the setting.",
        TINY,
        line("effect_as: ratio"),
    ),
]

PERIODS = [
    Mistake(
        "not there",
        "roles.period: the data have no column 'mont'; did you mean 'month'?",
        in_months(stepwise),
        more_roles("period: mont"),
    ),
    Mistake(
        "without an order",
        "roles.period: the order of the periods 'Autumn', 'Monsoon', 'Spring', 'Summer', ... cannot be "
        "told from their labels; put these in order of time: `periods: [Autumn, Monsoon, Spring, "
        "Summer, Winter]`.",
        in_months(stepwise, lambda when: SEASONS[when]),
        MONTH,
    ),
    Mistake(
        "days or months first",
        "roles.period: the order of the periods '01/02/2020', '01/04/2020', '02/01/2020', '03/01/2020', "
        "... cannot be told from their labels; put these in order of time: `periods: ['01/02/2020', "
        "'01/04/2020', '02/01/2020', '03/01/2020', '04/03/2020']`.",
        in_months(
            stepwise,
            lambda when: ["02/01", "01/02", "03/01", "01/04", "04/03"][when - 1] + "/2020",
        ),
        MONTH,
    ),
    Mistake(
        "times of day",
        "roles.period: it has 150 values, which are no periods; name a column that says in which week, "
        "month or wave a row was measured.",
        "\n".join(
            [f"{LINES[0]},month"]
            + [
                f"{each},2021-01-{1 + copy:02} 08:{i:02}:17"
                for copy in range(5)
                for i, each in enumerate(LINES[1:])
            ]
        ),
        MONTH,
    ),
    Mistake(
        "missing, which is an error",
        "roles.period: column 'month' has 6 missing values; complete them, or set `missing: drop` to "
        "analyse the complete rows.",
        in_months(stepwise, lambda when: "" if when == 5 else str(when)),
        months("missing: error"),
    ),
    Mistake(
        "listed, but not there",
        "periods: no row has the period '6'; there are: 1, 2, 3, 4, 5.",
        in_months(stepwise),
        months("periods: [1, 2, 3, 4, 5, 6]"),
    ),
    Mistake(
        "not listed",
        "periods: the data have a period '5' that is not listed; list every period, or leave `periods` "
        "out.",
        in_months(stepwise),
        months("periods: [1, 2, 3, 4]"),
    ),
    Mistake(
        "listed twice",
        "periods: '1' is listed twice; list each period once.",
        in_months(stepwise),
        months("periods: [1, '1', 2, 3, 4, 5]"),
    ),
    Mistake(
        "listed, and no column named",
        f"periods: {NO_PERIOD}",
        in_months(stepwise),
        line("periods: [1, 2, 3, 4, 5]"),
    ),
    Mistake(
        "untreated, and no column named",
        f"untreated_periods: {NO_PERIOD}",
        in_months(always),
        line("untreated_periods: [1]"),
    ),
    Mistake(
        "untreated, but not there",
        "untreated_periods: no row has the period '0'; there are: 1, 2, 3, 4, 5.",
        in_months(always),
        months("untreated_periods: [0]"),
    ),
    Mistake(
        "untreated to the end",
        "untreated_periods: every period is listed, so no row would have a treatment; list those before "
        "the treatment only.",
        in_months(always),
        months("untreated_periods: [1, 2, 3, 4, 5]"),
    ),
    Mistake(
        "untreated, and treated in the data",
        "untreated_periods: in '3' the group 'c1' is in the arm 'treated', and groups change their arm "
        "with time in the data; remove the period from the list, or correct the arm in the file.",
        in_months(stepwise),
        months("untreated_periods: [1, 2, 3]"),
    ),
    Mistake(
        "an interrupted time series",
        "roles.period: no 'month' holds two arms, so an effect of the treatment and a change over time "
        "are one; no analysis can tell them apart without groups that are in different arms at one "
        "time: add such groups, or name another column of periods.",
        in_months(lambda number, when: "treated" if when > 2 else "control"),
        MONTH,
    ),
    Mistake(
        "with an arm of its own",
        "roles.period: no 'month' holds 'both' and an arm that leads to 'control', so an effect of the "
        "treatment and a change over time are one; no analysis can tell them apart without groups that "
        "are in different arms at one time: add such groups, or name another column of periods.",
        in_months(lambda number, when: "both" if when == 5 else always(number, when)),
        months("rank_deficient: drop"),
    ),
    Mistake(
        "and a second group of groups in periods",
        "roles.second_group: it is each 'class' in each 'month', which have an effect of their own in "
        "any case; remove it.",
        in_months(stepwise),
        more_roles("period: month, second_group: [class, month]"),
    ),
    Mistake(
        "of sequences, not named",
        f"assigned: {NO_PERIOD}",
        in_months(stepwise),
        line("assigned: sequence"),
    ),
    Mistake(
        "in which groups change",
        "assigned: group 'c1' holds several arms, so groups were not assigned; its arm changes with "
        "'month': write `assigned: sequence`.",
        in_months(stepwise),
        months("assigned: group"),
    ),
    Mistake(
        "in which no group changes",
        "assigned: every group is in one arm in all periods, so there are no sequences of arms; write "
        "`assigned: group`, or leave it out.",
        in_months(always),
        months("assigned: sequence"),
    ),
]

MISTAKES = {
    f"{kind}: {mistake.name}": mistake
    for kind, mistakes in {
        "column": COLUMNS,
        "outcome": OUTCOMES,
        "arm": ARMS,
        "design": DESIGNS,
        "file": FILES,
        "declared": DECLARED,
        "period": PERIODS,
        "kind": KINDS,
    }.items()
    for mistake in mistakes
}
IN_A_RUN = ("file: empty", "arm: with one group")
PROCESSED = "data/processed/measured.parquet"

HARMLESS = {
    "semicolons and decimal commas": TINY.replace(",", ";").replace(".", ","),
    "tabs": TINY.replace(",", "\t"),
    "UTF-16": TINY.encode("utf-16"),
    "gzip": gzip.compress(TINY.encode()),
    "a byte-order mark": "\ufeff" + TINY,
    "Windows line ends": TINY.replace("\n", "\r\n"),
    "blank lines": TINY.replace("\n", "\n\n"),
    "spaces in the header": TINY.replace("arm,score", "arm , score", 1),
    "spaces after commas": TINY.replace(",", ", "),
    "a space after a label": TINY.replace("treated", "treated ", 1),
    "quotes": "\n".join(",".join(f'"{f}"' for f in each.split(",")) for each in LINES),
    "another order of columns": "\n".join(",".join(each.split(",")[::-1]) for each in LINES),
}


def set_up(project: Project, content: str | bytes, change: tuple[str, str], file: str) -> None:
    old, new = change
    project.edit("config.yaml", BLOCK, BLOCK.replace(old, new) if old else BLOCK)
    project.write(file, content)


@pytest.mark.parametrize("name", MISTAKES)
def test_mistake_is_one_sentence(bare: Project, name: str) -> None:
    mistake = MISTAKES[name]
    set_up(bare, mistake.content, mistake.change, mistake.file)
    assert_says(in_process.check(bare), mistake)


@pytest.mark.parametrize("name", IN_A_RUN)
def test_mistake_is_one_sentence_of_a_run_that_removes_nothing(copied: Project, name: str) -> None:
    mistake, before = MISTAKES[name], copied.times()
    set_up(copied, mistake.content, mistake.change, mistake.file)
    for run in copied.both_ways():
        assert_says(run, mistake)
    assert copied.times() == before


def assert_says(run: Run, mistake: Mistake) -> None:
    assert run.code != 0
    says = f"{mistake.file}: datasets.measured.{mistake.says}"
    assert run.sentences == [says], run.console
    assert "Traceback" not in run.console


def test_changed_file_is_refused(copied: Project) -> None:
    before = copied.times()
    copied.write("data/raw/SHA256SUMS", f"{'0' * 64}  tiny.csv\n")
    for run in copied.both_ways():
        assert run.code != 0
        (sentence,) = run.sentences
        assert sentence.startswith(f"{TINY_CSV}: datasets.measured.file: the file has changed: ")
        assert "data/raw/SHA256SUMS lists 000000000000...; restore the file" in sentence
        assert "Traceback" not in run.console
    assert copied.times() == before


def test_file_of_the_same_name_elsewhere_is_not_changed(bare: Project) -> None:
    bare.write("data/raw/SHA256SUMS", f"{'0' * 64}  tiny.csv\n")
    bare.write("tiny.csv", TINY)
    bare.edit("config.yaml", BLOCK, BLOCK.replace(TINY_CSV, "tiny.csv"))
    run = in_process.check(bare)
    assert run.code == 0, run.console


def test_mended_mistake_is_done_with(copied: Project) -> None:
    before = copied.made()
    copied.write(TINY_CSV, with_score("absent"))
    assert copied.make_report().code != 0
    copied.write(TINY_CSV, TINY)
    assert copied.make_report(PROCESSED).code == 0
    assert copied.made() == before


@pytest.fixture(scope="module")
def as_it_is(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The analysis table of the file that nothing was done to."""
    project = make_data(tmp_path_factory.mktemp("as_it_is") / "project")
    run = in_process.ingest(project)
    assert run.code == 0, run.console
    return (project.folder / PROCESSED).read_bytes()


@pytest.mark.parametrize("name", HARMLESS)
def test_harmless_file_is_read(bare: Project, as_it_is: bytes, name: str) -> None:
    bare.write(TINY_CSV, HARMLESS[name])
    run = in_process.ingest(bare)
    assert run.code == 0, run.console
    assert (bare.folder / PROCESSED).read_bytes() == as_it_is


def test_a_run_reads_what_the_scripts_read(finished: Project, as_it_is: bytes) -> None:
    assert (finished.folder / PROCESSED).read_bytes() == as_it_is


@pytest.mark.parametrize(
    ("labels", "change"),
    [
        (("0", "1"), ("reference: control", "reference: '0'")),
        (("0", "1"), ("reference: control", "reference: 0")),
        (("0.0", "1.0"), ("reference: control", "reference: 0\n    levels: [0, 1]")),
        (("False", "True"), ("reference: control", "reference: false")),
        (("0", "1"), ("reference: control", "reference: '0'\n    levels: ['0', '1']")),
        (("0", "1"), line("levels: {0: control, 1: treated}")),
        (("No", "Yes"), ("reference: control", "reference: 'No'")),
        (("01", "1"), ("reference: control", "reference: '01'")),
    ],
    ids=[
        "quoted",
        "numbers",
        "numbers with decimals",
        "true and false",
        "levels",
        "mapping",
        "yes and no",
        "leading zero",
    ],
)
def test_arms_may_look_like_numbers(
    bare: Project, labels: tuple[str, str], change: tuple[str, str]
) -> None:
    content = TINY.replace("control", labels[0]).replace("treated", labels[1])
    set_up(bare, content, change, TINY_CSV)
    run = in_process.check(bare)
    assert run.code == 0, run.console
