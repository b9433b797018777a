"""Render docs/ as a website in docs/_site, with Quarto or with the preview renderer; `make docs`.

Where there is no Quarto each page is rendered by itself: links between pages lead on, and a line at the
top leads back to the first page. There is no search, and no list of the pages beside the text.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
TITLE = re.compile(r"\A# (.+)\n")
LINK = re.compile(r"(?<=\]\()(?P<page>\w+)\.md(?=[)#])")
PICTURES = (".png", ".svg")


def pages(docs: Path) -> list[Path]:
    """The pages of a folder, sorted."""
    return sorted(docs.glob("*.md"))


def as_document(page: Path) -> str:
    """A page for the preview renderer: its heading as the title, its links to HTML."""
    text = page.read_text(encoding="utf-8")
    match = TITLE.match(text)
    if match is None:
        raise ValueError(f"{page}: its first line is no heading")
    title = json.dumps(match[1], ensure_ascii=False)
    home = "" if page.stem == "index" else "[Groupwise](index.html)\n"
    body = LINK.sub(r"\g<page>.html", text[match.end() :])
    return f"---\ntitle: {title}\n---\n\n{home}{body}"


def preview_site(docs: Path, site: Path) -> Iterator[Path]:
    """Render each page; yields those made."""
    sys.path.append(str(ROOT / "tools"))
    import preview

    with tempfile.TemporaryDirectory(prefix="groupwise-docs-") as name:
        stage = Path(name)
        for file in docs.iterdir():
            if file.suffix in PICTURES or file.name == "_quarto.yml":
                shutil.copy(file, stage)
        for page in pages(docs):
            document = stage / f"{page.stem}.qmd"
            document.write_text(as_document(page), encoding="utf-8")
            output = site / f"{page.stem}.html"
            preview.render(document, output, parameters={}, metadata={})
            yield output


def main() -> None:
    """Render all pages, and say where they are."""
    site, quarto = DOCS / "_site", shutil.which("quarto")
    if quarto is not None:
        done = subprocess.run([quarto, "render", str(DOCS)], check=False)
        if done.returncode != 0:
            sys.exit("groupwise: Quarto could not render docs/: it says why above.")
    else:
        shutil.rmtree(site, ignore_errors=True)
        made = list(preview_site(DOCS, site))
        print(f"{len(made)} pages by the preview renderer, as there is no Quarto (`make quarto`)")
    print("Open docs/_site/index.html")


if __name__ == "__main__":
    main()
