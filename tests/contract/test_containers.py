"""The container recipes: their steps are the README's, and what they copy is enough for them.

No image is built here, as that needs a container engine.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONTAINERS = ROOT / "containers"
DOCKERFILE = (CONTAINERS / "Dockerfile").read_text(encoding="utf-8")
DEFINITION = (CONTAINERS / "groupwise.def").read_text(encoding="utf-8")
IMAGE = "opt/groupwise"
COMPILED = "PYTHONDONTWRITEBYTECODE=1"


def instructions() -> list[tuple[str, str]]:
    """Of the Dockerfile: each instruction with its argument on one line."""
    text = re.sub(r"\\\n\s*", "", re.sub(r"^#.*\n", "", DOCKERFILE, flags=re.MULTILINE))
    return [(line.split()[0], line.split(maxsplit=1)[1]) for line in text.splitlines() if line]


def section(name: str) -> list[str]:
    """Lines of a section of the Apptainer definition, continued ones joined."""
    found = re.search(rf"^%{name}\n((?:    .*\n)+)", DEFINITION, re.MULTILINE)
    assert found is not None
    return [line.strip() for line in re.sub(r"\\\n\s*", "", found[1]).splitlines()]


def copied() -> dict[str, str]:
    """Sources in the project, and where they lie below /opt/groupwise."""
    found = {}
    for name, argument in instructions():
        if name == "COPY":
            *sources, target = argument.split()
            for source in sources:
                found[source] = source if target == "./" else target
    return found


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """What lies below /opt/groupwise before the first step of the build."""
    folder = tmp_path / "image" / IMAGE
    for source, target in copied().items():
        place = folder / target
        place.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, place)
        else:
            shutil.copy2(ROOT / source, place)
    return folder


def sh(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """What a command says as one gives it by hand, also where make runs the tests."""
    env = {
        name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))
    }
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)


def test_steps_are_those_of_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    steps = [argument for name, argument in instructions() if name == "RUN"]
    assert [step for step in steps if step.startswith("make ")] == ["make env", "make quarto"]
    assert [step for step in steps if not step.startswith("make ")] == [steps[0]]
    assert all(f"`{step}`" in readme for step in steps[1:])


def test_both_recipes_take_the_same_steps_from_the_same_base() -> None:
    steps = [argument for name, argument in instructions() if name == "RUN"]
    besides = ("set -eu", f"export {COMPILED}", f"cd /{IMAGE}")
    assert [line for line in section("post") if line not in besides] == steps
    base = dict(instructions())["FROM"]
    assert f"\nFrom: {base}\n" in DEFINITION
    files = [line.split() for line in section("files")]
    assert {source: target.removeprefix(f"/{IMAGE}/") for source, target in files} == copied()


def test_modules_are_compiled_while_the_image_is_built() -> None:
    """make_env.sh compiles all where Python may not do it later."""
    names = [f"{name} {argument}" for name, argument in instructions()]
    assert names.index(f"ENV {COMPILED}") < names.index("RUN make env")
    post = section("post")
    assert post.index(f"export {COMPILED}") < post.index("make env")
    assert section("environment") == [f"export {COMPILED}"]


def test_base_is_pinned_and_no_registry_is_named() -> None:
    assert re.fullmatch(r"[a-z]+:\d+\.\d+-slim-[a-z]+", dict(instructions())["FROM"])
    assert "://" not in DOCKERFILE + DEFINITION
    version = re.search(r"python:(\d+\.\d+)", DOCKERFILE)
    assert version is not None
    assert f"python={version[1]}\n" in (ROOT / "environment.yml").read_text(encoding="utf-8")


def test_build_needs_no_file_that_is_not_copied(image: Path) -> None:
    ignored = (CONTAINERS / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    assert {line[1:] for line in ignored if line.startswith("!")} == set(copied())
    for target in ("env", "quarto"):
        planned = sh(image, "make", "--dry-run", target)
        assert planned.returncode == 0, planned.stderr
        named = re.findall(r"tools/setup/\w+\.(?:py|sh)", planned.stdout)
        assert named and all((image / name).is_file() for name in named)
    for script in (image / "tools" / "setup").glob("*"):
        assert script.is_dir() or not re.search(
            r"^from (job|settings)", script.read_text("utf-8"), re.M
        )


def test_container_makes_what_it_is_asked_for_with_its_own_environment(
    image: Path, tmp_path: Path
) -> None:
    project = tmp_path / "a study"
    project.mkdir()
    shutil.copy2(ROOT / "requirements.lock", project)
    (project / "Makefile").write_text("%:\n\t@echo $@ $(VENV) $(CORES)\n", encoding="utf-8")
    run = sh(project, "sh", str(image / "containers/run.sh"), "examples", "CORES=3")
    assert (run.returncode, run.stdout) == (0, f"examples {image}/.venv 3\n")
    assert sh(project, "sh", str(image / "containers/run.sh")).stdout.startswith("report ")


def test_makefile_takes_the_environment_it_is_given(image: Path) -> None:
    planned = sh(ROOT, "make", "-n", "-o", ".venv/.lock-stamp", f"VENV={image}/.venv", "report")
    assert planned.returncode == 0, planned.stderr
    assert f'PATH="{image}/.venv/bin:$PATH"' in planned.stdout
    assert "make_env.sh" not in planned.stdout


@pytest.mark.parametrize("lock", [None, "another==1\n"])
def test_container_says_what_is_wrong(image: Path, tmp_path: Path, lock: str | None) -> None:
    project = tmp_path / "project"
    project.mkdir()
    if lock is not None:
        (project / "Makefile").touch()
        (project / "requirements.lock").write_text(lock, encoding="utf-8")
    run = sh(project, "sh", str(image / "containers/run.sh"), "report")
    assert run.returncode == 1
    said = "There is no Groupwise" if lock is None else "build it again from here"
    assert said in run.stderr
