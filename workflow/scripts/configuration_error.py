"""The error of a mistake in a configuration file, or in the list of checksums."""

from __future__ import annotations

from groupwise.data.errors import sentence


class ConfigError(ValueError):
    """A mistake in a configuration file."""

    def __init__(self, file: str, key: str, problem: str, fix: str) -> None:
        super().__init__(sentence(*filter(None, (file, key)), problem, fix))
