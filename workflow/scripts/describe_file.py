"""Say what stands in a data file, and draft its block of config.yaml.

Run by the rule of this name, and by `make describe` without Snakemake, which would refuse to start
on a config.yaml that is not finished.
"""

import json
import os
import re
import shlex
import sys
import textwrap
from pathlib import Path

import yaml
from configuration import from_here
from raw_table import read_raw
from raw_table.form import merged

from groupwise.data.aside import without_label_codes
from groupwise.data.drafting import (
    alternatives,
    remarks,
    settings,
    suspected_codes,
    suspicions,
    text_numbers,
)
from groupwise.data.errors import InputError, sentence
from groupwise.data.guess import covariates, guess_layout, guess_reference
from groupwise.data.labels import in_order, labels
from groupwise.data.outcomes import measured_after
from groupwise.data.profile import constant_within, groupings, nesting, profile

WIDTH = 98
LONGEST_NAME = 30
SETTING = re.compile(r"`(format: [^`]+)`")
CHECK = """
A draft for config.yaml, or for a file of your own (make report CONFIG=my.yaml). What is marked as a
guess was guessed from names and numbers: check it, above all which column was randomised.
"""


def describe(file, form):
    """The page on a file: its columns, what nests in what, and a draft of its block."""
    path = from_here(os.path.abspath(file))
    raw = read_raw(Path(path), None, form=form)
    if raw.table.empty:
        raise InputError("file", "the data have a header but no rows", "add the data")
    columns = profile(raw.table)
    head = f"{path}: {len(raw.table)} rows, {len(columns)} columns"
    codes = suspected_codes(raw.table)
    layout = [as_typed(suspicion, form) for suspicion in raw.suspicions]
    cleaned = without_label_codes(raw.table, codes)
    kept = columns if cleaned is raw.table else profile(cleaned)
    hints = [hint for hint in text_numbers(raw.table, columns) if is_new(hint, form)]
    again = read_again(file, [*raw.suspicions, *hints], form)
    suspected = [*layout, *(as_typed(hint, form) for hint in hints), *suspicions(raw.table, codes)]
    parts = [
        "\n".join([printable(head), *(printable(note) for note in raw.notes)]),
        "\n".join(column_lines(columns)),
        "\n".join(nesting_lines(cleaned, kept, aside=cleaned is not raw.table)),
        *(["\n".join(["To be looked at", *map(wrapped, suspected)])] if suspected else []),
        CHECK.strip(),
        draft(path, raw.table, cleaned, kept, form, codes, again),
    ]
    return "\n\n".join(parts) + "\n"


def column_lines(columns):
    """A line per column of the file."""
    width = min(max(len(printable(column.name)) for column in columns), LONGEST_NAME)
    width = max(width, len("column"))
    yield f"{'column':{width}}  {'type':12}  {'missing':>8}  {'levels':>8}  examples"
    for column in columns:
        name = shortened(column.name, width)
        line = f"{name:{width}}  {column.kind:12}  {column.missing:8}  {column.levels:8}  "
        more = ", ..." if column.levels > len(column.examples) else ""
        yield (line + shortened(", ".join(column.examples) + more, WIDTH - len(line))).rstrip()


def nesting_lines(table, columns, *, aside):
    """A line per column that determines others; `aside`: codes were taken out of the table."""
    lines = []
    for same, inner in nesting(constant_within(table, groupings(columns))):
        also = f" (the same as {', '.join(same[1:])})" if same[1:] else ""
        lines.append(f"  within each {same[0]}{also}: {', '.join(inner) or 'nothing else'}")
    one = [column.name for column in columns if column.levels == 1]
    lines += [f"  everywhere: {', '.join(one)}"] if one else []
    keys = [column.name for column in columns if column.is_key]
    lines = lines or ["  nothing, but for columns that differ from row to row"]
    lines += [f"A value of its own in each row: {', '.join(keys)}"] if keys else []
    folded = (textwrap.wrap(printable(line), WIDTH, subsequent_indent="    ") for line in lines)
    title = "Constant, with suspected codes (see below) set aside" if aside else "Constant"
    return [title, *(line for each in folded for line in each)]


