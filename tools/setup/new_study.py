"""Write the folder of a study that uses this checkout of Groupwise; called by `make new`.

python tools/setup/new_study.py ../mystudy

The study holds its configuration and its data; its Snakefile uses the tool's workflow as a module.
So the tool can be upgraded without touching the study. Nothing that exists is overwritten.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

SNAKEFILE = """\
# The workflow of Groupwise, with the configuration and the data of this folder.
# After the tool was moved, change its path here and in the Makefile.


configfile: "config.yaml"


module groupwise:
    snakefile:
        "{tool}/Snakefile"
    config:
        config


use rule * from groupwise
"""

CONFIG = """\
# Every scientific choice of this study. What each key means: docs/settings.md of Groupwise.

# The method that the reports lead with: one named beforehand, as in a pre-analysis plan, or auto.
headline: auto

# Describe a dataset here: remove the first two characters of each line, and put in your own words.
# `make describe FILE=data/raw/clinics.csv` says what a file holds, and drafts these lines.
# datasets:
#   clinics:
#     title: Blood pressure by clinic
#     file: data/raw/clinics.csv
#     roles: {outcome: pressure, treatment: arm, group: clinic, covariates: [age]}
#     reference: usual care
"""

MAKEFILE = """\
# `make report` makes the reports of this study in the environment of Groupwise.

GROUPWISE ?= {tool}

.PHONY: report describe
report describe:
	@$(MAKE) --no-print-directory -C "$(GROUPWISE)" $@ STUDY="$(CURDIR)"
"""

README = """\
# {name}

An experiment in groups, analysed with Groupwise (its folder: `{tool}`).

1. Put the data into `data/raw/`, and describe them in `data/README.md`.
2. Describe the dataset in `config.yaml`. `make describe FILE=data/raw/clinics.csv` drafts its lines.
3. Run `make report`. Open `reports/rendered/index.html`.

Each page says with which versions of Groupwise and of this folder it was made.
"""

DATA = """\
# Data

`data/raw/` holds the files as they came, and is never edited. `data/processed/` is generated.
To have a file checked each time it is read: `cd data/raw && sha256sum clinics.csv >> SHA256SUMS`.

Give each file a section: where it comes from, who may use it, the design, what each column means.
"""

IGNORED = """\
/results/
/data/processed/
/reports/rendered/
/logs/
/benchmarks/jobs/
/.snakemake/
"""


class StudyError(Exception):
    """Why no study was written: one sentence."""


def files_of(study: Path) -> dict[str, str]:
    """The text of each file of a study in the folder `study`, by its path there."""
    tool = Path(os.path.relpath(ROOT.resolve(), study.resolve())).as_posix()
    if any(sign in tool for sign in "\"'\\\\$#{}"):
        raise StudyError(
            f"the path from there to Groupwise, {tool}, has a sign that make cannot read"
        )
    return {
        "Snakefile": SNAKEFILE.format(tool=tool),
        "Makefile": MAKEFILE.format(tool=tool),
        "config.yaml": CONFIG,
        "README.md": README.format(name=study.resolve().name, tool=tool),
        "data/README.md": DATA,
        "data/raw/SHA256SUMS": "",
        ".gitignore": IGNORED,
    }


def write(study: Path) -> list[str]:
    """Write a study; the files written.

    Raises
    ------
    StudyError
        If one of the files is there already, or the folder is the tool's own: nothing is written then.
    """
    if study.resolve() == ROOT.resolve():
        raise StudyError(f"{study} is the folder of Groupwise: name another one")
    files = files_of(study)
    if there := [name for name in files if os.path.lexists(study / name)]:
        raise StudyError(f"{study / there[0]} exists, and is left as it is: name another folder")
    try:
        for name, text in files.items():
            path = study / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8") as stream:
                stream.write(text)
    except OSError as error:
        raise StudyError(f"{error.filename}: {error.strerror}") from None
    return list(files)


def main() -> None:
    """Write it, and say what to do next."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("study", metavar="FOLDER", help="such as ../mystudy")
    given = parser.parse_args().study
    if not given:
        sys.exit("Name the folder of the new study: make new STUDY=../mystudy")
    try:
        write(Path(given))
    except StudyError as error:
        sys.exit(f"groupwise: {error}.")
    print(f"{given}: a new study. Put data into data/raw/, describe them in config.yaml, and there")
    print("run `make report`.")


if __name__ == "__main__":
    main()
