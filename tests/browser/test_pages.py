"""The pages of a small project, rendered by the workflow, opened in headless Chromium.

One file, so that pytest-xdist renders once. The project is small and its names are awkward: every
character that means something to Markdown, HTML, LaTeX or YAML stands in a title, a column's name
or a label. Pages are judged by what they are, never by their wording.
"""

from __future__ import annotations

import csv
import json
import os
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np
import pandas as pd
import pytest
import yaml
from devtools import NAMES, Browser, Page, find_browser
from reading import AXE, THEMES, axe_problems, print_problems

from groupwise.catalogue.methods import METHODS

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
WIDTHS = (390, 820, 1400)
PAGES = ("index", "simulated", "awkward")
REPORTS = PAGES[1:]
# Of the checks in audit.js, those whose result depends on the width of the window.
LAYOUT = ("width", "clipped")
CHECKS = (
    "references", "missing", "markdown", "alt", "images", "captions", "headings", "tables",
    "anchors", *LAYOUT,
)  # fmt: skip

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(find_browser() is None, reason=f"no browser: none of {', '.join(NAMES)}"),
]

# The project --------------------------------------------------------------------------------

TITLES = {
    "simulated": 'Classes: "quoted", 50% & <b>bold</b> | *stars* $x$ _u_ [a](b) -- 1...',
    "awkward": "Wörter: größer",
}
ARMS = ("control_*", "a|b & <b>$x$</b>", "Ü \"q\" 's_x' -- [z](u)")
RUN_ME = "<script>window.ran = 1</script>"
GROUPS = (
    "a|b",
    "<i>c</i>",
    RUN_ME,
    "=1+2",
    "7_*",
    "d$e$f",
    "@fig-z",
    "Ä ö",
    "{#id}",
    "`code`",
    "~x~",
    "&amp;",
)
BLOCKS = ("S_1", "S|2", "S*3*", "S <img src=x onerror='window.ran = 2'>")
COLUMNS = ("score~1 (0-100)", "kind of_class", "C(klass)", "scho|ol", "I(age_y ** 2)")
NOTE = "A note with *stars*, `code_x`, 5 < 6 and $y$."
SHOWN_NOTE = NOTE.replace("`", "")  # backticks mark code, and go
LABELS = sorted((*ARMS, *GROUPS, *BLOCKS, *COLUMNS, *TITLES.values(), NOTE, SHOWN_NOTE), key=len)[
    ::-1
]

CONFIG = {
    "calibration": {"replicates": 100, "slow_replicates": 5, "draws": 99, "jobs": 1},
    "datasets": {
        "simulated": {
            "title": TITLES["simulated"],
            "simulate": {
                "seed": 3,
                "groups_per_arm": {"Arm_0": 3, "Arm 1": 3},
                "group_size": [6, 7, 4, 5, 6, 8],
                "mean": 1000,
                "effects": {"Arm 1": 2},
                "sd_group": 2,
                "sd_residual": 3,
                "decimals": 1,
            },
            "roles": {"outcome": "out_come", "treatment": "treat_ment", "group": "group_id"},
            "reference": "Arm_0",
        },
        "awkward": {
            "title": TITLES["awkward"],
            "note": NOTE,
            "file": "data/raw/awkward.csv",
            "roles": dict(
                zip(("outcome", "treatment", "group", "block"), COLUMNS[:4], strict=True),
                covariates=[COLUMNS[4]],
            ),
            "reference": ARMS[0],
        },
    },
}


