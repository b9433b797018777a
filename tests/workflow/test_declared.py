"""What is declared of a file in config.yaml is done, recorded and adjusted for, without any code."""

from __future__ import annotations

import json

import pandas as pd
import pytest
import yaml
from tiny_project import Project

DECLARED = {
    "title": "Two outcomes",
    "file": "data/raw/tiny.csv",
    "roles": {"outcome": ["score", "age"], "treatment": "arm", "group": "class"},
    "reference": "usual",
    "recode": {"arm": {"control": "usual"}, "pupil": {30: None}},
    "where": {"pupil": {"missing": False}, "age": {"min": 10}},
    "outcome_as": "standardized",
}
NAMES = ("both_score", "both_age")


@pytest.fixture(scope="module")
def declared(template: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project whose one block of two outcomes was run as far as the results."""
    project = template.copy(tmp_path_factory.mktemp("declared") / "project")
    text = yaml.safe_dump({"datasets": {"both": DECLARED}}, sort_keys=False)
    project.write("config.yaml", text)
    run = project.snakemake("--cores", "2", "results/families.csv")
    assert run.code == 0, run.console
    return project


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_rows_and_scale_are_recorded(declared: Project, name: str) -> None:
    design = json.loads(declared.read(f"results/{name}/design.json"))
    raw = pd.read_csv(declared.folder / "data" / "raw" / "tiny.csv")
    kept = raw[(raw["age"] >= 10) & (raw["pupil"] != 30)]
    assert design["n_obs"] == len(kept)
    assert design["dropped"] == {"left out by the conditions": len(raw) - len(kept)}
    assert design["where"] == DECLARED["where"]
    assert design["recode"]["arm"] == [["control", "usual"]]
    assert list(design["arms"]) == ["usual", "treated"]
    outcome = name.removeprefix("both_")
    assert design["outcome"]["as"] == "standardized"
    assert design["outcome"]["sd"] == pytest.approx(kept[outcome].std())
    assert "commas between columns" in " ".join(design["source"]["read_as"])


@pytest.mark.slow
def test_outcomes_of_one_block_are_a_family(declared: Project) -> None:
    found = pd.read_csv(declared.folder / "results" / "families.csv")
    one = found[found["method"] == "mixed_kenward_roger"]
    assert set(one["dataset"]) == set(NAMES) and set(one["family"]) == {"both"}
    smallest = one["p_value"].min()
    assert one["p_holm"].min() == pytest.approx(min(1, 2 * smallest))
