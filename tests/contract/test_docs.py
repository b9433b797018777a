"""README and the pages of docs/: links lead somewhere, what they show is valid, nothing is forgotten."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from configuration import load_schema
from experiments import ROOT
from jsonschema import Draft202012Validator

from groupwise.analysis.formula import parsed
from groupwise.catalogue.tables import OF_DATASETS, file_of

sys.path.append(str(ROOT / "tools" / "setup"))
import render_docs

DOCS = ROOT / "docs"
PAGES = render_docs.pages(DOCS)
README = ROOT / "README.md"
LONGEST = 150  # lines of README
LINK = re.compile(r"(?P<picture>!?)\[(?P<text>[^\]]+)\]\((?P<to>[^)\s]+)\)")
CODE = re.compile(r"^(?:```.*?^```| {4}.*?$)|`[^`\n]+`", re.MULTILINE | re.DOTALL)
each_page = pytest.mark.parametrize("page", [README, *PAGES], ids=lambda path: path.stem)


def links(page: Path) -> list[tuple[bool, str, str]]:
    """(is it a picture, text, target) of each link of a page that is not in code."""
    text = CODE.sub("", page.read_text(encoding="utf-8"))
    return [(bool(m["picture"]), m["text"], m["to"]) for m in LINK.finditer(text)]


def slugs(page: Path) -> set[str]:
    """The names by which headings are linked to."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@each_page
def test_links_lead_to_pages_and_headings_that_there_are(page: Path) -> None:
    for _, _, to in links(page):
        file, _, heading = to.partition("#")
        target = page.parent / file if file else page
        assert "://" not in to and target.is_file(), to
        assert not heading or heading in slugs(target), to


@each_page
def test_pictures_have_words_in_their_place(page: Path) -> None:
    assert all(len(text.split()) > 5 for picture, text, _ in links(page) if picture)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_page_of_the_website_links_within_it(page: Path) -> None:
    assert render_docs.TITLE.match(page.read_text(encoding="utf-8"))
    assert not [to for _, _, to in links(page) if "/" in to]


def test_every_page_is_reached_from_the_first_and_from_the_sidebar() -> None:
    linked = {to for _, _, to in links(DOCS / "index.md")}
    site = yaml.safe_load((DOCS / "_quarto.yml").read_text(encoding="utf-8"))["website"]["sidebar"]
    listed = [page for part in site["contents"][1:] for page in part["contents"]]
    names = {page.name for page in PAGES} - {"index.md"}
    assert names <= linked
    assert site["contents"][0] == "index.md" and sorted(listed) == sorted(names)


def test_readme_is_short_and_leads_to_the_pages() -> None:
    assert len(README.read_text(encoding="utf-8").splitlines()) <= LONGEST
    linked = {to.removeprefix("docs/") for _, _, to in links(README)}
    results = {"benchmarks.md", "scaling.md", "stability.md"}
    assert {page.name for page in PAGES} - results <= linked


def test_every_command_of_make_that_a_page_names_there_is() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE))
    for page in (README, *PAGES):
        text = page.read_text(encoding="utf-8")
        code = " ".join(match[0] for match in CODE.finditer(text))
        named = set(re.findall(r"(?:^|[`\s])make ([a-z][a-z-]*)", code))
        assert named <= targets, page.name


def test_every_table_of_a_dataset_is_described() -> None:
    text = (DOCS / "report.md").read_text(encoding="utf-8")
    assert [name for name in OF_DATASETS if f"`{file_of(name)}`" not in text] == []


def blocks(page: Path) -> list[dict[str, Any]]:
    """Configurations that a page shows."""
    text = page.read_text(encoding="utf-8")
    fenced = re.findall(r"^```yaml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    indented = re.findall(r"^    datasets:\n(?:(?: {6,}.*)?\n)+", text, re.MULTILINE)
    return [yaml.safe_load(each) for each in (*fenced, *indented)]


SHOWN = [
    pytest.param(block, id=f"{page.stem}-{next(iter(block['datasets']))}")
    for page in (README, *PAGES)
    for block in blocks(page)
]


def test_designs_are_shown() -> None:
    assert len(blocks(DOCS / "designs.md")) >= 12 and blocks(README)


@pytest.mark.parametrize("block", SHOWN)
def test_configuration_that_a_page_shows_is_valid(block: dict[str, Any]) -> None:
    errors = list(Draft202012Validator(load_schema()).iter_errors(block))
    assert not errors, errors[0].message


def test_formulas_that_pages_show_can_be_read() -> None:
    pages = [page.read_text(encoding="utf-8") for page in (README, DOCS / "python.md")]
    formulas = {each for page in pages for each in re.findall(r'"([^"\n]* ~ [^"\n]*)"', page)}
    assert len(formulas) >= 6
    assert {parsed(each)["outcome"] for each in formulas} == {"score"}


def test_page_for_the_preview_has_its_title_and_links_to_html(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text('# A "title"\n\nSee [this](other.md#part) and `a.md`.\n', encoding="utf-8")
    document = render_docs.as_document(page)
    assert yaml.safe_load(document.split("---")[1]) == {"title": 'A "title"'}
    assert "[this](other.html#part) and `a.md`" in document
    page.write_text("No heading.\n", encoding="utf-8")
    with pytest.raises(ValueError, match="no heading"):
        render_docs.as_document(page)


@pytest.mark.slow
def test_website_is_rendered_without_quarto(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    for name in ("index.md", "studies.md", "effects_forest.png", "_quarto.yml"):
        (docs / name).write_bytes((DOCS / name).read_bytes())
    made = list(render_docs.preview_site(docs, tmp_path / "site"))
    assert [path.name for path in made] == ["index.html", "studies.html"]
    first, second = (path.read_text(encoding="utf-8") for path in made)
    assert 'href="studies.html"' in first and "data:image/png" in first
    assert 'href="index.html"' in second and "A study in its own repository" in second
