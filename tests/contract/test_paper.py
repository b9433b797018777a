"""What a paper needs: items and numbers that follow from the results, in a file for each program."""

from __future__ import annotations

import io
import re
import zipfile
from functools import cache
from pathlib import Path

import hard_cases
import pytest
from page_checks import REPORTS
from write_exports import run

from groupwise.report import paper, participants
from groupwise.report.facts import Facts
from groupwise.words import p_value

CASES = ("usual", "covariate", "blocked", "odds")


@cache
def facts_of(case: str) -> Facts:
    made = hard_cases.make(case)
    known = {"design": made.design, "results": made.results, "truth": made.truth, "alt": {}}
    return Facts(**known, provenance={}, verdict=made.verdict, calibration=made.calibration)


def plain(markdown: str) -> str:
    return re.sub(r"\\([!-/:-@\\[-`{-~])", r"\1", markdown).replace("\u00a0", " ")


@pytest.mark.parametrize("case", CASES)
def test_items_of_the_statement_are_there_with_their_numbers(case: str) -> None:
    facts = facts_of(case)
    text = plain(paper.consort(facts))
    for item in ("13a", "13b", "15", "16", "17a", "12a"):
        assert f"({item}" in text or f"({item})" in text, item
    for arm, size in facts.design["arms"].items():
        assert f"{arm}: {size['n_groups']}" in text
    assert f"{facts.icc:.3f}" in text
    assert ("17b" in text) == (case == "odds")


def test_effects_are_adjusted_and_unadjusted() -> None:
    assert "No covariates" in paper.consort(facts_of("usual"))
    facts = facts_of("covariate")
    row = facts.results["sensitivity"].query("variant == 'without covariates'").iloc[0]
    text = plain(paper.consort(facts))
    assert f"{row['estimate']:.1f}".replace("-", "\u2212")[:3] in text
    assert "adjusted for age and ability" in plain(paper.methods(facts))
    assert "Adjusted for covariates." in paper.table_2(facts)


@pytest.mark.parametrize("case", CASES)
def test_table_2_has_the_leading_methods_effects(case: str) -> None:
    facts = facts_of(case)
    text = plain(paper.table_2(facts))
    for contrast, row in facts.estimates(facts.headline).iterrows():
        line = next(
            x for x in text.splitlines() if x.startswith(f"| {facts.comparison(str(contrast))} ")
        )
        assert line.rstrip(" |").endswith(p_value(row["p_value"]).replace("\u00a0", " "))


def test_covariates_are_described_by_arm() -> None:
    facts, data = facts_of("covariate"), hard_cases.make("covariate").data
    arm = facts.arms[0]
    mean = data.loc[data["style"] == arm, "age"].mean()
    cell = next(x for x in participants.baseline_rows(facts) if x[0] == "age")[1]
    assert float(cell.split(" ")[0].replace("\u2212", "-")) == pytest.approx(
        mean, rel=0.01, abs=0.01
    )


def test_flow_has_a_stage_for_what_was_lost_and_none_for_nothing() -> None:
    assert participants.flow(facts_of("usual")).count("\n| In ") == 1
    lost = facts_of("declared")
    flow = lost.design["flow"]
    n = {
        name: sum(size["n_obs"] for size in sizes.values())
        for name, sizes in [*flow.items(), ("analysed", lost.design["arms"])]
    }
    assert n["labelled"] > n["complete"] >= n["analysed"] == lost.design["n_obs"]
    assert "In the file, with an arm and a" in participants.flow(lost)


@pytest.mark.parametrize("case", ["usual", "odds"])
def test_the_same_stands_in_a_file_for_each_program_and_is_the_same_twice(
    tmp_path: Path, case: str
) -> None:
    markdown = paper.document(facts_of(case))
    assert not re.search(r"@tbl|\{#", markdown)
    for suffix in ("docx", "tex"):
        one, two = (tmp_path / f"{n}.{suffix}" for n in (1, 2))
        for file in (one, two):
            run(markdown, file, [str(REPORTS / "references.bib")])
        assert one.read_bytes() == two.read_bytes()
        text = one.read_bytes()
        if suffix == "docx":
            text = zipfile.ZipFile(io.BytesIO(text)).read("word/document.xml")
        assert b"Table 1" in text and b"Table 2" in text and b"CONSORT" in text
        assert text.count(b"<w:tbl>" if suffix == "docx" else b"\\begin{longtable}") >= 4
