"""`pip install .` gives `import groupwise` in any environment, with what it needs and nothing else."""

from __future__ import annotations

import ast
import importlib.util
import json
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from experiments import ROOT

PACKAGE = ROOT / "workflow" / "scripts" / "groupwise"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
UNREACHED = re.compile(r"No matching distribution found for hatchling|Could not find a version")
# A distribution brings these packages of others, whose versions follow from its own.
BROUGHT = {"plotnine": {"matplotlib", "mizani"}}
ANALYSIS = """
import json, sys
import groupwise
data = groupwise.simulate(
    seed=1, groups_per_arm={"a": 4, "b": 4}, group_size=6, mean=0, effects={"b": 1},
    sd_group=1, sd_residual=1,
)
result = groupwise.analyse(
    data, outcome="outcome", treatment="arm", group="group", reference="a",
    methods=["mixed_kenward_roger"],
)
row = result.estimates.iloc[0]
picture = len(result.figure("effects_forest").layers)
print(json.dumps([groupwise.__file__, row["estimate"], row["p_value"], picture]))
"""


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[<>=! ]", each)[0] for each in requirements}


def imported(path: Path) -> set[str]:
    """The packages that a module imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(str(node.module).split(".")[0])
    return found


def test_dependencies_are_what_the_package_imports() -> None:
    used = set().union(*map(imported, PACKAGE.rglob("*.py")))
    others = used - set(sys.stdlib_module_names) - {"groupwise", "__future__"}
    needed = names(PROJECT["dependencies"])
    assert others - set().union(*BROUGHT.values()) == needed
    assert all(">=" in each for each in PROJECT["dependencies"])


def test_lock_has_every_dependency() -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    locked = {line.partition("==")[0] for line in lock.splitlines() if "==" in line}
    assert names(PROJECT["dependencies"]) <= locked


def build(folder: Path) -> Path:
    """The wheel; built in isolation where its backend is not installed."""
    backend = importlib.util.find_spec("hatchling") is not None
    command = [sys.executable, "-m", "pip", "wheel", "--disable-pip-version-check", "--no-deps"]
    command += ["--no-build-isolation"] if backend else []
    done = subprocess.run(
        [*command, "--wheel-dir", str(folder), str(ROOT)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0 and not backend and UNREACHED.search(done.stdout + done.stderr):
        pytest.skip("hatchling, which builds the package, is not installed and cannot be reached")
    assert done.returncode == 0, done.stdout + done.stderr
    return next(folder.glob("*.whl"))


@pytest.mark.slow
def test_installed_package_analyses_in_any_folder(tmp_path: Path) -> None:
    wheel, target = build(tmp_path), tmp_path / "site"
    inside = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {name for name in inside if not name.endswith(".dist-info")} == {"groupwise"}
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--no-deps", "--target", str(target), str(wheel)], check=True)
    # Isolated (-I): neither the folder nor PYTHONPATH is looked in.
    code = f"import sys; sys.path.insert(0, {str(target)!r})\n{ANALYSIS}"
    done = subprocess.run(
        [sys.executable, "-I", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    where, estimate, p_value, layers = json.loads(done.stdout)
    assert Path(where).is_relative_to(target)
    assert abs(estimate) < 3 and 0 < p_value < 1 and layers > 0
    version = next(name for name in inside if name.endswith(".dist-info")).split("-")[1]
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {version.removesuffix('.dist')}\n" in citation
    assert not (ROOT / "build").exists()


@pytest.mark.parametrize("page", ["README.md", "docs", "examples/notebook.ipynb"])
def test_no_page_changes_the_path_of_imports(page: str) -> None:
    pages = [ROOT / page] if (ROOT / page).is_file() else sorted((ROOT / page).rglob("*.md"))
    assert pages
    assert not [path.name for path in pages if "sys.path" in path.read_text(encoding="utf-8")]
