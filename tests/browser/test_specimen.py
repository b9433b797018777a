"""One page with every piece of markup that a report may use, as its readers use it."""

from __future__ import annotations

import base64
import csv
import io
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import rendering
from devtools import NAMES, Browser, Page, find_browser
from matplotlib import image
from reading import (
    AXE,
    BACKGROUND,
    FOCUS_ORDER,
    THEMES,
    axe_problems,
    press,
    print_problems,
)
from renderers import RENDERERS

import preview
from groupwise.svg import dark, themed

HERE = Path(__file__).parent
REPORTS = HERE.parents[1] / "reports"
WIDTHS = (390, 820, 1400)
TAB, ENTER, RIGHT = 9, 13, 39
PICTURE = themed(
    '<svg xmlns="http://www.w3.org/2000/svg" width="200" height="100"><style></style>'
    '<rect width="200" height="100" style="fill: #ffffff"/></svg>'
)

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(find_browser() is None, reason=f"no browser: none of {', '.join(NAMES)}"),
]
needs_axe = pytest.mark.skipif(
    not AXE.is_file(), reason="no axe-core: `npm install --no-save axe-core` brings it"
)


def staged(folder: Path) -> Path:
    """The specimen in a folder with what belongs to every report."""
    for name in rendering.SHARED:
        shutil.copy(REPORTS / name, folder)
    shutil.copy(HERE / "specimen.qmd", folder)
    (folder / "picture.svg").write_text(PICTURE, encoding="utf-8")
    return folder / "specimen.qmd"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    qmd = staged(tmp_path_factory.mktemp("specimen"))
    settings = {"PYTHONPATH": os.fspath(rendering.SCRIPTS)}
    preview.render(qmd, qmd.with_suffix(".html"), parameters={}, metadata={}, env=settings)
    return qmd.with_suffix(".html")


