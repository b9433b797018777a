"""What a caller of the preview renderer has to catch, and how it warns."""

import sys


class PreviewError(Exception):
    """The page could not be made; the message is one sentence that says where and why."""


def warn(message: str) -> None:
    """Write a warning to standard error, where Quarto writes its own."""
    print(f"WARNING: {message}", file=sys.stderr)
