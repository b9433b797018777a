"""What jobs ask of a cluster: more than was measured, not much more, and more with each attempt."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
import yaml
from resources import NEEDS, asked, memory, millions, minutes

ROOT = Path(__file__).parents[2]
PROFILE = yaml.safe_load((ROOT / "profiles" / "slurm" / "config.yaml").read_text(encoding="utf-8"))
TEXT = "\n".join(
    path.read_text(encoding="utf-8") for path in sorted((ROOT / "workflow/rules").glob("*.smk"))
)
RULES = dict(
    zip(*[iter(re.split(r"^rule (\w+):\n", TEXT, flags=re.MULTILINE)[1:])] * 2, strict=True)
)
MEASURED = pd.read_csv(ROOT / "docs" / "scaling.csv").query("part == 'rows'")
MEASURED["rule"] = MEASURED["stage"].str.split().str[0]


class Named(dict[str, Any]):
    """Wildcards or input, as Snakemake gives them."""

    __getattr__ = dict.__getitem__


@pytest.mark.parametrize("rule", sorted(NEEDS))
def test_rule_asks_for_its_own_needs(rule: str) -> None:
    wanted = (
        f'    resources:\n        mem_mb=memory("{rule}"),\n        runtime=minutes("{rule}"),\n'
    )
    assert wanted in RULES[rule]


def test_profile_groups_rules_that_there_are() -> None:
    assert set(PROFILE["groups"]) <= set(RULES)
    assert set(PROFILE["group-components"]) == set(PROFILE["groups"].values())


def test_profile_lets_a_failed_job_have_more() -> None:
    assert PROFILE["retries"] >= 1
    for expression in PROFILE["default-resources"].values():
        first, second = (eval(expression, {"attempt": attempt}) for attempt in (1, 2))
        assert second == 2 * first


@pytest.mark.parametrize("rule", sorted(NEEDS))
def test_each_attempt_asks_for_twice_as_much(rule: str) -> None:
    for ask in (memory(rule), minutes(rule)):
        first, second, third = (ask(Named(), input=Named(), attempt=k) for k in (1, 2, 3))
        assert (second, third) == (2 * first, 4 * first)


@pytest.mark.parametrize(
    "row",
    [SimpleNamespace(**row) for row in MEASURED.to_dict("records")],
    ids=lambda r: f"{r.stage}-{r.size}",
)
def test_more_is_asked_for_than_was_measured_but_not_much_more(row: SimpleNamespace) -> None:
    need, size = NEEDS[row.rule], row.size / 1e6
    mb = asked(need.mb + need.mb_each * size, attempt=1)
    assert 1.15 * row.peak_mb <= mb
    jobs = MEASURED[(MEASURED["rule"] == row.rule) & (MEASURED["size"] == row.size)]
    assert mb <= 4 * jobs["peak_mb"].max()
    assert asked(need.minutes + need.minutes_each * size, attempt=1) * 60 >= 3 * row.cpu


def test_rows_are_those_of_the_design_once_the_data_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    wildcards = Named(dataset="clinics")
    assert millions(wildcards, Named()) == 0
    design = tmp_path / "results" / "clinics" / "design.json"
    design.parent.mkdir(parents=True)
    design.write_text(json.dumps({"n_obs": 2_500_000}), encoding="utf-8")
    assert millions(wildcards, Named()) == 2.5


@pytest.mark.parametrize(("n_groups", "more"), [(5_000, 4_500), (5_001, 0)])
def test_more_is_asked_for_where_statsmodels_fits_mixed_models(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, n_groups: int, more: int
) -> None:
    monkeypatch.chdir(tmp_path)
    design = tmp_path / "results" / "clinics" / "design.json"
    design.parent.mkdir(parents=True)
    understood = {"n_obs": 1_000_000, "n_groups": n_groups}
    design.write_text(json.dumps(understood), encoding="utf-8")
    asked_for = memory("check_model")(Named(dataset="clinics"), input=Named(), attempt=1)
    assert asked_for == 1.5 * (450 + 150) + more


def test_rows_of_a_raw_file_are_guessed_from_its_size(tmp_path: Path) -> None:
    plain, packed = tmp_path / "clinics.csv", tmp_path / "clinics.csv.gz"
    for path in (plain, packed):
        path.write_bytes(bytes(1_000_000))
    assert millions(Named(), Named(raw=str(plain))) == pytest.approx(1 / 18)
    assert millions(Named(), Named(raw=str(packed))) > 1 / 18
    assert millions(Named(), Named(raw=str(tmp_path / "to be simulated.csv"))) == 0
