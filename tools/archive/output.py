"""A generated file, printed or, by `--write FILE`, put where it stands."""

from __future__ import annotations

import argparse
from pathlib import Path


def print_or_write(text: str, page: str | None) -> None:
    """`page` is what the command says of itself: the docstring of its module."""
    parser = argparse.ArgumentParser(description=(page or "").partition("\n")[0])
    parser.add_argument("--write", type=Path, metavar="FILE")
    target = parser.parse_args().write
    if target is None:
        print(text, end="")
    else:
        target.write_text(text, encoding="utf-8")
