"""Names of columns: what they say (a person, a unit, a point in time), and how they are written."""

from __future__ import annotations

import re

BREAKS = re.compile("[^\\S\\r\\n\\t\u00a0]*[\\r\\n\\t\\v\\f\u0085\u00a0\u2028\u2029]\\s*")
"""White space that holds a line break, a tab or a no-break space."""


def words(text: str) -> frozenset[str]:
    """The words of a text, each once."""
    return frozenset(text.split())


PERSON = words(
    "pupil student patient person participant subject child respondent user customer client member "
    "individual worker employee resident teacher_id caregiver mother woman man infant animal plant "
    "schueler schuelerin patientin proband person_id pid sid uid kunde eleve alumno paciente"
)
"""Words for what is measured itself, and can be measured again."""
TIME = words(
    "time period visit wave phase occasion session week month year day date round step semester "
    "term trimester quarter season measurement timepoint moment trial zeitpunkt welle woche monat "
    "jahr tag besuch messung temps mes ano periodo prepost pre_post"
)
"""Words for when a row was measured."""


def plain_name(text: object) -> str:
    r"""A column's name in one line: line breaks, tabs and no-break spaces count as one space.

    >>> plain_name(" Kosten\n (in EUR) ")
    'Kosten (in EUR)'
    """
    return BREAKS.sub(" ", str(text).strip())
