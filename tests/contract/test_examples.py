"""examples/*.yaml: valid, apart from the default report, and of the design they stand for."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from configuration import check_configuration
from experiments import ROOT
from shipped_examples import EXAMPLES, datasets, sample

DEFAULT = ROOT / "config.yaml"
KINDS = {
    "inhaler_leaflets": "periods",
    "interferon": "within",
    "kiwi_shading": "blocked",
    "machines": "within",
    "oats": "blocked",
    "rat_pups": "between",
    "speeding_signs": "periods",
}

each_example = pytest.mark.parametrize("path", EXAMPLES.values(), ids=EXAMPLES)


def test_there_is_one_of_each_design() -> None:
    assert {name: sample(name).design.kind for name in EXAMPLES} == KINDS


@each_example
def test_example_is_valid_beside_the_default_and_alone(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    own = yaml.safe_load(path.read_text(encoding="utf-8"))
    every = yaml.safe_load(DEFAULT.read_text(encoding="utf-8"))
    every["datasets"] |= own["datasets"]
    check_configuration(every, [DEFAULT, path])
    check_configuration(own, [path])


@each_example
def test_example_holds_the_dataset_of_its_name_and_the_default_report_does_not(path: Path) -> None:
    """`make examples` asks for reports/rendered/NAME.html of each examples/NAME.yaml."""
    assert list(datasets(path)) == [path.stem]
    assert path.stem not in datasets(DEFAULT)


@each_example
def test_example_has_a_raw_file_with_its_section_and_a_note(path: Path) -> None:
    block = datasets(path)[path.stem]
    page = (ROOT / "data" / "README.md").read_text(encoding="utf-8")
    assert f"`examples/{path.name}`" in page
    assert f"## {Path(block['file']).name}\n" in page
    assert block["note"].endswith(".")


def test_makefile_asks_for_the_reports_of_the_examples_only() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    recipe = re.search(r"^examples:.*\n((?:\t.*\n)+)", makefile, re.MULTILINE)
    assert recipe is not None
    assert "--configfile $(EXAMPLES)" in recipe[1]
    assert "$(EXAMPLES:examples/%.yaml=reports/rendered/%.html)" in recipe[1]
    assert "index.html" not in recipe[1]


def test_designs_are_as_small_as_they_are_meant_to_be() -> None:
    found = {name: sample(name).design for name in EXAMPLES}
    assert found["machines"].random_slopes == "unstructured"
    assert (found["machines"].n_groups, len(found["machines"].arm_labels)) == (6, 3)
    assert (found["oats"].n_groups, found["oats"].blocks_as) == (18, "random")
    assert (found["kiwi_shading"].n_groups, len(found["kiwi_shading"].arm_labels)) == (12, 4)
    assert (found["speeding_signs"].n_groups, found["speeding_signs"].n_obs) == (28, 8437)
    assert (found["inhaler_leaflets"].n_groups, found["inhaler_leaflets"].n_obs) == (286, 572)


def test_designs_with_periods_have_their_cells_and_blocks() -> None:
    signs, inhalers = sample("speeding_signs").design, sample("inhaler_leaflets").design
    assert signs.has_cells and not inhalers.has_cells
    assert (len(signs.block_labels), signs.n_periods, inhalers.n_periods) == (14, 3, 2)
