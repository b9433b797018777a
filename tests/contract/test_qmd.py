"""The reports' sources against Quarto's documentation; and, where there is a Quarto, rendered.

https://quarto.org/docs/reference/formats/html.html and .../cells/cells-jupyter.html name the options;
what Quarto 1.7 does with a command line was read in its sources (src/command/render/flags.ts).
"""

from __future__ import annotations

import ast
import contextlib
import io
import itertools
import json
import re
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType

import adjust_families
import hard_cases
import pypandoc
import pytest
import rendering
import yaml
from figure_list import figures_for, needed_roles
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
from renderers import QUARTO, RENDERERS

from groupwise.catalogue.methods import NAMES
from groupwise.report import calibration
from groupwise.report.facts import Facts
from groupwise.report.markdown import CITATION, callout, escape, escape_cited_note
from groupwise.svg import dark
from preview.metadata import page_metadata
from preview.source import Chunk

ROOT = Path(__file__).parents[2]
QMDS = sorted(path.name for path in REPORTS.glob("*.qmd"))
STUDY = "study.qmd"  # what it prints: test_study_page.py
PAGES = [name for name in QMDS if name != STUDY]
CONFIGS = [ROOT / "config.yaml", *sorted((ROOT / "examples").glob("*.yaml"))]
FIGURES = sorted(
    path.stem
    for path in (ROOT / "workflow" / "scripts" / "groupwise" / "figures").glob("*.py")
    if path.stem not in ("__init__", "style")
)

DOCUMENT_KEYS = {
    "title", "subtitle", "author", "date", "abstract", "description", "lang", "jupyter", "toc",
    "toc-depth", "toc-title", "number-sections", "number-depth", "bibliography", "csl",
    "link-citations", "execute", "format", "crossref", "title-block-banner", "page-layout", "filters",
}  # fmt: skip
HTML_KEYS = {
    "theme", "toc", "toc-depth", "toc-location", "number-sections", "embed-resources",
    "html-math-method", "fig-responsive", "tbl-colwidths", "columns", "code-fold", "css",
    "anchor-sections", "smooth-scroll", "link-external-icon", "citations-hover", "crossrefs-hover",
    "footnotes-hover", "grid", "mainfont", "fontsize", "linestretch", "minimal", "page-layout",
    "include-after-body",
}  # fmt: skip
TYPST_KEYS = {
    "toc", "toc-depth", "number-sections", "papersize", "margin", "fontsize", "mainfont",
    "tbl-colwidths", "citeproc", "include-in-header", "section-numbering", "columns",
}  # fmt: skip
# Where Quarto 1.7 lets a filter of one's own run (src/resources/filters/main.lua).
ENTRY_POINTS = {
    "pre-ast", "post-ast", "pre-quarto", "post-quarto", "pre-render", "post-render",
    "pre-finalize", "post-finalize",
}  # fmt: skip
EXECUTE_KEYS = {"echo", "eval", "output", "warning", "error", "include", "cache", "daemon"}
CELL_KEYS = {
    "label", "tags", "output", "echo", "eval", "warning", "error", "include", "classes", "column",
    "fig-cap", "fig-alt", "fig-width", "fig-height", "tbl-cap", "layout-ncol", "code-fold",
}  # fmt: skip
PROJECT_KEYS = {"type", "execute-dir", "output-dir", "render"}


def cells(name: str) -> list[Chunk]:
    return [chunk for chunk in source(name)[1] if chunk.is_code]


def shared() -> dict[str, dict[str, object]]:
    return yaml.safe_load((REPORTS / "_quarto.yml").read_text(encoding="utf-8"))


# Settings -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", QMDS)
def test_front_matter_has_known_keys(name: str) -> None:
    front = source(name)[0]
    assert front["title"] and front["jupyter"] == "python3"
    assert set(front) <= DOCUMENT_KEYS


def test_shared_settings_have_known_keys() -> None:
    settings = shared()
    assert set(settings) <= DOCUMENT_KEYS | {"project"}
    assert set(settings["project"]) <= PROJECT_KEYS
    assert set(settings["execute"]) <= EXECUTE_KEYS
    assert set(settings["format"]) == {"html", "typst"}
    assert set(settings["format"]["html"]) <= HTML_KEYS
    assert set(settings["format"]["typst"]) <= TYPST_KEYS
    for entry in settings["filters"]:
        assert set(entry) == {"path", "at"} and entry["at"] in ENTRY_POINTS


