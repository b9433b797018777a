"""The one error that a user of `make archive` or `make verify` sees, as a sentence."""

from __future__ import annotations

from groupwise.data.errors import sentence


class ArchiveError(ValueError):
    """What is wrong, where, and what to do about it."""

    def __init__(self, where: str, problem: str, fix: str) -> None:
        super().__init__(sentence(where, problem, fix))
