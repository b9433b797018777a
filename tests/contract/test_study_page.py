"""The page of the general study: what it prints, on studies of every kind, and rendered."""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import re
import sys
from collections import Counter
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest
import rendering
from configuration import modules
from page_checks import (
    LABEL,
    LOADS,
    REFERENCE,
    REPORTS,
    SVG,
    bibliography,
    prose,
    source,
    visible,
)
from renderers import RENDERERS
from study_cases import STUDIES

from groupwise.report.study import StudyFacts

STUDY = "study.qmd"
FIGURES = modules(Path(rendering.__file__).parent / "groupwise" / "figures" / "study")
each_study = pytest.mark.parametrize("case", STUDIES)


def facts(case: str) -> StudyFacts:
    return StudyFacts(**STUDIES[case](), alt=dict.fromkeys(FIGURES, 'A "figure": 3 of 4.\n'))


@cache
def assembled(case: str) -> str:
    """The Markdown that goes to Pandoc: the document with the output of its cells."""
    module = ModuleType("report_data")
    module.load_study = lambda name: facts(case)
    space: dict[str, object] = {}
    parts = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "report_data", module)
        for chunk in source(STUDY)[1]:
            printed = io.StringIO()
            if chunk.is_code:
                with contextlib.redirect_stdout(printed):
                    exec(compile(chunk.text, f"{STUDY}:{chunk.line}", "exec"), space)
            parts.append(printed.getvalue() if chunk.is_code else chunk.text)
    return "\n\n".join(parts)


@each_study
def test_references_resolve_and_labels_are_unique(case: str) -> None:
    labels = Counter(LABEL.findall(assembled(case)))
    assert {label for label, n in labels.items() if n > 1} == set()
    assert set(REFERENCE.findall(prose(assembled(case)))) <= set(labels)


@each_study
def test_blocks_stand_apart_and_tables_are_whole(case: str) -> None:
    for above, line in itertools.pairwise(["", *assembled(case).split("\n")]):
        starts = line.startswith(("![", ": ", "## ", "- "))
        starts = (starts and not above.startswith("- ")) or (
            line.startswith("|") and not above.startswith("|")
        )
        assert not (starts and above.strip()), line
    for block in re.split(r"\n\s*\n", assembled(case)):
        rows = [line for line in block.split("\n") if line.startswith("|")]
        assert len({row.count("|") for row in rows}) <= 1, block


def test_every_figure_is_shown_with_its_alt_text_and_it_leads_back() -> None:
    shown = re.findall(
        r"\(results/study/figures/(\w+)\.svg\)\{#fig-[a-z-]+ fig-alt=\"[^\"]+\"\}",
        assembled("usual"),
    )
    assert sorted(shown) == FIGURES
    assert "(index.html)" in assembled("usual")


def test_what_it_cites_is_in_the_bibliography() -> None:
    found = re.findall(r"(?<![\w\\])@([A-Za-z][\w:-]*)", prose(assembled("usual")))
    assert {key.rstrip(":-") for key in found if not REFERENCE.match(f"@{key}")} <= set(
        bibliography()
    )


@pytest.mark.parametrize("quarto", RENDERERS)
def test_page_is_rendered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quarto: str | None
) -> None:
    made, folder = STUDIES["usual"](), tmp_path / "results" / "study"
    (folder / "figures").mkdir(parents=True)
    made["rates"].to_csv(folder / "rates.csv", index=False)
    (folder / "study.json").write_text(json.dumps(made["overview"]), encoding="utf-8")
    for name in FIGURES:
        (folder / "figures" / f"{name}.svg").write_text(SVG, encoding="utf-8")
        (folder / "figures" / f"{name}.txt").write_text("A figure: 3 of 4.\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    page = tmp_path / "study.html"
    rendering.render_page(
        REPORTS / STUDY, page, datasets=["study"], parameters={"folder": "study"}, quarto=quarto
    )
    html = page.read_text(encoding="utf-8")
    assert "Which methods keep the nominal level?" in html and "in all 24 designs" in html
    assert "?@" not in visible(html) and LOADS.findall(html) == []