def test_pages_are_self_contained_and_need_no_script_for_equations() -> None:
    html = shared()["format"]["html"]
    assert html["embed-resources"] is True
    assert html["html-math-method"] == "mathml"


@pytest.mark.parametrize("name", ["html", "typst"])
def test_tables_are_as_wide_as_what_they_hold(name: str) -> None:
    """Pandoc divides a table with a line over 72 characters by the dashes under its header."""
    settings = shared()["format"][name]
    assert settings.get("tbl-colwidths") is False or settings.get("columns", 72) > 1000


THEME = (REPORTS / "theme.scss").read_text(encoding="utf-8")
PREVIEW = (ROOT / "tools" / "preview" / "preview.css").read_text(encoding="utf-8")
PAIR = re.compile(r"^  (--[\w-]+): light-dark\((#\w+), (#\w+)\);$", re.MULTILINE)
CODE = ("keyword", "string", "number", "function")
BOXES = ("note", "tip", "warning", "important", "caution")
# Every text and mark with what it stands on, by the variables of the theme.
TEXTS = [
    *itertools.product(("--text", "--muted", "--link"), ("--page", "--surface", "--answer")),
    *itertools.product(("--text",), (f"--{box}-tint" for box in BOXES)),
    *itertools.product((f"--{box}" for box in BOXES), ("--page",)),
    *itertools.product((f"--code-{kind}" for kind in CODE), ("--surface",)),
]


def pairs(sheet: str) -> dict[str, tuple[str, str]]:
    """Colours of a light and of a dark page by the variable that holds them."""
    return {name: (light, night) for name, light, night in PAIR.findall(sheet)}


def luminance(color: str) -> float:
    """Relative luminance of #rgb or #rrggbb (WCAG 2.1)."""
    digits = color[1:] if len(color) == 7 else "".join(2 * digit for digit in color[1:])
    channels = [int(digits[j : j + 2], 16) / 255 for j in (0, 2, 4)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    light, night = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (night + 0.05)


def test_theme_has_its_sections_and_loads_nothing() -> None:
    """Without `$web-font-path: false`, Quarto's cosmo imports a font from the network."""
    assert re.findall(r"^/\*-- scss:(\w+) --\*/$", THEME, re.MULTILINE) == ["defaults", "rules"]
    rules = THEME.partition("/*-- scss:rules --*/")[2]
    assert not re.search(r"^\$", rules, re.MULTILINE)
    assert not re.search(r"https?:|@import|url\(", THEME)
    assert re.search(r"^\$web-font-path:\s*false", THEME, re.MULTILINE)


def test_a_page_has_one_theme_with_both_colours() -> None:
    """Of `theme: {light, dark}` Quarto 1.7 embeds three style sheets: light, dark and light again."""
    html = shared()["format"]["html"]
    assert html["theme"] == ["cosmo", "theme.scss"]
    assert "respect-user-color-scheme" not in html  # it is about two sheets
    assert ":root {\n  color-scheme: light dark;" in THEME
    for sheet in (THEME, PREVIEW):
        assert re.search(r":root, :root\[data-theme\] \{ color-scheme: light; \}", sheet)  # paper
        assert {"light", "dark"} == set(re.findall(r'^:root\[data-theme="(\w+)"\] \{', sheet, re.M))


def test_both_renderers_have_the_same_colours() -> None:
    colours = pairs(THEME)
    assert colours == pairs(PREVIEW)
    assert colours["--page"] == ("#fff", dark("#ffffff"))  # of the pictures, too


def test_colours_of_the_rules_are_pairs() -> None:
    """So that none of them is for a light page alone."""
    rules = THEME.partition("/*-- scss:rules --*/")[2]
    assert re.findall(r"#[0-9a-fA-F]{3,8}\b|\$[\w-]+|rgba?\(", PAIR.sub("", rules)) == []
    variables = {*pairs(THEME), "--accent", "--tint", "--mark"}
    assert set(re.findall(r"var\((--[\w-]+)\)", rules)) <= variables


def test_what_quarto_calculates_with_is_the_light_half() -> None:
    given = dict(re.findall(r"^\$([\w-]+): (#\w+);", THEME, re.MULTILINE))
    names = {
        "body-bg": "page", "body-color": "text", "text-muted": "muted", "primary": "note",
        "link-color": "link", "border-color": "rule", "code-color": "text", "code-bg": "surface",
    }  # fmt: skip
    assert given == {name: pairs(THEME)[f"--{pair}"][0] for name, pair in names.items()}


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("text", "ground"), TEXTS)
def test_texts_have_contrast(text: str, ground: str, theme: int) -> None:
    """4.5 of WCAG 2.1 AA, of marks on the page too."""
    colours = pairs(THEME)
    assert contrast(colours[text][theme], colours[ground][theme]) >= 4.5


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_focus_has_contrast(theme: int) -> None:
    colours = pairs(THEME)
    assert contrast(colours["--focus"][theme], colours["--page"][theme]) >= 3


