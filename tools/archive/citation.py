"""Zenodo's metadata, made from CITATION.cff: where both exist, Zenodo reads .zenodo.json alone.

python -m archive.citation --write .zenodo.json
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

SOURCE = "CITATION.cff"


def read_citation(text: str) -> dict[str, Any]:
    """CITATION.cff as a mapping; its date is text, as JSON knows no dates."""
    citation: dict[str, Any] = yaml.safe_load(text)
    return citation | {"date-released": str(citation["date-released"])}


def zenodo(citation: Mapping[str, Any]) -> dict[str, Any]:
    """What .zenodo.json says: the same title, authors, licence, version and keywords."""
    return {
        "title": citation["title"],
        "description": " ".join(citation["abstract"].split()),
        "upload_type": citation["type"],
        "access_right": "open",
        "license": citation["license"],
        "version": citation["version"],
        "publication_date": citation["date-released"],
        "creators": [creator(author) for author in citation["authors"]],
        "keywords": list(citation["keywords"]),
    }


def creator(author: Mapping[str, str]) -> dict[str, str]:
    """A person as `Family, Given`, a group by its name."""
    kept = {key: author[key] for key in ("orcid", "affiliation") if key in author}
    if "orcid" in kept:
        kept["orcid"] = kept["orcid"].rpartition("/")[2]
    return {"name": author_name(author)} | kept


def author_name(author: Mapping[str, str]) -> str:
    """The name under which an author is cited."""
    parts = [author.get("family-names", ""), author.get("given-names", "")]
    return author.get("name") or ", ".join(filter(None, parts))


def main() -> None:
    """Print the metadata, or write them into a file."""
    citation = read_citation(Path(SOURCE).read_text(encoding="utf-8"))
    text = json.dumps(zenodo(citation), indent=2, ensure_ascii=False) + "\n"
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--write", type=Path, metavar="FILE")
    target = parser.parse_args().write
    if target is None:
        print(text, end="")
    else:
        target.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
