"""How often every method rejects a true null where groups differ in size."""

from __future__ import annotations

from groupwise.figures import Figure
from groupwise.figures.study import StudyTables
from groupwise.figures.study.type_one_error import heat_map
from groupwise.figures.style import WIDTH, sentence


def draw(tables: StudyTables) -> Figure:
    """Heat map of type I error for the designs of the most unequal group sizes."""
    imbalance = tables.rates["imbalance"]
    if imbalance.nunique() == 1:
        text = f"Groups were simulated with one spread of sizes only, {imbalance.iloc[0]:g}."
        return Figure(sentence(text), WIDTH, 2, text)
    return heat_map(tables, float(imbalance.max()))