def test_what_the_shared_settings_name_is_staged_and_an_input() -> None:
    settings = shared()
    html, typst = settings["format"]["html"], settings["format"]["typst"]
    layers = {name for name in html["theme"] if "." in name}
    named = {
        *(settings["bibliography"], html["include-after-body"], typst["include-in-header"]),
        *(entry["path"] for entry in settings["filters"]),
        *layers,
        "_quarto.yml",
    }
    assert named == set(rendering.SHARED)
    rules = (ROOT / "workflow" / "rules" / "reports.smk").read_text(encoding="utf-8")
    for name in rendering.SHARED:
        assert (REPORTS / name).is_file()
        assert f'"reports/{name}",' in rules


def test_a_document_overrides_the_shared_settings_in_the_preview_too() -> None:
    """Quarto resolves each file's own settings first: `toc: false` beats `format: html: toc: true`."""
    for name in QMDS:
        page = page_metadata(REPORTS / name, dict(source(name)[0]), {})
        own = {key: value for key, value in source(name)[0].items() if key != "format"}
        assert {key: page[key] for key in own} == own


# Cells ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", QMDS)
def test_cells_are_python_with_known_options(name: str) -> None:
    for cell in cells(name):
        ast.parse(cell.text)
        assert set(cell.options) <= CELL_KEYS, f"line {cell.line}"


@pytest.mark.parametrize("name", QMDS)
def test_labels_of_cells_are_unique(name: str) -> None:
    labels = [cell.options["label"] for cell in cells(name) if "label" in cell.options]
    assert len(labels) == len(set(labels))


@pytest.mark.parametrize("name", QMDS)
def test_one_cell_holds_parameters(name: str) -> None:
    tagged = [cell for cell in cells(name) if "parameters" in cell.options.get("tags", [])]
    assert len(tagged) == 1
    body = ast.parse(tagged[0].text).body
    assert body and all(isinstance(node, ast.Assign) for node in body)


@pytest.mark.parametrize("name", QMDS)
def test_cells_print_markdown_and_display_nothing(name: str) -> None:
    """`output: asis` exactly where something is printed; no value is left to be displayed."""
    for cell in cells(name):
        tree = ast.parse(cell.text)
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
        names = {node.func.id for node in calls if isinstance(node.func, ast.Name)}
        assert ("print" in names) == (cell.options.get("output") == "asis"), f"line {cell.line}"
        assert not names & {"display", "HTML", "Markdown"}, f"line {cell.line}"
        for node in tree.body:
            if isinstance(node, ast.Expr):
                assert isinstance(node.value, ast.Call), f"line {cell.line}"
                assert ast.unparse(node.value.func) == "print", f"line {cell.line}"


# What the cells print -------------------------------------------------------------------------


@cache
def facts(case: str) -> Facts:
    made = hard_cases.make(case)
    return Facts(
        design=made.design,
        results=made.results,
        provenance=PROVENANCE | {"source": made.design["source"]},
        alt=dict.fromkeys(FIGURES, 'What a "figure" shows: 3 of 4.\n'),
        verdict=made.verdict,
        calibration=made.calibration,
        truth=made.truth,
    )


PROVENANCE = {
    "seed": 279,
    "python": "3.12",
    "packages": {"numpy": "2.0"},
    "code": {"commit": "0" * 40, "changed": False},
}
CASES = (
    *(
        "usual",
        "blocked",
        "nested",
        "few_groups",
        "within",
        "slopes",
        "some_within",
        "tiny",
        "singular",
    ),
    *("failed", "many_arms", "declared", "awkward", "repeated", "rows", "odd_names"),
    *("risks", "odds", "odds_within", "rates"),
)


