"""What the name of a column says: a person, a place that holds groups, a point in time."""

from __future__ import annotations

import re


def words(text: str) -> frozenset[str]:
    """The words of a text, each once."""
    return frozenset(text.split())


PERSON = words(
    "pupil student patient person participant subject child respondent user customer client member "
    "individual worker employee resident teacher_id caregiver mother woman man infant animal plant "
    "schueler schuelerin patientin proband person_id pid sid uid kunde eleve alumno paciente"
)
"""Words for what is measured itself, and can be measured again."""
UNIT = words(
    "center centre site school clinic hospital practice region district county country state city "
    "town village ward block stratum department faculty organisation organization company firm "
    "station farm field lab laboratory cohort household family neighbourhood neighborhood classroom "
    "class zentrum schule klinik praxis ort land kreis ecole hopital centro escuela"
)
"""Words for what holds groups."""
TIME = words(
    "time period visit wave phase occasion session week month year day date round step semester "
    "term trimester quarter season measurement timepoint moment trial zeitpunkt welle woche monat "
    "jahr tag besuch messung temps mes ano periodo prepost pre_post"
)
"""Words for when a row was measured."""


def sounds(name: object, words: frozenset[str]) -> bool:
    """Whether one of the words, also in the plural, stands in a column's name, or is the name."""
    text = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", str(name)).casefold()
    parts = {part for part in re.split(r"[\W_\d]+", text) if part} | {text}
    return not words.isdisjoint(parts | {part.removesuffix("s") for part in parts})