def write_raw_data(path: Path) -> None:
    """Two classes per arm in each of four schools; some scores are missing."""
    draw = random.Random(7)
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(COLUMNS)
        for number in range(24):
            effect, group = draw.gauss(0, 3), f"{GROUPS[number % len(GROUPS)]}{number}"
            for _ in range(draw.randint(3, 8)):
                score = "" if draw.random() < 0.05 else round(50 + effect + draw.gauss(0, 5), 1)
                age = round(draw.gauss(10, 1), 2)
                table.writerow([score, ARMS[number % 3], group, BLOCKS[number // 6], age])


def make_project(folder: Path) -> None:
    """What the workflow needs of this repository, with a configuration of its own."""
    generated = shutil.ignore_patterns("rendered", ".quarto", "__pycache__", "tests")
    for name in ("workflow", "tools", "reports"):
        shutil.copytree(ROOT / name, folder / name, ignore=generated)
    for name in ("Snakefile", "environment.yml"):
        shutil.copy(ROOT / name, folder)
    (folder / "data" / "raw").mkdir(parents=True)
    (folder / "data" / "raw" / "SHA256SUMS").touch()
    write_raw_data(folder / "data" / "raw" / "awkward.csv")
    text = yaml.safe_dump(CONFIG, allow_unicode=True, sort_keys=False)
    (folder / "config.yaml").write_text(text, encoding="utf-8")


def environment_without_quarto() -> dict[str, str]:
    """The preview renders here, on every machine; tests/contract/test_qmd.py is for Quarto."""
    folders = os.environ["PATH"].split(os.pathsep)
    kept = [folder for folder in folders if not (Path(folder) / "quarto").exists()]
    return os.environ | {"PATH": os.pathsep.join(kept)}


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    make_project(folder)
    command = [sys.executable, "-m", "snakemake", "--workflow-profile", "none", "--cores", "2"]
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment_without_quarto(),
        capture_output=True,
        text=True,
        check=False,
    )
    logs = [f"{path}:\n{path.read_text()}" for path in folder.glob("logs/**/*.log")]
    assert done.returncode == 0, "\n".join([done.stderr[-2000:], *filter(str.strip, logs)])
    return folder


@pytest.fixture(scope="session")
def tab() -> Iterator[Page]:
    executable = find_browser()
    assert executable is not None
    with Browser(executable) as browser:
        yield browser.new_page()


# What a page looks like from inside the browser ----------------------------------------------


@dataclass
class Seen:
    """What one page showed."""

    problems: dict[str, list[str]] = field(default_factory=dict)
    links: list[str] = field(default_factory=list)
    text: str = ""
    tables: dict[str, list[list[str]]] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    console: list[str] = field(default_factory=list)
    title: str = ""
    heading: str = ""


AUDIT = f"({(HERE / 'audit.js').read_text(encoding='utf-8')})({json.dumps(LABELS)})"
# Without what a script adds: buttons, and the lines they stand on.
TEXT = """
(() => {
    for (const added of document.querySelectorAll(".theme-switch, button.copy")) added.remove();
    for (const line of document.querySelectorAll("p.data-link")) if (!line.textContent) line.remove();
    return document.body.innerText.replace(/\\s+/g, " ");
})()"""
READ_TABLES = """
Object.fromEntries([...document.querySelectorAll("[id^=tbl-]")].map((box) => [box.id,
    [...box.querySelectorAll("tbody tr")].map((row) =>
        [...row.cells].map((cell) => cell.textContent.trim().replace(/\\s+/g, " ")))]))
"""


def look(tab: Page, path: Path, widths: Sequence[int] = WIDTHS) -> Seen:
    """Open a page, wait until it has settled, and examine it at each width."""
    tab.resize(widths[0])
    tab.open(path)
    seen = Seen(requests=asked_of_network(tab), console=said_in_console(tab))
    for width in widths:
        tab.resize(width)
        audit = tab.evaluate(AUDIT)
        for check, problems in audit["found"].items():
            at = f"at {width} px: " if check in LAYOUT else ""
            known = seen.problems.setdefault(check, [])
            known += [at + problem for problem in problems if at + problem not in known]
        seen.links = audit["links"]
    seen.text, seen.tables = tab.evaluate(TEXT), tab.evaluate(READ_TABLES)
    seen.title = tab.evaluate("document.title")
    seen.heading = tab.evaluate("document.querySelector('h1')?.textContent ?? ''")
    return seen


def asked_of_network(tab: Page) -> list[str]:
    """What was asked for, by any scheme that leaves the machine."""
    urls = [event["request"]["url"] for event in tab.events("Network.requestWillBeSent")]
    urls += [event["url"] for event in tab.events("Network.webSocketCreated")]
    return [url for url in urls if urlsplit(url).scheme not in ("file", "data", "blob", "about")]


def said_in_console(tab: Page) -> list[str]:
    """Errors and warnings, those of scripts and those of the browser itself."""
    said = [event["entry"] for event in tab.events("Log.entryAdded")]
    texts = [entry["text"] for entry in said if entry["level"] in ("warning", "error")]
    for event in tab.events("Runtime.consoleAPICalled"):
        if event["type"] in ("warning", "error", "assert"):
            texts.append(" ".join(str(argument.get("value")) for argument in event["args"]))
    thrown = tab.events("Runtime.exceptionThrown")
    return texts + [event["exceptionDetails"]["text"] for event in thrown]


@pytest.fixture(scope="session")
def pages(project: Path, tab: Page) -> dict[str, Seen]:
    rendered = project / "reports" / "rendered"
    return {name: look(tab, rendered / f"{name}.html") for name in PAGES}


# The checks -----------------------------------------------------------------------------------


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("name", PAGES)
def test_page_is_sound(pages: dict[str, Seen], name: str, check: str) -> None:
    assert pages[name].problems.get(check, []) == []


@pytest.mark.parametrize("name", PAGES)
def test_page_asks_nothing_of_the_network(pages: dict[str, Seen], name: str) -> None:
    assert pages[name].requests == []


@pytest.mark.parametrize("name", PAGES)
def test_console_is_silent(pages: dict[str, Seen], name: str) -> None:
    assert pages[name].console == []


@pytest.mark.parametrize("name", PAGES)
def test_relative_links_lead_to_a_page(project: Path, pages: dict[str, Seen], name: str) -> None:
    folder = project / "reports" / "rendered"
    parts = [urlsplit(link) for link in pages[name].links]
    targets = {unquote(part.path) for part in parts if not part.scheme and part.path}
    assert [target for target in sorted(targets) if not (folder / target).is_file()] == []


def test_index_leads_to_every_report(pages: dict[str, Seen]) -> None:
    assert {f"{name}.html" for name in REPORTS} <= set(pages["index"].links)


@pytest.mark.parametrize("name", PAGES)
def test_without_scripts_the_same_is_shown(
    project: Path, tab: Page, pages: dict[str, Seen], name: str
) -> None:
    tab.send("Emulation.setScriptExecutionDisabled", value=True)
    try:
        tab.resize(WIDTHS[-1])
        tab.open(project / "reports" / "rendered" / f"{name}.html")
        assert len(pages[name].text) > 500
        assert tab.evaluate(TEXT) == pages[name].text
    finally:
        tab.send("Emulation.setScriptExecutionDisabled", value=False)


# How a page reads ------------------------------------------------------------------------------

LARGEST = 3_000_000
"""Bytes of a page."""


@pytest.mark.parametrize("name", PAGES)
def test_page_is_small_enough_to_be_sent(project: Path, name: str) -> None:
    assert (project / "reports" / "rendered" / f"{name}.html").stat().st_size < LARGEST


@pytest.mark.skipif(
    not AXE.is_file(), reason="no axe-core: `npm install --no-save axe-core` brings it"
)
@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", PAGES)
def test_page_has_no_barrier(project: Path, tab: Page, name: str, width: int, theme: str) -> None:
    tab.resize(width)
    tab.prefer(theme)
    tab.open(project / "reports" / "rendered" / f"{name}.html")
    assert axe_problems(tab) == []


@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_cut_off_on_paper(project: Path, tab: Page, name: str) -> None:
    tab.prefer("light")
    tab.open(project / "reports" / "rendered" / f"{name}.html")
    assert print_problems(tab) == []
    assert tab.pdf().startswith(b"%PDF-")


MOST_PAGES = {"answer": 2, "story": 8}
"""Printed pages of A4: of the answer with the title and the table of contents, and of the story."""
KEEP = """
((from, to) => {
    // What stands between two headings, each given by the id of its section; "" is the page's end.
    const blocks = [...document.querySelector("main").querySelectorAll("*")];
    const at = (id) => id ? document.getElementById(id) : null;
    const [first, last] = [at(from), at(to)];
    const is = (node, other, bit) => Boolean(other && other.compareDocumentPosition(node) & bit);
    const beside = (node) => {
        const before = first && node !== first && !node.contains(first) && !first.contains(node)
            && is(node, first, Node.DOCUMENT_POSITION_PRECEDING);
        const after = last && !node.contains(last) && (node === last
            || last.contains(node) || is(node, last, Node.DOCUMENT_POSITION_FOLLOWING));
        return before || after;
    };
    for (const node of blocks.filter(beside)) node.remove();
    for (const fold of document.querySelectorAll("details")) fold.remove();
})"""
LAYERS = {"answer": ("", "sec-design"), "story": ("sec-design", "sec-details")}


def printed_pages(pdf: bytes) -> int:
    return len(re.findall(rb"/Type\s*/Page\b", pdf))


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("name", REPORTS)
def test_layers_of_a_report_fit_on_their_pages(
    project: Path, tab: Page, name: str, layer: str
) -> None:
    """The folded questions of a lecture and the details are not part of the story."""
    tab.prefer("light")
    tab.open(project / "reports" / "rendered" / f"{name}.html")
    whole = printed_pages(tab.pdf())
    tab.evaluate(f"{KEEP}({', '.join(map(json.dumps, LAYERS[layer]))})")
    assert 1 <= printed_pages(tab.pdf()) <= MOST_PAGES[layer] < whole


# A user's words are shown as they are -----------------------------------------------------------


@pytest.mark.parametrize("name", REPORTS)
def test_title_is_the_users(pages: dict[str, Seen], name: str) -> None:
    assert pages[name].heading == TITLES[name]
    assert pages[name].title == TITLES[name]


@pytest.mark.parametrize("name", REPORTS)
def test_index_names_the_report_by_its_title(pages: dict[str, Seen], name: str) -> None:
    assert TITLES[name] in pages["index"].text


@pytest.mark.parametrize("arm", ARMS)
def test_arms_are_the_users(pages: dict[str, Seen], arm: str) -> None:
    assert arm in [row[0] for row in pages["awkward"].tables["tbl-arms"]]


def test_labels_that_are_code_are_shown_and_not_run(
    project: Path, tab: Page, pages: dict[str, Seen]
) -> None:
    tab.open(project / "reports" / "rendered" / "awkward.html")
    assert tab.evaluate("typeof window.ran") == "undefined"
    effects = pd.read_csv(project / "results" / "awkward" / "random_effects.csv")
    assert effects["level"].str.contains(RUN_ME, regex=False).any()


def test_note_is_the_users(pages: dict[str, Seen]) -> None:
    # Backticks may mark code; what is between them is the user's.
    assert NOTE.replace("`", "") in pages["awkward"].text.replace("`", "")


# Numbers ------------------------------------------------------------------------------------

# Where a table's numbers come from: the file, and the columns that name a row of the page.
SOURCES = {
    "tbl-estimates": ("estimates", ["contrast", "method"]),
    "tbl-omnibus": ("omnibus", ["method"]),
    "tbl-means": ("marginal_means", ["method"]),
    "tbl-variances": ("variance_components", ["group"]),
    "tbl-aliasing": ("aliasing", ["term"]),
    "tbl-arms": ("design", ["arm"]),
    "tbl-checks": ("diagnostics", ["check"]),
}
# Tables of the page that show every row of theirs.
COMPLETE = ("tbl-estimates", "tbl-means", "tbl-variances", "tbl-arms")
NUMBER = re.compile(
    r"(?P<below><\s*)?(?<![\w.])(?P<sign>[−-]?)(?P<size>\d[\d,]*(\.\d+)?|\.\d+)(?!\w)"
)
# What Pandoc makes of typed marks, and back.
TYPED = str.maketrans({"“": '"', "”": '"', "‘": "'", "’": "'", "–": "--", "…": "..."})


@dataclass(frozen=True)
class Row:
    """A row of results: the words that name it, its numbers, and whether it has an answer."""

    words: tuple[str, ...]
    values: tuple[float, ...]
    answers: bool = True

    def has(self, number: re.Match[str]) -> bool:
        """Is a number of the page one of this row, rounded to as many decimals?"""
        shown = as_number(number)
        if number["below"]:
            return any(0 <= value < shown for value in self.values)
        half = 0.5 * 10.0 ** -len(number["size"].partition(".")[2])
        return any(abs(value - shown) <= half * (1 + 1e-6) for value in self.values)


def as_number(number: re.Match[str]) -> float:
    size = float(number["size"].replace(",", ""))
    return -size if number["sign"] else size


def source_rows(folder: Path, name: str, keys: list[str]) -> list[Row]:
    """The rows of one results table; the numbers in a message count as they are written there."""
    if name == "design":
        arms = json.loads((folder / "design.json").read_text(encoding="utf-8"))["arms"]
        counts = ("n_groups", "n_obs")
        return [Row((arm,), tuple(float(d[each]) for each in counts)) for arm, d in arms.items()]
    table = pd.read_csv(folder / f"{name}.csv", dtype=dict.fromkeys(keys, str))
    rows = []
    for key, part in table.groupby(keys, sort=False):
        values = part.select_dtypes("number").to_numpy(dtype=float).ravel()
        numbers = tuple(values[np.isfinite(values)])
        if name == "diagnostics":
            messages = " ".join(part["message"].dropna())
            numbers += tuple(map(as_number, NUMBER.finditer(messages)))
        main = "statistic" if name == "diagnostics" else "estimate"
        answers = main not in part or bool(part[main].notna().all())
        rows.append(Row(tuple(map(str, key)), numbers, answers))
    return rows


def numbers_in(cells: list[str], labels: Sequence[str]) -> list[re.Match[str]]:
    """Numbers of a row of the page, outside the names of arms, groups and methods."""
    text = " ; ".join(cells).translate(TYPED)
    for label in sorted(labels, key=len, reverse=True):
        text = text.replace(label, " ")
    return list(NUMBER.finditer(text))


def number_problems(seen: Seen, folder: Path, table: str) -> list[str]:
    """Rows of a table of the page whose numbers are not together in one row of the results.

    Where the first word of a row of the results (a contrast, an arm, a term) stands in the row of
    the page, the numbers have to be that one's. Every estimate there is has to be on the page.
    """
    name, keys = SOURCES[table]
    rows = source_rows(folder, name, keys)
    design = json.loads((folder / "design.json").read_text(encoding="utf-8"))
    labels = [*design["arms"], *(words.label for words in METHODS.values()), *LABELS]
    problems, told = [], set()
    for cells in seen.tables[table]:
        words = [cell.translate(TYPED).replace("−", "-") for cell in cells]
        named = {row.words[0] for row in rows if row.words[0] in words}
        numbers = numbers_in(cells, labels)
        among = [row for row in rows if not named or row.words[0] in named]
        fitting = [row for row in among if numbers and all(map(row.has, numbers))]
        if numbers and not fitting:
            problems.append(" ; ".join(cells))
        told |= set(fitting)
    silent = [row.words for row in rows if row.answers and row not in told]
    return problems + [f"not shown: {words}" for words in silent if table in COMPLETE]


@pytest.mark.parametrize("table", SOURCES)
@pytest.mark.parametrize("name", REPORTS)
def test_numbers_come_from_the_results(
    project: Path, pages: dict[str, Seen], name: str, table: str
) -> None:
    found = [number for row in pages[name].tables[table] for number in numbers_in(row, LABELS)]
    assert len(found) >= 3
    assert number_problems(pages[name], project / "results" / name, table) == []


@pytest.mark.parametrize("table", SOURCES)
def test_a_changed_number_is_noticed(
    project: Path, tab: Page, tmp_path: Path, pages: dict[str, Seen], table: str
) -> None:
    """The test above can fail: it does when one digit of the page is another."""
    html = (project / "reports" / "rendered" / "simulated.html").read_text(encoding="utf-8")
    start = html.index(f'id="{table}"')
    end = html.index("</table>", start)
    cell = list(re.finditer(r"<td[^>]*>[−\d.]*(\d)(?=[\d.]*(<| \(| to))", html[start:end]))[-1]
    at = start + cell.start(1)
    copy = tmp_path / "copy.html"
    copy.write_text(f"{html[:at]}{(int(html[at]) + 5) % 10}{html[at + 1 :]}", encoding="utf-8")
    assert number_problems(look(tab, copy, [1400]), project / "results" / "simulated", table)


# Sentences ---------------------------------------------------------------------------------------

READ_SENTENCES = """
[...document.querySelectorAll("main p, main li, main dd, main figcaption")]
    .filter((node) => !node.closest("#refs, .preview-note, .data-link, .csl-entry"))
    .map((node) => {
        const copy = node.cloneNode(true);
        for (const other of copy.querySelectorAll("math, code, .citation, a")) other.remove();
        return copy.textContent.replace(/\\s+/g, " ");
    })"""
# Limits that sentences name: they stand in the code.
LIMITS = {"0.0001"}
# Long tables that no sentence quotes: among so many numbers any would be found.
UNQUOTED = {
    *("calibration", "profile", "randomization", "random_effects", "coefficients", "adjusted"),
    *("marginal_means", "agreement", "aliasing"),
}


# Methods that sentences quote besides the one that leads; of the others only p-values and messages.
QUOTED = {"ols_classical", "ols_cr2", "group_means", "dummy", "dummy_nested", "mixed_wald"}
BARE = ("p_value", "p_holm", "icc")


def all_values(folder: Path) -> dict[bool, np.ndarray]:
    """The size of every number in a dataset's results, those in messages too.

    Under True those that are written without a zero before the point: p-values and correlations.
    """
    values: dict[bool, list[float]] = {False: [], True: []}

    def collect(value: object, bare: bool = False) -> None:
        if isinstance(value, dict):
            for key, each in value.items():
                collect(each, bare or str(key) in BARE)
        if isinstance(value, list):
            for each in value:
                collect(each, bare)
        elif isinstance(value, str):
            for number in NUMBER.finditer(value):
                values[number["size"].startswith(".")].append(abs(as_number(number)))
        elif isinstance(value, (int, float)):
            values[bare].append(abs(float(value)))

    lead = json.loads((folder / "verdict.json").read_text(encoding="utf-8"))["lead"]
    for path in folder.glob("*.csv"):
        table = pd.read_csv(path)
        if path.stem in ("planning", "influence"):
            table = table[table["method"] == lead]  # sentences are about the one that leads
        if path.stem == "verdict":  # and of judgements about the worst and the naive one, too
            judged = table.loc[table["dgp"] == "normal", ["rate_low", "rate_high"]]
            collect((100 * judged.to_numpy().ravel()).tolist())
            table = table[table["method"] == lead]
        if path.stem == "planning":
            table = table[table["question"] != "curve"]
        if path.stem in ("influence", "sensitivity"):
            table = table.drop(columns=["std_error", "df", "conf_low", "conf_high"])
        if path.stem not in UNQUOTED:
            own = table[table["method"].isin({lead, *QUOTED})] if "method" in table else table
            for column in table:
                rows = table if column in (*BARE, "message") else own
                collect(rows[column].tolist(), column in BARE)
            # Sentences have correlations with a zero before the point, too.
            collect(table.get("icc", pd.Series()).tolist())
    for path in folder.glob("*.json"):
        collect(json.loads(path.read_text(encoding="utf-8")))
    return {bare: np.unique([v for v in found if np.isfinite(v)]) for bare, found in values.items()}


def telling_numbers(sentences: Sequence[str]) -> list[str]:
    """Numbers with decimals and three digits that count; fewer would be found anywhere."""
    found = []
    for sentence in dict.fromkeys(sentences):
        text = sentence.translate(TYPED)
        for label in LABELS:
            text = text.replace(label, " ")
        found += [number["size"].replace(",", "") for number in NUMBER.finditer(text)]
    digits = {size: size.replace(".", "").lstrip("0") for size in found if "." in size}
    return [size for size, counted in digits.items() if len(counted) >= 3 and size not in LIMITS]


def unknown(sizes: Sequence[str], values: Mapping[bool, np.ndarray]) -> list[str]:
    """Those that no result rounds to."""
    half = [0.5 * 10.0 ** -len(size.partition(".")[2]) * (1 + 1e-6) for size in sizes]
    nearest = [np.min(np.abs(values[size.startswith(".")] - float(size))) for size in sizes]
    return [size for size, d, most in zip(sizes, nearest, half, strict=True) if d > most]


@pytest.mark.parametrize("name", REPORTS)
def test_numbers_in_sentences_come_from_the_results(project: Path, tab: Page, name: str) -> None:
    tab.open(project / "reports" / "rendered" / f"{name}.html")
    sizes = telling_numbers(tab.evaluate(READ_SENTENCES))
    values = all_values(project / "results" / name)
    assert len(sizes) >= 5
    assert unknown(sizes, values) == []
    # The test can fail: most numbers with another last digit are nobody's.
    changed = [f"{size[:-1]}{(int(size[-1]) + 5) % 10}" for size in sizes]
    assert len(unknown(changed, values)) > len(changed) / 2


def test_index_takes_its_numbers_from_the_results(project: Path, pages: dict[str, Seen]) -> None:
    rows = [
        row
        for name in REPORTS
        for row in source_rows(project / "results" / name, *SOURCES["tbl-estimates"])
    ]
    shown = pages["index"].tables["tbl-summary"]
    labels = (*LABELS, *CONFIG["datasets"]["simulated"]["simulate"]["groups_per_arm"])
    assert len(shown) == sum(len(rows) - 1 for rows in (ARMS, labels[-2:]))
    for cells in shown:
        numbers = numbers_in(cells, labels)
        assert numbers and any(all(map(row.has, numbers)) for row in rows), cells


# The checks themselves ------------------------------------------------------------------------

GOOD = """<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Good</title></head>
<body><h1 id="top">Good</h1><p><a href="#top">Up</a> 1 < 2 and 5 $.</p>
<figure><table><caption>Numbers.</caption><thead><tr><th>a</th></tr></thead>
<tbody><tr><td>1</td></tr></tbody></table><figcaption>Words.</figcaption></figure>{}</body></html>"""
PIXEL = "data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAA="
FAULTS: list[tuple[str, str]] = [
    ("references", "<p>See <strong>?@fig-x</strong>.</p>"),
    ("references", "<p>See @tbl-x.</p>"),
    ("missing", "<table><tr><td>nan</td></tr></table>"),
    ("missing", "<p>The mean is np.float64(3.0).</p>"),
    ("missing", f'<img src="{PIXEL}" alt="from nan to None">'),
    ("markdown", "<p>So **bold**.</p>"),
    ("markdown", "<p>See [this](that).</p>"),
    ("markdown", "<p>$$ x $$ {#eq-x}</p>"),
    ("markdown", "<p>::: {.callout-note}</p>"),
    ("alt", f'<img src="{PIXEL}">'),
    ("alt", f'<img src="{PIXEL}" alt=" ">'),
    ("images", '<img src="data:image/png;base64,AAAA" alt="Broken">'),
    ("captions", f'<figure><img src="{PIXEL}" alt="A pixel"></figure>'),
    ("captions", "<table><thead><tr><th>a</th></tr></thead></table>"),
    ("headings", "<h3>Too deep</h3>"),
    ("headings", "<h1>Another</h1>"),
    ("tables", "<table><caption>C</caption><tr><td>1</td></tr></table>"),
    ("anchors", '<a href="#nowhere">Lost</a>'),
    ("anchors", '<p id="top">Twice</p>'),
    ("width", '<div style="width: 2000px">Wide</div>'),
    ("clipped", '<div style="width: 50px; overflow: hidden">Incomprehensibilities</div>'),
    ("clipped", '<div style="height: 5px; overflow: hidden">Low</div>'),
    ("clipped", '<p style="margin-left: -50px">Out on the left</p>'),
]


def test_good_page_has_no_problem(tab: Page, tmp_path: Path) -> None:
    path = tmp_path / "good.html"
    path.write_text(GOOD.format(""), encoding="utf-8")
    seen = look(tab, path)
    assert (seen.problems, seen.requests, seen.console) == ({}, [], [])


@pytest.mark.parametrize(("check", "fault"), FAULTS)
def test_fault_is_found(tab: Page, tmp_path: Path, check: str, fault: str) -> None:
    path = tmp_path / "bad.html"
    path.write_text(GOOD.format(fault), encoding="utf-8")
    assert check in look(tab, path, [820]).problems


def test_requests_and_console_are_heard(tab: Page, tmp_path: Path) -> None:
    path = tmp_path / "bad.html"
    script = "console.warn('Careful'); new WebSocket('ws://socket.invalid'); throw Error('Oh');"
    image = '<img src="https://image.invalid/a.png" alt="Elsewhere">'
    path.write_text(GOOD.format(f"{image}<script>{script}</script>"), encoding="utf-8")
    seen = look(tab, path, [820])
    assert {urlsplit(url).hostname for url in seen.requests} == {"image.invalid", "socket.invalid"}
    assert "Careful" in seen.console and any("Uncaught" in text for text in seen.console)
    assert any("ERR_NAME_NOT_RESOLVED" in text for text in seen.console)
    assert seen.problems["images"]


def test_every_check_is_tried() -> None:
    script = (HERE / "audit.js").read_text(encoding="utf-8")
    assert set(re.findall(r'report\("(\w+)"', script)) == set(CHECKS)
    assert {check for check, _ in FAULTS} == set(CHECKS)