@contextlib.contextmanager
def report_data_of(case: str) -> Iterator[None]:
    """`import report_data` in a cell finds the experiment, whatever the dataset is called."""
    module = ModuleType("report_data")
    module.load = lambda *arguments: facts(case)
    module.load_families = lambda: adjust_families.run(
        facts(case).results["estimates"], {facts(case).design["dataset"]: "a_family"}, NAMES
    )
    before = sys.modules.get("report_data")
    sys.modules["report_data"] = module
    try:
        yield
    finally:
        del sys.modules["report_data"]
        if before:
            sys.modules["report_data"] = before


@cache
def assembled(name: str, case: str) -> str:
    """The Markdown that goes to Pandoc: the document with the output of its cells."""
    space: dict[str, object] = {}
    parts = []
    with report_data_of(case):
        for chunk in source(name)[1]:
            printed = io.StringIO()
            if chunk.is_code:
                with contextlib.redirect_stdout(printed):
                    exec(compile(chunk.text, f"{name}:{chunk.line}", "exec"), space)
            parts.append(printed.getvalue() if chunk.is_code else chunk.text)
    return "\n\n".join(parts)


every_page = pytest.mark.parametrize(
    ("name", "case"), [(name, case) for name in PAGES for case in CASES]
)


@every_page
def test_references_resolve_and_labels_are_unique(name: str, case: str) -> None:
    markdown = assembled(name, case)
    labels = Counter(LABEL.findall(markdown))
    assert {label for label, n in labels.items() if n > 1} == set()
    assert set(REFERENCE.findall(prose(markdown))) <= set(labels)
    assert all(re.fullmatch(r"[a-z]+-[a-z0-9-]+", label) for label in labels)


@every_page
def test_nothing_is_missing_in_words(name: str, case: str) -> None:
    found = re.findall(
        r"\b(?:nan|NaN|None|inf)\b|np\.|Timestamp|dtype", prose(assembled(name, case))
    )
    assert found == []


@every_page
def test_blocks_stand_apart(name: str, case: str) -> None:
    """Tables, figures, equations and fences after an empty line: else they join the text above."""
    lines = ["", *assembled(name, case).split("\n")]
    formula = False
    for above, line in itertools.pairwise(lines):
        if line.startswith("$$"):
            formula = not formula
        starts = line.startswith(("![", ": ", "## ", "### ", "::: {")) or (line == "$$" and formula)
        starts = starts or (line.startswith("|") and not above.startswith("|"))
        assert not (starts and above.strip()), line
        assert not (formula and not line.strip()), "an empty line inside a formula"
    assert not formula


@every_page
def test_tables_are_whole(name: str, case: str) -> None:
    """Every table: rows of one length, a header with words, and a caption with a label below."""
    blocks = re.split(r"\n\s*\n", assembled(name, case))
    for block, below in zip(blocks, [*blocks[1:], ""], strict=True):
        rows = [line for line in block.strip().split("\n") if line.startswith("|")]
        if not rows:
            continue
        widths = {len(re.findall(r"(?<!\\)\|", row)) for row in rows}
        assert len(widths) == 1, block
        assert all(cell.strip() for cell in re.split(r"(?<!\\)\|", rows[0])[1:-1]), block
        assert re.fullmatch(r": \S.*\S \{#tbl-[a-z-]+\}", below.strip()), below


@every_page
def test_figures_are_the_registered_ones_with_alt_text(name: str, case: str) -> None:
    figures = [line for line in assembled(name, case).split("\n") if line.startswith("![")]
    pattern = rf"results/{case}/figures/(\w+)\.svg"
    for line in figures:
        found = re.fullmatch(rf'!\[.+\]\({pattern}\)\{{#fig-[a-z-]+[\w-]* fig-alt="[^"]+"\}}', line)
        assert found and found[1] in FIGURES, line
    assert figures


@every_page
def test_fences_are_closed(name: str, case: str) -> None:
    fences = [line for line in assembled(name, case).split("\n") if line.startswith(":::")]
    depth = 0
    for fence in fences:
        depth += 1 if "{" in fence else -1
        assert depth >= 0
    assert depth == 0


