"""Find what would make a page run code or load something when a reader opens it."""

import re
from html.parser import HTMLParser

FORBIDDEN = ("script", "link", "iframe", "object", "embed", "base")
LOADING = ("src", "srcset", "poster", "data", "background")
CSS_LOADS = re.compile(r"@import|url\(\s*['\"]?(?!data:|#)", re.IGNORECASE)


def violations(html: str, included: str = "") -> list[str]:
    """Reasons why `html` is not a self-contained page; empty if it is one.

    Its only scripts are those written out in `included`.
    """
    parser = _Checker(scripts_of(included))
    parser.feed(html)
    parser.close()
    return parser.problems


def scripts_of(html: str) -> set[str]:
    """The texts of scripts that are written out."""
    return {text.strip() for text in re.findall(r"<script>(.*?)</script>", html, re.DOTALL)}


class _Checker(HTMLParser):
    def __init__(self, scripts: set[str]) -> None:
        super().__init__()
        self.problems: list[str] = []
        self.scripts = scripts
        self.within = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.within = tag
        if tag in FORBIDDEN and (tag != "script" or attrs):
            self.problems.append(f"it contains a <{tag}> element")
        for name, value in attrs:
            self._check_attribute(tag, name, value or "")

    def handle_endtag(self, tag: str) -> None:
        self.within = ""

    def handle_data(self, data: str) -> None:
        if self.within == "script" and data.strip() not in self.scripts:
            self.problems.append("it contains a <script> element")
        if self.within == "style" and CSS_LOADS.search(data):
            self.problems.append("a style sheet loads another file")

    def _check_attribute(self, tag: str, name: str, value: str) -> None:
        loads = name in LOADING or (tag in ("image", "use") and name.endswith("href"))
        if loads and not value.startswith(("data:", "#")):
            self.problems.append(f"'{value}' could not be embedded")
        if name.startswith("on"):
            self.problems.append(f"<{tag}> has the script attribute {name}")
        if name == "style" and CSS_LOADS.search(value):
            self.problems.append(f"the style of <{tag}> loads another file")
