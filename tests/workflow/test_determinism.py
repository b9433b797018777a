"""The same inputs give the same bytes, whatever machine, folder and settings a run is made with.

One run differs from the first in everything at once. Where its results are the same, no single thing
mattered; where one file differs, each test makes that file again with one thing changed, and so names
the cause.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_project import ELSEWHERE, Project

pytestmark = pytest.mark.slow


def differing(one: Project, other: Project) -> list[str]:
    """Results and pages that are not the same, byte for byte."""
    left, right = one.made(), other.made()
    return sorted(name for name in left.keys() | right.keys() if left.get(name) != right.get(name))


def test_results_are_the_same_elsewhere(finished: Project, elsewhere: Project) -> None:
    assert len(finished.made()) > 100
    assert differing(finished, elsewhere) == []


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