@pytest.mark.parametrize(("case", "fitted"), [("usual", False), ("slopes", True)])
def test_report_says_which_methods_are_simulated_less(case: str, fitted: bool) -> None:
    said = calibration.simulated(facts(case))
    assert "methods that draw at random" in said
    assert ("methods that draw at random and mixed models:" in said) == fitted
    assert (
        "the bootstrap of the mixed model" not in said
    )  # with so few replicates all are asked alike


def test_every_figure_is_in_the_report() -> None:
    shown = set(re.findall(r"figures/(\w+)\.svg", assembled("report.qmd", "usual")))
    assert shown == set(figures_for(facts("usual").design["roles"], needed_roles()))


# Layers -----------------------------------------------------------------------------------------

STORY, DETAILS = "## Design {#sec-design}", "## Appendix: the details {#sec-details}"
MOST_WORDS = {"answer": 330, "story": 2400}
"""Of the first screen, and of eight printed pages with their tables; nine arms make longer tables."""
FOLDED = re.compile(
    r'^::: \{\.callout-\w+[^}\n]*collapse="true"\}\n.*?^:::$', re.MULTILINE | re.DOTALL
)


def layers(markdown: str) -> dict[str, str]:
    """The answer, the story and the details of a report, as they are read: nothing is folded in two."""
    first, _, rest = markdown.partition(STORY)
    story, _, details = rest.partition(DETAILS)
    return {"answer": first, "story": FOLDED.sub("", story), "details": details}


def n_words(markdown: str) -> int:
    """Words and numbers a reader sees: no code, formula, address, attribute or embedded file."""
    shown = re.sub(r"^```.*?^```$|\$\$.*?\$\$", " ", markdown, flags=re.MULTILINE | re.DOTALL)
    shown = re.sub(r"\]\([^)\n]*\)|\{[^}\n]*\}|^\|[ :|-]+\|$", " ", shown, flags=re.MULTILINE)
    return len(re.findall(r"[^\W_][\w.,%-]*", shown))


def test_words_of_a_page_are_counted_without_what_nobody_reads() -> None:
    table = "| a | b |\n|:---|---:|\n| one | 2.5% |\n\n: Caption. {#tbl-a}\n"
    hidden = '```{=html}\n<a href="x y z">\n```\n\n$$\na + b\n$$ {#eq-x}\n'
    assert n_words(table) == 5 and n_words(hidden) == 0
    assert n_words('![Two words](a/b.svg){#fig-c fig-alt="three more words"}') == 2


@pytest.mark.parametrize("case", CASES)
def test_layers_are_short_and_nothing_is_lost(case: str) -> None:
    parts = layers(assembled("report.qmd", case))
    few = len(facts(case).arms) <= 3
    for name, most in MOST_WORDS.items():
        assert 20 < n_words(parts[name]) <= (most if few else 2 * most), name
    assert n_words(parts["details"]) > n_words(parts["story"]) > n_words(parts["answer"])
    assert "{#fig-answer " in parts["answer"] and parts["answer"].count("![") == 1
    in_story = {"flow", "baseline", "effects", "models"}
    assert in_story <= set(re.findall(r"\{#tbl-([\w-]+)\}", parts["story"]))


def test_details_are_folded_on_the_page_and_whole_on_paper() -> None:
    details = layers(assembled("report.qmd", "usual"))["details"]
    fold = r'^::: \{\.callout-note \.details collapse="true" title="[^"]+"\}$'
    headings = re.findall(r"^### .+ \{#sec-[a-z-]+\}$", details, re.MULTILINE)
    assert len(re.findall(fold, details, re.MULTILINE)) == len(headings) > 10
    fold = '::: {.callout-note .details collapse="true" title="What"}\n\nWords.\n:::\n'
    assert "<details" in filtered(fold, "page.lua", "html")
    on_paper = filtered(fold, "page.lua", "typst")
    assert "Words." in on_paper and "#block" not in on_paper and "What" not in on_paper


# Literature -------------------------------------------------------------------------------------


def cited() -> set[str]:
    """Keys cited in any page about any experiment, or in the note of one that comes with it."""
    keys = {key[2:-1] for path in CONFIGS for key in CITATION.findall(path.read_text("utf-8"))}
    for name in PAGES:
        for case in CASES:
            found = re.findall(r"(?<![\w\\])@([A-Za-z][\w:-]*)", prose(assembled(name, case)))
            keys |= {key.rstrip(":-") for key in found if not REFERENCE.match(f"@{key}")}
    return keys


