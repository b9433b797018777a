"""What the project says of its licences, its citation and its tools agrees with what they are."""

from __future__ import annotations

import json
import re
import subprocess
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import pytest
import yaml

from archive import citation, licences, roc, sbom
from archive.lock import normalise, read_lock

ROOT = Path(__file__).parents[2]
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
CITED = citation.read_citation((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
INSTALLED = {normalise(each.metadata["Name"] or ""): each.version for each in distributions()}
REWRITE = "run `PYTHONPATH=tools:workflow/scripts .venv/bin/python -m archive."


@cache
def bill() -> dict[str, Any]:
    return sbom.bill(CITED, LOCK, commit="c" * 40, moment=MOMENT)


def listed() -> dict[str, list[str]]:
    """The rows of docs/licences.md by package."""
    text = (ROOT / "docs" / "licences.md").read_text(encoding="utf-8")
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()]
    return {row[0]: row for row in rows if len(row) == 5 and row[0] not in ("package", "---")}


def test_every_locked_package_is_listed_with_its_version() -> None:
    said = {name: row[1] for name, row in listed().items()}
    fix = f"{REWRITE}licences --write docs/licences.md`"
    assert said == {name: each.version for name, each in read_lock(LOCK).items()}, fix


def test_every_licence_is_the_packages_own_and_lets_our_source_be_mit() -> None:
    """What is not installed here, for another system or Python, is listed by hand."""
    found = {each.name: licence for each, licence in licences.rows(LOCK)}
    for name, (_, _, licence, kind, _) in listed().items():
        assert "; ".join(licences.kinds(licence)) == kind, name
        assert found[name] == licence, name
        assert name in INSTALLED or licence == licences.ELSEWHERE[name]


@pytest.mark.parametrize("expression", ["GPL-3.0-only", "MIT AND AGPL-3.0-only", "Proprietary"])
def test_licence_that_was_not_read_is_refused(expression: str) -> None:
    with pytest.raises(licences.UnknownLicenceError, match="not known to be compatible"):
        licences.kinds(expression)


def test_package_of_unknown_licence_is_refused() -> None:
    with pytest.raises(licences.UnknownLicenceError, match="nobody: not installed here"):
        licences.licence_of("nobody", None)


def test_zenodo_is_made_from_the_citation() -> None:
    made = json.loads((ROOT / ".zenodo.json").read_text(encoding="utf-8"))
    assert made == citation.zenodo(CITED), f"{REWRITE}citation --write .zenodo.json`"
    assert made["license"] in (ROOT / "LICENSE").read_text(encoding="utf-8")


def test_people_are_cited_by_family_name_and_orcid() -> None:
    author = {
        "family-names": "Lovelace",
        "given-names": "Ada",
        "orcid": "https://orcid.org/0000-0001-2345-6789",
    }
    made = citation.creator(author)
    assert made == {"name": "Lovelace, Ada", "orcid": "0000-0001-2345-6789"}


def test_bill_lists_what_is_installed_with_the_sums_of_the_lock() -> None:
    found = {each["name"]: each for each in bill()["components"]}
    assert {name: each["version"] for name, each in found.items()} == {
        name: version for name, version in INSTALLED.items() if name
    }
    locked = read_lock(LOCK)
    for name, each in found.items():
        assert each["purl"] == f"pkg:pypi/{name}@{each['version']}"
        pinned = name in locked and locked[name].version == each["version"]
        sums = tuple(entry["content"] for entry in each.get("hashes", ()))
        assert sums == (locked[name].hashes if pinned else ())
    assert len([each for each in found.values() if "hashes" in each]) > 50


def test_bill_has_what_cyclonedx_requires_and_says_what_needs_what() -> None:
    made = bill()
    assert (made["bomFormat"], made["specVersion"], made["version"]) == ("CycloneDX", "1.6", 1)
    assert re.fullmatch(r"urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", made["serialNumber"])
    refs = [each["bom-ref"] for each in made["components"]]
    assert len(refs) == len(set(refs))
    tree = {each["ref"]: each["dependsOn"] for each in made["dependencies"]}
    assert set(tree) == {*refs, "groupwise"}
    assert {each for below in tree.values() for each in below} <= set(refs)
    pandas = next(ref for ref in refs if ref.startswith("pandas@"))
    assert any(each.startswith("numpy@") for each in tree[pandas])


def test_bill_is_always_the_same() -> None:
    assert bill() == sbom.bill(CITED, LOCK, commit="c" * 40, moment=MOMENT)
    other = sbom.bill(CITED, LOCK, commit="d" * 40, moment=MOMENT)
    assert other["serialNumber"] != bill()["serialNumber"]


def test_validator_has_hashes_and_no_address() -> None:
    text = (ROOT / "requirements-crate.txt").read_text(encoding="utf-8")
    pinned = read_lock(text)
    assert {"roc-validator", "cyclonedx-python-lib"} <= set(pinned)
    assert all(each.hashes for each in pinned.values())
    assert "://" not in text and "--index" not in text


def test_archive_names_its_tolerances_by_columns_that_there_are() -> None:
    from groupwise import tidy

    path = ROOT / "tools" / "archive" / "tolerances.yaml"
    declared = yaml.safe_load(path.read_text(encoding="utf-8"))["columns"]
    columns = {column for table in tidy.TABLES.values() for column in table}
    assert set(declared) <= columns


VALIDATE = """
import sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(sys.stdin.read())
sys.exit(0 if error is None else str(error)[:500])
"""


@pytest.mark.skipif(
    roc.python_with_validator() is None, reason=f"CycloneDX's schema is not installed: {roc.HOW}"
)
@pytest.mark.parametrize("whole", [True, False], ids=["ours", "without versions"])
def test_bill_follows_the_schema_of_cyclonedx(whole: bool) -> None:
    made = bill() if whole else bill() | {"components": [{"version": "1"}]}
    python = roc.python_with_validator()
    assert python is not None
    done = subprocess.run(
        [python, "-c", VALIDATE],
        input=json.dumps(made),
        text=True,
        capture_output=True,
        check=False,
    )
    assert (done.returncode == 0) == whole, done.stderr
    assert whole or "'type' is a required property" in done.stderr
