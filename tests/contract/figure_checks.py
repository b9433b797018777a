"""What is asked of every figure, whatever it shows."""

from __future__ import annotations

import re

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text
from plotnine import theme

from groupwise.figures import Figure

STARTS = {"png": b"\x89PNG\r\n\x1a\n", "svg": b"<?xml"}


def check_text(drawn: Figure) -> None:
    """Text is neither cut off nor on top of other text."""
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
        texts, extents = [text for text, _ in boxes], np.array([box.extents for _, box in boxes])
        assert [(texts[i], texts[j]) for i, j in overlapping(extents.reshape(-1, 4))] == []
    finally:
        plt.close(figure)


def overlapping(extents: np.ndarray) -> list[tuple[int, int]]:
    """Pairs of boxes (N, 4), x0, y0, x1, y1, that overlap by more than a pixel.

    The same text twice in one place is one text.
    """
    low, high = extents[:, :2], extents[:, 2:]
    both = np.minimum(high[:, None], high) - np.maximum(low[:, None], low)
    same = (np.abs(extents[:, None] - extents) <= 1).all(axis=-1)
    return [(i, j) for i, j in np.argwhere((both > 1).all(axis=-1) & ~same).tolist() if i < j]


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
