"""requirements.lock, read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Locked:
    """One package of the lock: its version, where it is installed, and the sha256 of its files."""

    name: str
    version: str
    marker: str
    hashes: tuple[str, ...]


def normalise(name: str) -> str:
    """A package's name as package indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def read_lock(text: str) -> dict[str, Locked]:
    """Every package of the lock, by its normalised name."""
    return {each.name: each for each in _entries(text)}


def _entries(text: str) -> Iterator[Locked]:
    for entry in re.split(r"^(?=[\w.-]+==)", text, flags=re.MULTILINE)[1:]:
        head = entry.partition("\\\n")[0].strip()
        pinned, _, marker = head.partition(";")
        name, _, version = pinned.strip().partition("==")
        hashes = re.findall(r"--hash=sha256:([0-9a-f]{64})", entry)
        yield Locked(normalise(name), version, marker.strip(), tuple(sorted(hashes)))
