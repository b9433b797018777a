"""Names of columns as they are written in a line."""

from __future__ import annotations

import re

BREAKS = re.compile("[^\\S\\r\\n\\t\u00a0]*[\\r\\n\\t\\v\\f\u0085\u00a0\u2028\u2029]\\s*")
"""White space that holds a line break, a tab or a no-break space."""


def plain_name(text: object) -> str:
    r"""A column's name in one line: line breaks, tabs and no-break spaces count as one space.

    >>> plain_name(" Kosten\n (in EUR) ")
    'Kosten (in EUR)'
    """
    return BREAKS.sub(" ", str(text).strip())