@pytest.fixture(scope="module", params=RENDERERS)
def themed_page(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The specimen by the preview, and where there is a Quarto also by that."""
    if request.param is None:
        preview_page: Path = request.getfixturevalue("page")
        return preview_page
    qmd = staged(tmp_path_factory.mktemp("quarto"))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(qmd.parent)
        rendering.render_page(
            qmd, qmd.with_suffix(".html"), datasets=[], parameters={}, quarto=request.param
        )
    return qmd.with_suffix(".html")


@pytest.fixture(scope="module")
def tab() -> Iterator[Page]:
    executable = find_browser()
    assert executable is not None
    with Browser(executable) as browser:
        yield browser.new_page()


@pytest.fixture
def opened(tab: Page, page: Path) -> Page:
    tab.prefer("light")
    tab.resize(1400)
    tab.open(page)
    return tab


def cells(tab: Page, column: int) -> list[str]:
    rows = "[...document.querySelectorAll('#tbl-sorted tbody tr')]"
    found: list[str] = tab.evaluate(f"{rows}.map((row) => row.cells[{column}].textContent)")
    return found


@needs_axe
@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_no_barrier(tab: Page, page: Path, width: int, theme: str) -> None:
    tab.resize(width)
    tab.prefer(theme)
    tab.open(page)
    assert axe_problems(tab) == []


@needs_axe
def test_a_barrier_is_found(tab: Page, tmp_path: Path) -> None:
    path = tmp_path / "bad.html"
    path.write_text("<title>Bad</title><p style='color: #ddd'>Pale</p><img src='data:,'>", "utf-8")
    tab.open(path)
    found = {problem.partition(":")[0] for problem in axe_problems(tab)}
    assert {"color-contrast", "html-has-lang", "image-alt"} <= found


def test_nothing_is_cut_off_on_paper(opened: Page) -> None:
    found = print_problems(opened)
    # Fourteen columns are more than a sheet holds; all else fits.
    assert [problem for problem in found if "column 0" not in problem] == []
    assert opened.pdf().startswith(b"%PDF-")


# Themes ------------------------------------------------------------------------------------------


def page_color(tab: Page) -> str:
    parts = re.findall(r"\d+", tab.evaluate(BACKGROUND))
    return "#" + "".join(f"{int(part):02x}" for part in parts[:3])


@pytest.mark.parametrize(("theme", "color"), [("light", "#ffffff"), ("dark", dark("#ffffff"))])
def test_the_page_has_the_colour_of_its_pictures(
    tab: Page, themed_page: Path, theme: str, color: str
) -> None:
    tab.prefer(theme)
    tab.open(themed_page)
    assert page_color(tab) == color
    assert picture_color(tab) == color


def picture_color(tab: Page) -> str:
    """The middle of the picture, as the browser paints it."""
    box = tab.evaluate(
        "(() => { const b = document.querySelector('#fig-one img').getBoundingClientRect();"
        " return {x: b.x + scrollX + 20, y: b.y + scrollY + 20, width: 8, height: 8, scale: 1} })()"
    )
    shot = tab.send("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=box)
    pixels = image.imread(io.BytesIO(base64.b64decode(shot["data"])))
    return "#" + "".join(f"{round(255 * float(part)):02x}" for part in pixels[4, 4, :3])


def test_a_reader_switches_the_theme_by_keyboard(tab: Page, themed_page: Path) -> None:
    tab.prefer("light")
    tab.open(themed_page)
    for theme, color in (("dark", dark("#ffffff")), ("light", "#ffffff")):
        assert tab.evaluate("document.querySelector('.theme-switch').textContent").lower() == (
            f"{theme} theme"
        )
        tab.evaluate("document.querySelector('.theme-switch').focus()")
        press(tab, "Enter", ENTER)
        assert page_color(tab) == color
        assert picture_color(tab) == color
    tab.evaluate("localStorage.clear()")  # it is kept, for the next page too


@needs_axe
@pytest.mark.parametrize("theme", THEMES)
def test_texts_have_contrast(tab: Page, themed_page: Path, theme: str) -> None:
    tab.prefer(theme)
    tab.open(themed_page)
    tab.evaluate("for (const fold of document.querySelectorAll('details')) fold.open = true; 0")
    assert [line for line in axe_problems(tab) if line.startswith("color-contrast:")] == []


SAME = """
(() => {
    const colours = {};
    for (const [place, node] of document.querySelectorAll("body, body *").entries())
        for (const part of ["", "::before", "::after"]) {
            const style = getComputedStyle(node, part || null);
            if (part && ["none", "normal"].includes(style.content)) continue;
            const texts = [...node.childNodes].filter((child) => child.nodeType === 3);
            const words = part || texts.some((text) => text.data.trim());
            const shown = words ? ["color", "backgroundColor"] : ["backgroundColor"];
            for (const side of ["Top", "Right", "Bottom", "Left"])
                if (parseFloat(style[`border${side}Width`])) shown.push(`border${side}Color`);
            for (const name of shown)
                if (!style[name].startsWith("rgba(0, 0, 0, 0"))
                    colours[`${place} ${node.localName}.${node.className}${part} ${name}`] = style[name];
        }
    return colours;
})()"""


def test_no_colour_is_the_same_in_the_light_and_in_the_dark(tab: Page, themed_page: Path) -> None:
    """A colour of the framework that the theme does not know would be."""
    colours = {}
    for theme in THEMES:
        tab.prefer(theme)
        tab.open(themed_page)
        colours[theme] = tab.evaluate(SAME)
    light, night = colours["light"], colours["dark"]
    assert len(light) > 150
    assert [f"{place}: {light[place]}" for place in light if night.get(place) == light[place]] == []


def test_paper_is_white_in_the_dark_too(tab: Page, themed_page: Path) -> None:
    tab.prefer("dark")
    tab.open(themed_page)
    tab.send("Emulation.setEmulatedMedia", media="print")
    try:
        assert page_color(tab) == "#ffffff"
    finally:
        tab.send("Emulation.setEmulatedMedia", media="")


# The keyboard ------------------------------------------------------------------------------------


def test_every_control_is_reached_by_tab_and_shows_it(opened: Page) -> None:
    expected = opened.evaluate(FOCUS_ORDER)
    reached, outlined = [], []
    for _ in expected:
        press(opened, "Tab", TAB)
        reached.append(opened.evaluate("document.activeElement.outerHTML.slice(0, 120)"))
        style = "getComputedStyle(document.activeElement).outlineStyle"
        outlined.append(opened.evaluate(style))
    assert "skip-link" in reached[0]
    assert sorted(reached) == sorted(expected)
    assert set(outlined) == {"solid"}


def test_skip_link_leads_to_the_content(opened: Page) -> None:
    press(opened, "Tab", TAB)
    press(opened, "Enter", ENTER)
    assert opened.evaluate("location.hash") == "#content"


def test_a_wide_table_scrolls_by_keyboard(opened: Page) -> None:
    opened.resize(390)
    box = "document.querySelector('#tbl-wide .table-scroll')"
    opened.evaluate(f"{box}.focus()")
    for _ in range(5):
        press(opened, "ArrowRight", RIGHT)
    opened.evaluate("new Promise((done) => setTimeout(done, 400))")
    assert opened.evaluate(f"{box}.scrollLeft") > 50
    assert opened.evaluate("scrollX") == 0


def test_a_folded_box_opens_by_keyboard(opened: Page) -> None:
    body = "document.querySelector('.fold-note .fold-body')"
    assert not opened.evaluate(f"{body}.checkVisibility()")
    opened.evaluate("document.querySelector('.fold-note summary').focus()")
    press(opened, "Enter", ENTER)
    assert opened.evaluate(f"{body}.checkVisibility()")


# Tables ------------------------------------------------------------------------------------------


def test_a_table_sorts_up_down_and_back(opened: Page) -> None:
    before = cells(opened, 0)
    head = "document.querySelectorAll('#tbl-sorted thead th')[1]"
    orders, columns = [], []
    for _ in range(3):
        opened.evaluate(f"{head}.querySelector('button').click()")
        orders.append(opened.evaluate(f"{head}.getAttribute('aria-sort')"))
        columns.append(cells(opened, 1))
    assert orders == ["ascending", "descending", "none"]
    up = ["−1.50", "0.00", "<0.001", "1.25", "3.00", "4.00", "7.00", "11.00", "20.00", "–"]
    assert columns[0] == up
    # What is no number stays last.
    assert columns[1] == [*reversed(up[:-1]), "–"]
    assert cells(opened, 0) == before


def test_short_tables_are_not_sorted(opened: Page) -> None:
    assert opened.evaluate("document.querySelectorAll('#tbl-short button.sort').length") == 0


def test_a_table_is_copied_for_a_spreadsheet(opened: Page) -> None:
    opened.evaluate("navigator.clipboard.writeText = async (text) => { window.copied = text; }")
    opened.evaluate("document.querySelector('#tbl-sorted + .data-link .copy').click()")
    lines = opened.evaluate("window.copied").split("\n")
    assert lines[0] == "method\testimate" and lines[1] == "m0\t3.00" and len(lines) == 11


def test_the_data_of_a_table_and_a_figure_can_be_saved(opened: Page) -> None:
    script = "[...document.querySelectorAll('a[download]')].map((a) => [a.download, a.href])"
    links = dict(opened.evaluate(script))
    assert set(links) == {"estimates.csv", "figure.csv"}
    for address in links.values():
        head, _, content = urlsplit(address).path.partition(",")
        assert head == "text/csv;charset=utf-8;base64"
        rows = list(csv.reader(io.StringIO(base64.b64decode(content).decode())))
        assert rows[0] == ["method", "estimate"] and rows[2] == ["m1", "-1.5"] and len(rows) == 9


def test_data_too_large_for_the_page_are_named_by_their_path(opened: Page) -> None:
    assert "Data: results/x/wide.csv" in opened.evaluate("document.body.innerText")


def test_what_is_for_paper_is_not_on_the_screen(opened: Page) -> None:
    text = opened.evaluate("document.body.innerText")
    assert "Only on a screen." in text and "Only on paper." not in text
