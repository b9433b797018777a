"""Read what the reports show: results/ and nothing else."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from job import read_json, read_result

from groupwise.catalogue.tables import SHOWN, file_of
from groupwise.report.facts import Facts
from groupwise.report.study import StudyFacts


def load(dataset: str, results: str | Path = "results") -> Facts:
    """The facts of one dataset, from its folder below `results`."""
    folder = Path(results) / dataset
    truth = folder / "truth.json"
    return Facts(
        design=read_json(folder / "design.json"),
        results={name: read_result(folder / file_of(name), name) for name in SHOWN},
        provenance=read_json(folder / "provenance.json"),
        alt=alt_texts(folder),
        verdict=read_json(folder / "verdict.json"),
        calibration=read_json(folder / "calibration.json"),
        truth=read_json(truth) if truth.is_file() else None,
    )


def load_families(results: str | Path = "results") -> pd.DataFrame:
    """P-values adjusted for the outcomes and subsets that are tested together."""
    return read_result(Path(results) / "families.csv", "families")


def load_study(name: str, results: str | Path = "results") -> StudyFacts:
    """The general study, from its folder below `results`."""
    folder = Path(results) / name
    return StudyFacts(
        rates=read_result(folder / "rates.csv", "study_rates"),
        overview=read_json(folder / "study.json"),
        alt=alt_texts(folder),
    )


def alt_texts(folder: Path) -> dict[str, str]:
    """What each figure of a folder shows, in words, by the figure's name."""
    return {
        path.stem: path.read_text(encoding="utf-8") for path in (folder / "figures").glob("*.txt")
    }
