"""Every figure, on every kind of data: it is drawn, the same each time, and says what it shows."""

from __future__ import annotations

import hashlib
import itertools
import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import hard_cases
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text
from matplotlib.transforms import Bbox
from plotnine import theme

from groupwise import figures

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "workflow" / "scripts"
NAMES = sorted(
    path.stem
    for path in (SCRIPTS / "groupwise" / "figures").glob("*.py")
    if path.stem not in ("__init__", "style")
)
STARTS = {"png": b"\x89PNG\r\n\x1a\n", "svg": b"<?xml"}
# Every figure of one experiment is drawn again in another process.
AGAIN = "usual"


@cache
def tables(case: str) -> figures.Tables:
    made = hard_cases.make(case)
    return figures.Tables(
        data=made.data,
        design=made.design,
        results=made.results,
        headline="mixed_wald",
        truth=made.truth,
    )


def digests(case: str) -> dict[str, str]:
    """A hash of each figure's bytes; called here and, by `test_other_process`, elsewhere."""
    found = {}
    for name in NAMES:
        figure = figures.draw(name, tables(case))
        for kind in ("svg", "png"):
            content = figures.render(figure, kind)
            assert len(content) > 5_000 and content.startswith(STARTS[kind])
            found[f"{name}.{kind}"] = hashlib.sha256(content).hexdigest()
    return found


@pytest.mark.parametrize("case", hard_cases.RECIPES)
@pytest.mark.parametrize("name", NAMES)
def test_figure_is_drawn_and_described(name: str, case: str) -> None:
    figure = figures.draw(name, tables(case))
    svg = figures.render(figure, "svg")
    check_svg(svg.decode())
    check_alt(figure.alt, needs_number=case != "failed")


@pytest.mark.parametrize("case", ["many_groups", "failed"])
@pytest.mark.parametrize("name", NAMES)
def test_same_svg_each_time(name: str, case: str) -> None:
    first, second = (figures.render(figures.draw(name, tables(case)), "svg") for _ in range(2))
    assert first == second


@pytest.mark.parametrize(
    "case",
    ["usual", "many_arms", "long_labels", "long_groups", "blocked", "within", "some_within"],
)
@pytest.mark.parametrize("name", NAMES)
def test_text_is_neither_cut_off_nor_on_top_of_other_text(name: str, case: str) -> None:
    drawn = figures.draw(name, tables(case))
    figure = (drawn.plot + theme(figure_size=(drawn.width, drawn.height))).draw()
    try:
        FigureCanvasAgg(figure).draw()
        page = figure.bbox
        words = [word for word in figure.findobj(Text) if word.get_visible()]
        boxes = [(word.get_text(), word.get_window_extent()) for word in words]
        boxes = [(text, box) for text, box in boxes if text.strip() and box.width]
        cut = [
            t
            for t, b in boxes
            if b.x0 < -1 or b.x1 > page.x1 + 1 or b.y0 < -1 or b.y1 > page.y1 + 1
        ]
        assert cut == []
        pairs = itertools.combinations(boxes, 2)
        assert [(a, b) for (a, one), (b, other) in pairs if overlap(one, other)] == []
    finally:
        plt.close(figure)


def overlap(one: Bbox, other: Bbox) -> bool:
    """By more than a pixel; the same text twice in one place is one text."""
    both = Bbox.intersection(one, other)
    same = np.allclose(one.extents, other.extents, atol=1)
    return both is not None and both.width > 1 and both.height > 1 and not same


def check_svg(svg: str) -> None:
    assert "<svg" in svg and svg.rstrip().endswith("</svg>")
    assert not re.search(r"<script|<dc:date|<text", svg)
    assert not re.search(r"\bnan\b", svg)
    loaded = re.findall(r"(?:href|src)\s*=\s*[\"']([^\"']{0,40})|url\(([^)]{0,40})", svg)
    targets = {first or second for first, second in loaded}
    assert [target for target in targets if not target.startswith(("#", "data:"))] == []


def check_alt(alt: str, *, needs_number: bool) -> None:
    assert alt == alt.strip() and "\n" not in alt
    assert alt.endswith(".") and len(alt) > 20
    assert not re.search(r"\b(nan|NaN|None|inf)\b|np\.", alt)
    if needs_number:
        assert re.search(r"\d", alt)


@pytest.mark.parametrize("case", hard_cases.RECIPES)
@pytest.mark.parametrize("name", NAMES)
def test_figure_has_a_size_that_a_page_can_show(name: str, case: str) -> None:
    figure = figures.draw(name, tables(case))
    assert 4 <= figure.width <= 10
    assert 2 <= figure.height <= 60


def test_figure_does_not_change_its_tables() -> None:
    before = {name: table.copy() for name, table in tables(AGAIN).results.items()}
    for name in NAMES:
        figures.draw(name, tables(AGAIN))
    assert all(table.equals(before[name]) for name, table in tables(AGAIN).results.items())


def test_other_process_draws_the_same_bytes() -> None:
    code = f"import json, test_figures; print(json.dumps(test_figures.digests({AGAIN!r})))"
    path = os.pathsep.join([str(SCRIPTS), str(Path(__file__).parent)])
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env=os.environ | {"PYTHONHASHSEED": "12345", "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.strip() == str(digests(AGAIN)).replace("'", '"')
