"""Check a raw file and the settings that describe it, before any earlier result is touched."""

import contextlib
import re
from dataclasses import asdict, replace
from pathlib import Path

import yaml
from job import logged, write_json
from raw_table import check_sum, read_all, read_dataset
from raw_table.form import merged

from groupwise.data.errors import InputError
from groupwise.data.validate import Roles
from groupwise.data.values import in_yaml
from groupwise.intake import take_in


def run(path, sums_file, settings):
    """What was read, once every check has passed; the checks are those of the ingest itself.

    Columns without a role are looked at here, and only here.
    """
    roles = Roles.from_settings(settings["roles"])
    digest = check_sum(path, sums_file)
    given = {"format": settings["form"], **settings["ingest"]}
    with advising(given):
        raw = read_dataset(path, settings)
        everything, reason = read_all(path, settings)
        there = set(roles.columns_read) <= set(raw.table)
        with explained(raw.suspicions if there else []):
            taken = take_in(
                raw.table,
                roles,
                conf_level=settings["conf_level"],
                reading=settings["ingest"],
                modelling=settings["design"],
                assigned=settings["assigned"],
                everything=everything,
            )
    form_notes = (
        [f"Read with `format: {in_yaml(dict(settings['form']))}`."] if settings["form"] else []
    )
    notes = [*raw.notes, *form_notes, *filter(None, [reason])]
    read = {"file": str(path), "sha256": digest, "n_read": taken.understood["n_read"]}
    suspicions = [added(suspicion, given) for suspicion in raw.suspicions]
    looks = replace(
        taken.looks, alerts=[added(suspicion, given) for suspicion in taken.looks.alerts]
    )
    return read | {"read_as": notes, "suspicions": suspicions, "looks": asdict(looks)}


def added(text, given):
    """A sentence whose settings include those that are given already."""

    def whole(setting):
        value = yaml.safe_load(setting[2])
        return f"`{setting[1]}: {in_yaml(merged(given.get(setting[1]), value))}`"

    return re.sub(r"`(\w+): ([{\[][^`]*)`(?! under `roles`)", whole, text)


@contextlib.contextmanager
def advising(given):
    """A mistake whose fix can be written in place of the settings that are given."""
    try:
        yield
    except InputError as error:
        raise InputError(error.key, error.problem, added(error.fix, given)) from None


@contextlib.contextmanager
def explained(suspicions):
    """What the layout of the file suggests may be why a check fails: it is said before the fix."""
    try:
        yield
    except InputError as error:
        if not suspicions:
            raise
        causes = " ".join(suspicions).removesuffix(".")
        fix = f"{causes[:1].lower()}{causes[1:]}. Otherwise {error.fix}"
        raise InputError(error.key, error.problem, fix) from None


if __name__ == "__main__":
    raw = snakemake.input.raw
    sums_file = Path(str(snakemake.input.sums)) if snakemake.input.sums else None
    with logged(snakemake, file=raw, dataset=snakemake.wildcards.dataset):
        intake_notes = run(Path(raw), sums_file, snakemake.params.settings)
        write_json(snakemake.output.checked, intake_notes)
