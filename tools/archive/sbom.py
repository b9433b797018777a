"""The software bill of materials, in CycloneDX's JSON: what is installed, with the lock's sums."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Mapping
from datetime import datetime
from importlib.metadata import Distribution, distributions
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement

from archive.licences import UnknownLicenceError, field, licence_of
from archive.lock import Locked, normalise, read_lock

SPEC_VERSION = "1.6"
SPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://cyclonedx.org/groupwise")
ROOT = "groupwise"


def bill(
    citation: Mapping[str, Any], lock: str, *, commit: str, moment: datetime
) -> dict[str, Any]:
    """The bill; its serial number and time follow from the commit, so that it is always the same."""
    locked = read_lock(lock)
    installed = {normalise(each.metadata["Name"] or ""): each for each in distributions()}
    installed.pop("", None)
    components = [_component(name, installed[name], locked) for name in sorted(installed)]
    serial = uuid.uuid5(SPACE, commit + repr(components))
    return {
        "bomFormat": "CycloneDX",
        "specVersion": SPEC_VERSION,
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
        "metadata": {"timestamp": moment.isoformat(), "component": _root(citation)},
        "components": components,
        "dependencies": _dependencies(installed, locked),
    }


def _root(citation: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "application",
        "bom-ref": ROOT,
        "name": ROOT,
        "version": str(citation["version"]),
        "description": str(citation["title"]),
        "licenses": [{"expression": citation["license"]}],
    }


def _component(name: str, found: Distribution, locked: Mapping[str, Locked]) -> dict[str, Any]:
    """One package; its hashes are those of all files that the lock admits for this version."""
    entry = locked.get(name)
    pinned = entry is not None and entry.version == found.version
    component: dict[str, Any] = {
        "type": "library",
        "bom-ref": _ref(name, found),
        "name": name,
        "version": found.version,
        "purl": f"pkg:pypi/{name}@{found.version}",
    }
    if summary := field(found, "Summary"):
        component["description"] = " ".join(summary.split())
    try:
        component["licenses"] = [{"expression": licence_of(name, found)}]
    except UnknownLicenceError:  # not one of the lock's packages: said as its metadata say it
        said = " ".join((field(found, "License") or "unknown").split())[:80]
        component["licenses"] = [{"license": {"name": said}}]
    if pinned and entry is not None:
        component["hashes"] = [{"alg": "SHA-256", "content": each} for each in entry.hashes]
    component["properties"] = [{"name": "groupwise:locked", "value": str(pinned).lower()}]
    return component


def _ref(name: str, found: Distribution) -> str:
    return f"{name}@{found.version}"


def _dependencies(
    installed: Mapping[str, Distribution], locked: Mapping[str, Locked]
) -> list[dict[str, Any]]:
    refs = {name: _ref(name, found) for name, found in installed.items()}
    tree = [{"ref": ROOT, "dependsOn": sorted(refs[name] for name in locked if name in refs)}]
    for name, found in sorted(installed.items()):
        needed = {refs[each] for each in _required(found) if each in refs and each != name}
        tree.append({"ref": refs[name], "dependsOn": sorted(needed)})
    return tree


def _required(found: Distribution) -> Iterator[str]:
    """What a package requires here, extras apart."""
    for line in found.requires or ():
        try:
            requirement = Requirement(line)
        except InvalidRequirement:
            requirement = Requirement(re.split(r"[^\w.-]", line)[0])
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            yield normalise(requirement.name)
