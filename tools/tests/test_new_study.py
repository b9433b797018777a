"""`make new` writes the folder of a study, and overwrites nothing."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "tools" / "setup" / "new_study.py"
WRITTEN = {
    *("Snakefile", "Makefile", "config.yaml", "README.md", ".gitignore"),
    *("data/README.md", "data/raw/SHA256SUMS"),
}


def new_study(*arguments: str, tool: Path = ROOT) -> subprocess.CompletedProcess[str]:
    script = tool / SCRIPT.relative_to(ROOT)
    command = [sys.executable, str(script), *arguments]
    return subprocess.run(command, cwd=tool, capture_output=True, text=True, check=False)


def texts(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_text(encoding="utf-8") for path in files}


@pytest.fixture
def tool(tmp_path: Path) -> Path:
    """A folder with the script, and with a Makefile that says what it is asked for."""
    folder = tmp_path / "tools for work" / "groupwise"
    (folder / "tools" / "setup").mkdir(parents=True)
    shutil.copy(SCRIPT, folder / "tools" / "setup")
    echo = '%:\n\t@echo "$@ for $(STUDY) on $(CORES)"\n'
    (folder / "Makefile").write_text(echo, encoding="utf-8")
    return folder


@pytest.mark.parametrize("given", ["../../mystudy", "../my study", "study"])
def test_study_finds_the_tool_wherever_both_are(tool: Path, given: str) -> None:
    done = new_study(given, tool=tool)
    assert done.returncode == 0, done.stderr
    study = (tool / given).resolve()
    assert set(texts(study)) == WRITTEN
    named = re.search(r'snakefile:\s+"(.*)/Snakefile"', texts(study)["Snakefile"])
    assert named is not None and (study / named[1]).resolve() == tool.resolve()
    assert not os.path.isabs(named[1])
    env = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}
    made = subprocess.run(
        ["make", "report", "CORES=2"],
        cwd=study,
        env=env,
        capture_output=True,
        text=True,
        check=True,
    )
    assert made.stdout == f"report for {study} on 2\n"


def test_nothing_is_overwritten_or_written_beside(tool: Path, tmp_path: Path) -> None:
    study = tmp_path / "mystudy"
    study.mkdir()
    (study / "config.yaml").write_text("mine\n", encoding="utf-8")
    done = new_study(str(study), tool=tool)
    assert done.returncode != 0
    assert done.stderr.startswith(f"groupwise: {study / 'config.yaml'} exists")
    assert texts(study) == {"config.yaml": "mine\n"}


def test_second_call_changes_nothing(tool: Path, tmp_path: Path) -> None:
    study = tmp_path / "mystudy"
    assert new_study(str(study), tool=tool).returncode == 0
    before = texts(study)
    assert new_study(str(study), tool=tool).returncode != 0
    assert texts(study) == before


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("", "Name the folder of the new study: make new STUDY=../mystudy"),
        (".", "groupwise: . is the folder of Groupwise: name another one."),
        ("Makefile/study", "groupwise: Makefile/study: Not a directory."),
    ],
)
def test_folder_that_cannot_be_is_refused_in_a_sentence(
    tool: Path, given: str, sentence: str
) -> None:
    before = texts(tool)
    done = new_study(given, tool=tool)
    assert done.returncode != 0 and done.stderr.strip() == sentence
    assert texts(tool) == before


def test_path_that_make_cannot_read_is_refused(tmp_path: Path) -> None:
    tool = tmp_path / "for $5" / "groupwise"
    (tool / "tools" / "setup").mkdir(parents=True)
    shutil.copy(SCRIPT, tool / "tools" / "setup")
    done = new_study(str(tmp_path / "mystudy"), tool=tool)
    assert done.returncode != 0 and "has a sign that make cannot read" in done.stderr
    assert not (tmp_path / "mystudy").exists()


def test_block_in_the_comments_is_a_dataset(tool: Path, tmp_path: Path) -> None:
    study = tmp_path / "mystudy"
    new_study(str(study), tool=tool)
    config = texts(study)["config.yaml"]
    assert set(yaml.safe_load(config)) == {"headline"}
    block = config[config.index("# datasets:") :].replace("\n# ", "\n").removeprefix("# ")
    clinics = yaml.safe_load(block)["datasets"]["clinics"]
    assert clinics["file"].startswith("data/raw/") and {"title", "roles", "reference"} < set(
        clinics
    )
