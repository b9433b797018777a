"""The same inputs give the same bytes, whatever machine, folder and settings a run is made with.

One run differs from the first in everything at once. Where its results are the same, no single thing
mattered; where one file differs, each test makes that file again with one thing changed, and so names
the cause.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_project import ELSEWHERE, MADE_ELSEWHERE, Project

pytestmark = pytest.mark.slow
INDEX = "reports/rendered/index.html"


def differing(finished: Project, elsewhere: Project) -> list[str]:
    """Results and pages made elsewhere that are not the same, byte for byte."""
    expected = finished.made()
    return [name for name, digest in elsewhere.made().items() if expected.get(name) != digest]


def test_results_are_the_same_elsewhere(finished: Project, elsewhere: Project) -> None:
    made = elsewhere.made()
    assert {name for name in finished.made() if "drawn" in name} <= made.keys()
    assert made.keys() >= set(MADE_ELSEWHERE)
    assert differing(finished, elsewhere) == []


def test_index_is_the_same_elsewhere(finished: Project, copied: Project) -> None:
    (copied.folder / INDEX).unlink()
    env = {key: value for each in ELSEWHERE.values() for key, value in each.env.items()}
    run = copied.make_report(env=env)
    assert run.code == 0 and run.console.startswith("1 job to run"), run.console
    assert copied.read(INDEX) == finished.read(INDEX)


@pytest.mark.parametrize("cause", ELSEWHERE)
def test_results_do_not_depend_on(
    cause: str, finished: Project, elsewhere: Project, template: Project, tmp_path: Path
) -> None:
    suspects = differing(finished, elsewhere)
    if not suspects:
        return
    changed = ELSEWHERE[cause]
    project = template.copy(tmp_path / changed.folder)
    run = project.run(project.make_command(" ".join(suspects), changed.cores), changed.env)
    assert run.code == 0, run.console
    made, expected = project.made(), finished.made()
    assert [name for name in suspects if made.get(name) != expected.get(name)] == []