def test_what_is_cited_is_in_the_bibliography_and_the_reverse() -> None:
    assert cited() == set(bibliography())


def test_a_note_cites_and_nothing_else_in_it_is_markdown() -> None:
    assert escape_cited_note("Six *men* [@yates1935]; `x_1`.") == (
        r"Six \*men\* [@yates1935]\; `x_1`\."
    )
    assert escape_cited_note("a [@b] c@d [e]") == r"a [@b] c\@d \[e\]"


def test_entries_can_be_found_by_a_reader() -> None:
    for key, (kind, entry) in bibliography().items():
        assert re.search(r"^\s*doi\s*=", entry, re.MULTILINE) or kind == "book", key
        assert all(
            re.search(rf"^\s*{field}\s*=", entry, re.MULTILINE) for field in ("title", "year")
        )
        assert not re.search(r"doi\s*=\s*\{\s*https?:", entry), (
            f"{key}: a bare DOI, without address"
        )


# The command line ---------------------------------------------------------------------------------

AWKWARD = 'Two words: "quoted", 50% #1 & *stars* [x] {y} _z_ - \u00fc'
FAKE = """#!{python}
import json, pathlib, sys
folder = pathlib.Path.cwd()
files = {{path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.*")}}
pathlib.Path({record!r}).write_text(json.dumps([sys.argv[1:], files]))
suffix = {{"html": ".html", "typst": ".pdf"}}[sys.argv[4]]
(folder / sys.argv[2]).with_suffix(suffix).write_text("made")
"""


def quarto_reads(arguments: list[str]) -> dict[str, object]:
    """Parameters as flags.ts reads them: what follows the colon is YAML."""
    given = [value for flag, value in itertools.pairwise(arguments) if flag == "-P"]
    pairs = [re.fullmatch(r"([^=:]+)[=:](.*)", value, re.DOTALL).groups() for value in given]
    return {key: yaml.safe_load(text) for key, text in pairs}


@pytest.mark.parametrize(("suffix", "to"), [("html", "html"), ("pdf", "typst")])
def test_parameters_and_title_reach_quarto_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, to: str
) -> None:
    fake, record = tmp_path / "quarto", tmp_path / "record.json"
    fake.write_text(FAKE.format(python=sys.executable, record=str(record)), encoding="utf-8")
    fake.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    parameters = {"dataset": "null", "another": "mixed_wald"}
    rendering.render_page(
        REPORTS / "report.qmd",
        tmp_path / f"page.{suffix}",
        datasets=[],
        parameters=parameters,
        title=AWKWARD,
        quarto=str(fake),
    )
    arguments, files = json.loads(record.read_text(encoding="utf-8"))
    assert arguments[:4] == ["render", "page.qmd", "--to", to]
    assert quarto_reads(arguments) == parameters
    title = yaml.safe_load(files["page.qmd"].split("---")[1])["title"]
    assert title == escape(AWKWARD)
    assert (tmp_path / f"page.{suffix}").read_text(encoding="utf-8") == "made"


def test_without_quarto_there_is_no_pdf(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"page\.pdf: a PDF needs Quarto"):
        rendering.render_page(
            REPORTS / "report.qmd", tmp_path / "page.pdf", datasets=[], parameters={}, quarto=None
        )
    assert list(tmp_path.iterdir()) == []


# The filters ------------------------------------------------------------------------------------


def filtered(markdown: str, name: str, to: str) -> str:
    return pypandoc.convert_text(
        markdown, to, format="markdown", extra_args=[f"--lua-filter={REPORTS / name}"]
    )


@pytest.mark.parametrize("kind", ["note", "tip", "warning", "important", "caution"])
def test_a_folded_callout_opens_without_a_script(kind: str) -> None:
    html = filtered(callout(kind, 'A *title* "x"', "Words.", folded=True), "page.lua", "html")
    assert f'<details class="fold fold-{kind}">' in html
    assert "<summary>" in html and "A <em>title</em>" in html and "<p>Words.</p>" in html


def test_other_callouts_are_left_to_the_renderer() -> None:
    html = filtered(callout("tip", "Title", "Words."), "page.lua", "html")
    assert 'class="callout-tip" title="Title"' in html