def wrapped(text):
    """A sentence below a title, on as many lines as it takes."""
    margins = {"initial_indent": "  ", "subsequent_indent": "    "}
    return "\n".join(textwrap.wrap(printable(text), WIDTH, **margins))


def read_again(file, suspicions, form):
    """Lines of a draft that say how to describe the file as its layout suggests."""
    settings = [each for suspicion in suspicions for each in SETTING.findall(suspicion)]
    if not settings:
        return []
    why = "guessed from the file as it was read; if it is laid out as is said above, describe it again:"
    quoted = shlex.quote(str(file)).replace("$", "$$")
    command = f"make describe FILE={quoted} {typed(settings, form)}"
    return [*comment(4, why), f"    # {printable(command)}"]


def draft(path, table, cleaned, columns, form, codes, notes):
    """The block as YAML; a guess has its reason beside it. `columns`: those of the cleaned table."""
    layout = guess_layout(cleaned, columns)
    name = re.sub(r"\W+", "_", Path(path).name.split(".")[0], flags=re.A).strip("_")
    name = name if re.match(r"[A-Za-z]", name) and name.casefold() != "index" else f"data_{name}"
    lines = [
        "datasets:",
        f"  {name}:",
        *notes,
        entry(4, "title", name.replace("_", " ").capitalize(), "guess: the file's name"),
        entry(4, "file", path),
        *([entry(4, "format", dict(form))] if form else []),
        "    roles:",
        *role_lines(layout, columns),
        *reference_lines(cleaned, layout.roles["treatment"].name),
        *setting_lines(table, layout, codes),
        *alternative_lines(table, layout, columns),
    ]
    return "\n".join(lines) + "\n"


def role_lines(layout, columns):
    """Lines for each role; where none was guessed, the readings that are close, and why."""
    for role, guess in layout.roles.items():
        marked = f"guess: {guess.why}" if guess.name is not None else f"not guessed: {guess.why}"
        column = list(guess.name) if isinstance(guess.name, tuple) else guess.name
        yield from explained(6, role, column or f"FILL IN the {role}", marked)
        also = "" if guess.name is None else "also, or in a list with it: "
        for name, why in guess.either:
            yield from comment(6, f"{also}{name}: {why}")
    adjusted = {layout.pretest: "the outcome as it was before"}
    adjusted.pop(None, None)
    why = f"guess: {', '.join(adjusted.values())}" if adjusted else ""
    yield entry(6, "covariates", [*adjusted], why)
    apart = {*layout.times, *adjusted}
    others = [each for each in covariates(columns, layout.roles) if each not in apart]
    after = measured_after(others, {column.name: column for column in columns})
    if before := [each for each in others if each not in after]:
        yield from comment(6, f"could be: {', '.join(before)}")
    if after:
        reason = "no covariates, as they seem to be measured after the treatment"
        yield from comment(6, f"{reason}: {', '.join(after)}")
    for remark in remarks(layout):
        yield from comment(6, remark)


def setting_lines(table, layout, codes):
    """Lines for the settings that the guessed roles need."""
    for each in settings(table, layout, codes):
        yield from explained(4, each.key, each.value, each.why)


def alternative_lines(table, layout, columns):
    """Comments with settings that a name suggests and numbers cannot show: counts are not guessed."""
    for key, value, when in alternatives(table, layout, columns):
        yield from comment(4, f"{key}: {scalar(value)}  # {when}")


def explained(indent, key, value, why):
    """An entry with its reason beside it, or below where it is too long for that."""
    line = entry(indent, key, value)
    if len(line) + len(why) + 4 <= WIDTH:
        return [entry(indent, key, value, why)]
    mark, _, reason = why.partition(": ")
    return [entry(indent, key, value, mark), *comment(indent, f"({reason})")]


