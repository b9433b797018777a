"""What counts as the same result, and how a difference is named."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
import yaml
from experiments import ROOT

from archive.compare import Comparison, Tolerances, compare_file

DECLARED = ROOT / "tools" / "archive" / "tolerances.yaml"
TOLERANCES = Tolerances.from_mapping(yaml.safe_load(DECLARED.read_text(encoding="utf-8")))
TABLE = """\
method,contrast,estimate,p_value,n_obs,message
mixed,B - A,1.25,0.04,30,
mixed,C - A,,,30,Not identified.
pooled,B - A,1e-17,0.5,30,
pooled,C - A,inf,0.5,30,
"""


def compared(
    tmp_path: Path, old: str, new: str | None, *, suffix: str = ".csv", elsewhere: str = ""
) -> Comparison:
    paths = [tmp_path / f"{name}{suffix}" for name in ("old", "new")]
    for path, text in zip(paths, (old, new), strict=True):
        if text is not None:
            path.write_text(text, encoding="utf-8")
    return compare_file(f"results/x{suffix}", *paths, TOLERANCES, elsewhere=elsewhere)


@pytest.mark.parametrize(
    ("old", "new", "outcome"),
    [
        ("1.25", "1.25", "equal"),
        ("1.25", "1.2500001", "close"),
        ("1.25", "1.2501", "different"),
        ("1e-17", "-3e-17", "close"),
        ("B - A,1.25", "B - A,", "different"),
        ("B - A,1.25", "B - A,nan", "different"),
        ("inf", "-inf", "different"),
        ("inf", "1e300", "different"),
        ("30,\n", "31,\n", "different"),
        ("Not identified.", "Not known.", "different"),
        (",0.04,", ",0.0400001,", "close"),
        (",0.04,", ",0.041,", "different"),
    ],
)
def test_numbers_are_close_and_the_rest_is_equal(
    tmp_path: Path, old: str, new: str, outcome: str
) -> None:
    assert compared(tmp_path, TABLE, TABLE.replace(old, new, 1)).outcome == outcome


def test_changed_number_is_named_with_row_column_and_both_values(tmp_path: Path) -> None:
    found = compared(tmp_path, TABLE, TABLE.replace("1.25", "1.35"))
    assert found.failed and found.details == (
        "results/x.csv: row 1 (method mixed, contrast B - A), column estimate: "
        "archived 1.25, now 1.35",
    )


def test_many_differences_are_counted(tmp_path: Path) -> None:
    rows = "".join(f"m{i},{i}.5\n" for i in range(20))
    found = compared(tmp_path, f"m,x\n{rows}", f"m,x\n{rows}".replace(".5", ".6"))
    assert len(found.details) == 6 and found.details[-1] == "results/x.csv: 15 more differences"


@pytest.mark.parametrize(
    ("new", "says"),
    [
        (TABLE.replace("p_value", "p"), "results/x.csv: its columns differ (p, p_value)"),
        (TABLE.rpartition("pooled")[0], "results/x.csv: archived with 4 rows, made with 3 now"),
        (None, "results/x.csv: the new run did not make it"),
    ],
)
def test_other_shape_is_named(tmp_path: Path, new: str | None, says: str) -> None:
    found = compared(tmp_path, TABLE, new)
    assert found.failed and found.details == (says,)


def test_parquet_is_compared_as_a_table(tmp_path: Path) -> None:
    old = pd.DataFrame({"group": ["a", "b"], "row": [1, 2], "residual": [0.5, None]})
    for change, outcome in ((1e-12, "close"), (0.1, "different")):
        old.to_parquet(tmp_path / "old.parquet")
        old.assign(residual=old["residual"] + change).to_parquet(tmp_path / "new.parquet")
        found = compare_file(
            "r.parquet",
            tmp_path / "old.parquet",
            tmp_path / "new.parquet",
            TOLERANCES,
            elsewhere="",
        )
        assert found.outcome == outcome
    assert found.details == ("r.parquet: row 1 (group a), column residual: archived 0.5, now 0.6",)


@pytest.mark.parametrize("suffix", [".svg", ".html", ".txt"])
def test_figures_and_pages_agree_in_every_byte_or_are_not_compared(
    tmp_path: Path, suffix: str
) -> None:
    found = compared(tmp_path, "1.0", "1.00", suffix=suffix)
    assert found.details == (f"results/x{suffix}: its bytes differ",) and found.failed
    found = compared(tmp_path, "1.0", "1.00", suffix=suffix, elsewhere="another platform")
    assert (found.outcome, found.failed) == ("not compared", False)
    assert compared(tmp_path, "1", "1", suffix=suffix, elsewhere="other").outcome == "equal"


def test_json_is_compared_by_its_values(tmp_path: Path) -> None:
    old = {"n": 3, "sd": 1.5, "python": "3.11", "arms": [{"a": 1.0}, "x"]}
    for change, outcome, elsewhere in (
        ({"sd": 1.5000000001}, "close", ""),
        ({"sd": 1.6}, "different", ""),
        ({"n": 4}, "different", ""),
        ({"arms": [{"a": 1.0}]}, "different", ""),
        ({"python": "3.12"}, "different", ""),
        ({"python": "3.12"}, "close", "another platform"),
    ):
        texts = json.dumps(old), json.dumps(old | change)
        found = compared(tmp_path, *texts, suffix=".json", elsewhere=elsewhere)
        assert found.outcome == outcome, change
    found = compared(tmp_path, texts[0], json.dumps(old | {"sd": 1.6}), suffix=".json")
    assert found.details == ("results/x.json: sd: archived 1.5, now 1.6",)