@pytest.mark.parametrize("folded", [True, False])
def test_a_callout_on_paper_needs_no_icons_from_the_network(folded: bool) -> None:
    typst = filtered(callout("tip", "Title", "Words.", folded=folded), "page.lua", "typst")
    assert "#block(" in typst and "#strong[Title]" in typst and typst.rstrip().endswith("]")
    assert "callout" not in typst and "import" not in typst


def test_tables_on_paper_are_left_alone() -> None:
    table = "| a | b |\n|---|--:|\n| 1 | 2 |\n"
    assert filtered(table, "scroll.lua", "typst") == pypandoc.convert_text(
        table, "typst", format="markdown"
    )
    assert 'role="region" tabindex="0"' in filtered(table, "scroll.lua", "html")


# Rendered ---------------------------------------------------------------------------------------


def write_results(case: str, folder: Path) -> None:
    """results/{dataset} as the workflow leaves it."""
    known = facts(case)
    (folder / "figures").mkdir(parents=True)
    for name in ("design", "provenance", "verdict", "calibration"):
        content = getattr(known, name)
        (folder / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
    for name, table in known.results.items():
        table.to_csv(folder / f"{name}.csv", index=False)
    for name in FIGURES:
        (folder / "figures" / f"{name}.svg").write_text(SVG, encoding="utf-8")
        (folder / "figures" / f"{name}.txt").write_text(known.alt[name], encoding="utf-8")


@pytest.mark.parametrize("quarto", RENDERERS)
@pytest.mark.parametrize("name", PAGES)
def test_page_is_rendered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, quarto: str | None
) -> None:
    write_results("usual", tmp_path / "results" / "usual")
    monkeypatch.chdir(tmp_path)
    families = adjust_families.run(
        facts("usual").results["estimates"], {"usual": "a family"}, NAMES
    )
    families.to_csv(tmp_path / "results" / "families.csv", index=False)
    key = "dataset" if name == "report.qmd" else "datasets"
    page = tmp_path / "rendered" / "page.html"
    rendering.render_page(
        REPORTS / name,
        page,
        datasets=["usual"],
        parameters={key: "usual"},
        title="Any title",
        quarto=quarto,
        further=["results/families.csv"],
    )
    html = page.read_text(encoding="utf-8")
    assert "<h1" in html and "Any title" in html and "Fully flipped" in html
    assert "?@" not in visible(html)
    assert LOADS.findall(html) == []
    assert "<math" in html or name == "index.qmd"
    assert "make archive" in html  # where all of this goes


SHEET = 700_000
"""Bytes of Quarto's style sheet in a page: 426 kB by its sources, 637 kB as an address."""
BESIDE = 800_000
"""Bytes of what else Quarto embeds: 504 kB of scripts and icons, and what its markup adds."""


@pytest.mark.quarto
@pytest.mark.slow
@pytest.mark.skipif(QUARTO is None, reason="no quarto on PATH")
def test_page_holds_one_style_sheet_of_bootstrap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = {}
    for name, quarto in (("preview", None), ("quarto", QUARTO)):
        folder = tmp_path / name
        write_results("usual", folder / "results" / "usual")
        monkeypatch.chdir(folder)
        page = folder / "page.html"
        rendering.render_page(
            REPORTS / "report.qmd",
            page,
            datasets=["usual"],
            parameters={"dataset": "usual"},
            quarto=quarto,
        )
        pages[name] = page.read_text(encoding="utf-8")
    html = pages["quarto"]
    sheets = re.findall(r"<(?:link|style)\b[^>]*\bid=[\"']?quarto-bootstrap\b[^>]*>", html)
    assert len(sheets) == 1 and len(sheets[0]) < SHEET
    assert 'class="quarto-color-scheme' not in html
    assert len(html) < len(pages["preview"]) + SHEET + BESIDE


@pytest.mark.quarto
@pytest.mark.slow
@pytest.mark.skipif(QUARTO is None, reason="no quarto on PATH")
def test_pdf_is_rendered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_results("usual", tmp_path / "results" / "usual")
    monkeypatch.chdir(tmp_path)
    rendering.render_page(
        REPORTS / "report.qmd",
        tmp_path / "page.pdf",
        datasets=["usual"],
        parameters={"dataset": "usual"},
        quarto=QUARTO,
    )
    assert (tmp_path / "page.pdf").read_bytes().startswith(b"%PDF-")
