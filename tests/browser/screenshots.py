"""Picture every rendered page at three widths, light and dark: `make screenshots`.

Writes reports/rendered/screenshots/{page}-{width}-{theme}.png, or says why it cannot.
"""

from __future__ import annotations

import sys
from itertools import product
from pathlib import Path

from devtools import NAMES, Browser, find_browser

RENDERED = Path(__file__).parents[2] / "reports" / "rendered"
WIDTHS = (390, 820, 1400)
THEMES = ("light", "dark")


def picture_pages(pages: list[Path], folder: Path, executable: str) -> None:
    """One PNG per page, width and theme, each of the whole page."""
    folder.mkdir(exist_ok=True)
    with Browser(executable) as browser:
        tab = browser.new_page()
        for page, width, theme in product(pages, WIDTHS, THEMES):
            tab.resize(width)
            tab.prefer(theme)
            tab.open(page)
            (folder / f"{page.stem}-{width}-{theme}.png").write_bytes(tab.screenshot())


def main() -> str | None:
    """Picture all pages; the reason if that is not possible."""
    pages = sorted(RENDERED.glob("*.html"))
    if not pages:
        return "There is no page in reports/rendered: run `make report` first."
    executable = find_browser()
    if executable is None:
        return f"There is no browser: install one of {', '.join(NAMES)}."
    picture_pages(pages, RENDERED / "screenshots", executable)
    print(f"{len(pages) * len(WIDTHS) * len(THEMES)} pictures in reports/rendered/screenshots")
    return None


if __name__ == "__main__":
    sys.exit(main())
