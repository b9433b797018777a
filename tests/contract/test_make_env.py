"""How make makes .venv: with uv where it is, with pip where it is not, for reports and for tests.

Python, pip and uv are programs that write down what they are asked for: nothing is installed.
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NEEDED = ("sh", "make", "cmp", "cp", "mv", "touch", "mkdir", "rm", "cat", "chmod")
REPORTS, TESTS = "requirements.lock", "requirements-test.lock"
# Makes a .venv with itself as its Python; fails at what PIP_FAILS names.
PYTHON = """\
#!/bin/sh
[ "$1" = -c ] || echo "python $*" >> "$ASKED"
case "$*" in
    "-m venv"*) rm -rf .venv; mkdir -p .venv/bin; cp "$0" .venv/bin/python ;;
    *"-r $PIP_FAILS") exit 1 ;;
esac
"""
UV = """\
#!/bin/sh
echo "uv $*" >> "$ASKED"
exit "${UV_FAILS:-0}"
"""


@dataclass(frozen=True)
class Folder:
    """A folder with locks, and a PATH with no more than what a fresh machine has."""

    path: Path

    @property
    def programs(self) -> Path:
        return self.path.parent / "bin"

    def write_program(self, name: str, text: str) -> None:
        (self.programs / name).write_text(text, encoding="utf-8")
        (self.programs / name).chmod(0o755)

    def run(self, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a command with these programs alone; `asked` says what they were asked for."""
        self.asked_file.write_text("", encoding="utf-8")
        env = {"PATH": str(self.programs), "ASKED": str(self.asked_file), "PIP_FAILS": "nothing"}
        return subprocess.run(
            command,
            cwd=self.path,
            env=env | variables,
            capture_output=True,
            text=True,
            check=False,
        )

    def make_env(self, *further: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run tools/setup/make_env.sh."""
        script = ROOT / "tools" / "setup" / "make_env.sh"
        return self.run("sh", str(script), "python3", *further, **variables)

    @property
    def asked_file(self) -> Path:
        return self.path.parent / "asked.txt"

    @property
    def asked(self) -> list[str]:
        """What the last command asked of Python, pip and uv."""
        return self.asked_file.read_text(encoding="utf-8").splitlines()

    def stamp(self, name: str) -> str | None:
        """The text of a stamp; None where there is none."""
        path = self.path / ".venv" / name
        return path.read_text(encoding="utf-8") if path.exists() else None


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """A folder, with a space in its name, on a machine without uv."""
    made = Folder(tmp_path / "a folder")
    made.path.mkdir()
    made.programs.mkdir()
    for name in NEEDED:
        program = shutil.which(name)
        assert program is not None, name
        (made.programs / name).symlink_to(program)
    made.write_program("python3", PYTHON)
    (made.path / REPORTS).write_text("numpy==2\n", encoding="utf-8")
    (made.path / TESTS).write_text("pytest==9\n", encoding="utf-8")
    return made


def pip_command(lock: str, compiled: str = "--no-compile") -> str:
    quiet = "-qq --no-input --disable-pip-version-check"
    return f"python -m pip install {quiet} {compiled} --require-hashes -r {lock}"


def uv_command(lock: str, compiled: str = "") -> str:
    return f"uv pip install --quiet --python .venv/bin/python {compiled}--require-hashes -r {lock}"


VENV = "python -m venv --clear .venv"


def test_pip_installs_where_there_is_no_uv(folder: Folder) -> None:
    run = folder.make_env()
    assert (run.returncode, run.stderr) == (0, "")
    assert "Making .venv from requirements.lock with pip" in run.stdout
    assert folder.asked == [VENV, pip_command(REPORTS)]
    assert folder.stamp(".lock-stamp") == "numpy==2\n"


def test_uv_installs_where_there_is_one(folder: Folder) -> None:
    folder.write_program("uv", UV)
    run = folder.make_env()
    assert (run.returncode, run.stderr) == (0, "")
    assert "Making .venv from requirements.lock with uv" in run.stdout
    assert folder.asked == [VENV, uv_command(REPORTS)]
    assert folder.stamp(".lock-stamp") == "numpy==2\n"


def test_pip_is_tried_where_uv_fails(folder: Folder) -> None:
    folder.write_program("uv", UV)
    run = folder.make_env(UV_FAILS="2")
    assert run.returncode == 0
    assert "uv could not install the packages in requirements.lock" in run.stderr
    assert folder.asked == [VENV, uv_command(REPORTS), pip_command(REPORTS)]
    assert folder.stamp(".lock-stamp") == "numpy==2\n"


def test_all_is_compiled_where_python_may_keep_no_bytecode(folder: Folder) -> None:
    folder.make_env(PYTHONDONTWRITEBYTECODE="1")
    workflow = "python -m compileall -qq workflow/scripts tools"
    assert folder.asked == [VENV, pip_command(REPORTS, "--compile"), workflow]
    folder.write_program("uv", UV)
    folder.make_env("test", PYTHONDONTWRITEBYTECODE="1")
    assert folder.asked == [uv_command(TESTS, "--compile-bytecode ")]


@pytest.mark.parametrize("uv", [False, True], ids=["pip", "uv"])
def test_tests_are_added_to_what_reports_have(folder: Folder, uv: bool) -> None:
    if uv:
        folder.write_program("uv", UV)
    folder.make_env()
    run = folder.make_env("test")
    assert (run.returncode, run.stderr) == (0, "")
    assert "requirements-test.lock" in run.stdout
    assert folder.asked == [uv_command(TESTS) if uv else pip_command(TESTS)]
    assert folder.stamp(".lock-stamp") == "numpy==2\n"
    assert folder.stamp(".test-stamp") == "pytest==9\n"
    for further in ([], ["test"]):
        run = folder.make_env(*further)
        assert (run.returncode, run.stdout, folder.asked) == (0, "", [])


def test_failure_leaves_no_stamp_and_names_the_lock(folder: Folder) -> None:
    run = folder.make_env(PIP_FAILS=REPORTS)
    assert run.returncode == 1
    message = "The packages in {} could not be installed: pip says why above.\n"
    assert run.stderr == message.format(REPORTS)
    assert folder.stamp(".lock-stamp") is None
    folder.make_env()
    run = folder.make_env("test", PIP_FAILS=TESTS)
    assert (run.returncode, run.stderr) == (1, message.format(TESTS))
    assert (folder.stamp(".lock-stamp"), folder.stamp(".test-stamp")) == ("numpy==2\n", None)


def test_another_lock_makes_all_anew(folder: Folder) -> None:
    folder.make_env()
    folder.make_env("test")
    (folder.path / REPORTS).write_text("numpy==3\n", encoding="utf-8")
    folder.make_env()
    assert folder.asked == [VENV, pip_command(REPORTS)]
    assert (folder.stamp(".lock-stamp"), folder.stamp(".test-stamp")) == ("numpy==3\n", None)


def test_python_that_is_not_there_is_named(folder: Folder) -> None:
    (folder.programs / "python3").unlink()
    run = folder.make_env()
    assert run.returncode == 1
    assert "there is no 'python3' here. Name another Python like this: make env" in run.stderr
    assert not (folder.path / ".venv").exists()


@pytest.fixture
def project(folder: Folder) -> Folder:
    """The same with the Makefile."""
    shutil.copy2(ROOT / "Makefile", folder.path)
    shutil.copytree(ROOT / "tools" / "setup", folder.path / "tools" / "setup")
    return folder


def installed_by(project: Folder, *targets: str) -> list[str]:
    """Which locks are installed by make."""
    run = project.run("make", *targets)
    assert run.returncode == 0, run.stderr
    return [line.rpartition(" ")[2] for line in project.asked if "pip install" in line]


@pytest.mark.parametrize("target", ["env", "quarto", "report", "examples", "describe"])
def test_reports_install_only_what_they_need(project: Folder, target: str) -> None:
    assert installed_by(project, target) == [REPORTS]


@pytest.mark.parametrize("target", ["test", "test-long", "test-all", "lint", "format"])
def test_one_command_installs_what_tests_or_style_need(project: Folder, target: str) -> None:
    project.write_program("python", "#!/bin/sh\n")
    assert installed_by(project, target) == [REPORTS, TESTS]
    assert installed_by(project, "report", target) == []


def test_what_tests_need_is_installed_again_with_a_new_environment(project: Folder) -> None:
    assert installed_by(project, "test") == [REPORTS, TESTS]
    shutil.rmtree(project.path / ".venv")
    assert installed_by(project, "report") == [REPORTS]
    assert installed_by(project, "lint") == [TESTS]
    (project.path / REPORTS).write_text("numpy==3\n", encoding="utf-8")
    assert installed_by(project, "test") == [REPORTS, TESTS]


def test_nothing_is_added_to_the_environment_of_a_container(project: Folder) -> None:
    run = project.run("make", "-o", ".venv/.lock-stamp", "VENV=/opt/image/.venv", "test")
    assert run.returncode != 0
    assert "/opt/image/.venv has what reports need, and no tools for tests" in run.stderr
    assert project.asked == []


@pytest.mark.skipif(shutil.which("dash") is None, reason="dash is not installed")
def test_script_has_no_words_of_bash() -> None:
    script = ROOT / "tools" / "setup" / "make_env.sh"
    assert subprocess.run(["dash", "-n", str(script)], check=False).returncode == 0
