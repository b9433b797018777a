"""A stepped wedge without an effect, from a file to its page: nothing on it may claim one."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
from test_make_describe import make_describe
from tiny_project import ROOT, Project

CASE = "data/raw/stepped_wedge_null.csv"
DATA = ROOT / "tests/reference/periods" / "data/stepped_wedge_null.csv"
PAGE = "reports/rendered/stepped_wedge_null.html"


def results(project: Project, name: str) -> pd.DataFrame:
    return pd.read_csv(project.folder / "results/stepped_wedge_null" / f"{name}.csv")


def test_the_draft_of_describe_leads_to_a_page_that_claims_no_effect(fresh: Project) -> None:
    fresh.write(CASE, DATA.read_text(encoding="utf-8"))
    run = make_describe(fresh, f"FILE={CASE}")
    draft = run.console[run.console.index("datasets:") :]
    fresh.write("wedge.yaml", f"{draft}    headline: auto\n")
    done = fresh.make_report(f"{PAGE} --configfile wedge.yaml")
    assert done.code == 0, done.console
    estimates = results(fresh, "estimates").set_index("method")
    lead = json.loads(fresh.read("results/stepped_wedge_null/verdict.json"))["lead"]
    assert lead == "mixed_kenward_roger"
    right = estimates.loc[lead]
    assert (round(right["estimate"], 3), round(right["std_error"], 3)) == (0.192, 1.338)
    assert round(right["df"], 1) == 49.8 and round(right["p_value"], 3) == 0.887
    # What leaves the periods out claims an effect, and is shown to be invalid.
    claims = set(estimates.index[estimates["p_value"] < 0.05])
    assert claims == {"mixed_no_periods"}
    verdict = results(fresh, "verdict")
    judged = verdict[verdict["dgp"] == "normal"].set_index("method")["judgement"]
    assert judged["mixed_no_periods"] == "invalid"
    page = " ".join(re.sub(r"<[^>]+>", " ", fresh.read(PAGE)).split())
    assert "This is a stepped wedge with 4 sequences" in page
    assert "taken to be the sequence of arms of each cluster" in page
    assert "would estimate 5.24 (p &lt; .001) in place of 0.19 (p = .887): it cannot tell" in page
    assert re.search(r"Mixed model, periods left out no ", page), "in the table of judgements"


def test_without_the_period_a_warning_leads_and_nothing_is_permuted(
    fresh: Project, tmp_path: Path
) -> None:
    fresh.write(CASE, DATA.read_text(encoding="utf-8"))
    block = f"""datasets:
  stepped_wedge_null:
    title: Without the period
    file: {CASE}
    roles: {{outcome: y, treatment: intervention, group: cluster}}
    reference: '0'
"""
    fresh.write("wedge.yaml", block)
    done = fresh.make_report("results/stepped_wedge_null/estimates.csv --configfile wedge.yaml")
    assert done.code == 0, done.console
    design = json.loads(fresh.read("results/stepped_wedge_null/design.json"))
    assert "write `period: period` under `roles`" in design["alerts"][0]
    row = results(fresh, "estimates").set_index("method").loc["randomization"]
    assert pd.isna(row["p_value"]) and "rows were not assigned one by one" in row["message"]
    fresh.write("wedge.yaml", f"{block}    assigned: individual\n")
    refused = fresh.make_report("results/stepped_wedge_null/estimates.csv --configfile wedge.yaml")
    assert refused.code != 0 and "so individuals were not assigned" in refused.sentences[0]