def comment(indent, text):
    """A comment of a draft, on as many lines as it takes."""
    margin = " " * indent + "# "
    return textwrap.wrap(
        printable(text), WIDTH, initial_indent=margin, subsequent_indent=margin
    ) or [margin]


def reference_lines(table, treatment):
    """The reference, and for arms that are numbers how to name them."""
    if treatment is None:
        return [entry(4, "reference", "FILL IN the reference", "an arm, one of the treatment's")]
    guess = guess_reference(table[treatment])
    lines = explained(4, "reference", guess.name, f"guess: {guess.why}")
    arms = in_order(labels(table[treatment]))
    if all(re.fullmatch(r"\d+", arm) for arm in arms):
        names = ", ".join(f"{arm}: name of {arm}" for arm in arms)
        lines.append(f"    # levels: {{{names}}}  # names the arms; the reference then is a name")
    return lines


def entry(indent, key, value, comment=""):
    """A line of YAML; the value is quoted where YAML would take it for something else."""
    line = f"{' ' * indent}{key}: {scalar(value)}"
    return f"{line}  # {shortened(comment, max(WIDTH - len(line) - 4, 30))}" if comment else line


def scalar(value):
    """A value as YAML in one line; what does something to a terminal is escaped."""
    text = yaml.safe_dump(value, allow_unicode=True, width=10**9, default_flow_style=True)
    text = text.removesuffix("\n").removesuffix("\n...")
    return text if text.isprintable() else escaped(json.dumps(value, ensure_ascii=False))


def escaped(text):
    """JSON, which is YAML too, with what is not printable in it as numbers."""
    return "".join(char if char.isprintable() else f"\\U{ord(char):08x}" for char in text)


def printable(text):
    """Text that does nothing to a terminal, in one line; spaces and breaks of any kind are a space."""
    spaced = "".join(" " if char.isspace() else char for char in text)
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in spaced)


def shortened(text, width):
    text = printable(text)
    return text if len(text) <= width else text[: width - 3] + "..."


def run(file="", form=""):
    """The page, or one sentence on standard error and the end; `form` is FORMAT as it is typed."""
    given = {}
    try:
        if not file:
            fix = "write: make describe FILE=data/raw/clinics.csv"
            raise InputError("", "no file is named", fix)
        if not Path(file).is_file():
            raise InputError("", "there is no such file", "correct the path")
        given = mapping(form)
        return describe(file, given)
    except InputError as error:
        fix = as_typed(error.fix, given)
        where = [file] if file else []
        where += [error.key] if error.key.startswith("format") else []
        print("groupwise:", printable(sentence(*where, error.problem, fix)), file=sys.stderr)
        sys.exit(1)


def as_typed(text, form):
    """A sentence with `format` as it is typed after `make describe`, added to what was typed."""
    return SETTING.sub(lambda setting: typed([setting[1]], form), text)


def is_new(text, form):
    """Whether a sentence names a setting of the format that was not typed before."""
    return typed(SETTING.findall(text), form) != typed([], form)


def typed(settings, form):
    """What is typed after `make describe` for these settings and those that were typed."""
    new = dict(form)
    for setting in settings:
        new = merged(new, yaml.safe_load(setting)["format"])
    written = json.dumps(new, ensure_ascii=False).replace("$", "$$").replace("'", "'\\''")
    return f"FORMAT='{written}'"


def mapping(text):
    """What FORMAT declares of the file, as `format` in config.yaml does."""
    try:
        form = yaml.safe_load(text) or {}
    except yaml.YAMLError:
        form = None
    if not isinstance(form, dict):
        fix = "write it so: FORMAT='{encoding: cp1252}'"
        raise InputError("", f"FORMAT='{text}' is no mapping", fix)
    return form


if __name__ == "__main__":
    if "snakemake" in globals():
        from job import logged, write_text

        with logged(snakemake):
            write_text(snakemake.output.page, run(snakemake.input.raw))
    else:
        print(run(*sys.argv[1:]), end="")
