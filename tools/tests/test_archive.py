"""`make archive` and `make verify`, as a user runs them, on two tiny datasets."""

from __future__ import annotations

import csv
import io
import json
import re
import resource
import shutil
import subprocess
import sys
import zipfile
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
import yaml
from tiny_project import TINY_CSV, Project, Run, commit_all

from archive import verify
from archive.container import SUMS, find_damage, sums_of, write_zip
from archive.run import python_of_tools
from archive.verify import FAILED, IN_PART, PROVED, Report, Request

pytestmark = pytest.mark.slow
CLOSED = (
    "results/measured/residuals.parquet",
    "data/processed/measured.parquet",
    f"source/{TINY_CSV}",
)


def archive_of(project: Project) -> Path:
    """The one archive that was made."""
    (path,) = (project.folder / "archive").glob("groupwise-*.zip")
    return path


def contents(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def make_again(project: Project, *arguments: str, env: dict[str, str] | None = None) -> Run:
    """`make archive` without make, where nothing is to be made."""
    command = [sys.executable, "-m", "archive", "make", *arguments]
    return project.run(command, {"PYTHONPATH": "tools:workflow/scripts", **(env or {})})


@pytest.fixture(scope="module")
def packed(archived: Project) -> dict[str, bytes]:
    return contents(archive_of(archived))


@pytest.fixture
def another(archived: Project, tmp_path: Path) -> Project:
    """The archived project in another folder."""
    return archived.copy(tmp_path / "another folder")


KILLED = """
import os, shutil, signal, types
from archive import __main__, container
copied = []
def copy_three(*arguments):
    copied.append(shutil.copyfileobj(*arguments))
    len(copied) == 3 and os.kill(os.getpid(), signal.SIGKILL)
container.shutil = types.SimpleNamespace(copyfileobj=copy_three)
__main__.main()
"""
"""`python -m archive`, which dies as it writes the third entry."""


# What is in it -------------------------------------------------------------------------------------


def test_archive_is_named_by_its_commit_and_said_on_the_console(archived: Project) -> None:
    head = (archived.folder / ".git/refs/heads").glob("*")
    commit = next(head).read_text().strip()
    path = archive_of(archived)
    assert path.name == f"groupwise-{commit[:10]}.zip"
    console = archived.read(".git/console.txt")
    assert f"archive/{path.name}: " in console and "sha256 of the results: " in console
    assert "Note: data/README.md has no section '## tiny.csv'" in console


def test_archive_holds_all_that_was_made(archived: Project, packed: dict[str, bytes]) -> None:
    made = {name for name in archived.made() if not Path(name).name.startswith(".")}
    assert made <= set(packed)
    assert all(packed[name] == (archived.folder / name).read_bytes() for name in made)
    listed = list(csv.DictReader(io.StringIO(packed["exhibits.csv"].decode())))
    assert made <= {row["file"] for row in listed}
    scripts = {row["script"] for row in listed}
    assert all(f"source/{script}" in packed for script in scripts)
    figures = [row for row in listed if row["kind"] == "figure"]
    assert figures and all(Path(row["code"]).stem == Path(row["file"]).stem for row in figures)


def test_archive_holds_what_data_editors_ask_for(packed: dict[str, bytes]) -> None:
    top = (
        "LICENSE",
        "CITATION.cff",
        ".zenodo.json",
        "tolerances.yaml",
        "runtimes.csv",
        "archive.json",
    )
    about = ("requirements.lock", "environment.yml", "environment.json")
    names = {*top, *(f"environment/{name}" for name in about), "data/codebook.json", SUMS}
    assert names <= set(packed)
    assert f"source/{TINY_CSV}" in packed
    has_bill = python_of_tools() is not None
    assert ("environment/sbom.cdx.json" in packed) == has_bill
    assert ("There is no bill of materials" in packed["README.md"].decode()) != has_bill
    headings = re.findall(r"^##+ (.+)$", packed["README.md"].decode(), re.MULTILINE)
    asked = [
        *("Overview", "Data availability and provenance statements", "Statement about rights"),
        *("Summary of availability", "Dataset list", "Computational requirements", "Software"),
        *("Controlled randomness", "Memory, runtime, storage", "Description of programs"),
        *("Instructions to replicators", "List of tables, figures and programs", "References"),
    ]
    assert [heading for heading in headings if heading in asked] == asked
    assert "`datasets.drawn.simulate.seed`: 1" in packed["README.md"].decode()
    rules = {row["rule"] for row in csv.DictReader(io.StringIO(packed["runtimes.csv"].decode()))}
    assert {"fit_models", "draw_figures", "render_report"} <= rules


def test_configuration_is_whole(packed: dict[str, bytes]) -> None:
    config = yaml.safe_load(packed["config.resolved.yaml"])
    assert config["resampling"]["seed"] == 1
    assert config["datasets"]["measured"]["conf_level"] == 0.95


def test_archive_names_no_folder_of_this_machine(
    archived: Project, finished: Project, packed: dict[str, bytes]
) -> None:
    ours = [
        str(each).encode() for each in (archived.folder, finished.folder, Path.home(), sys.prefix)
    ]
    ours = [each for each in ours if len(each) > 1]
    apart = {name: text for name, text in packed.items() if not name.startswith("source/")}
    assert [name for name, text in apart.items() if any(each in text for each in ours)] == []


def test_same_project_elsewhere_gives_the_same_bytes(archived: Project, another: Project) -> None:
    before = archive_of(archived).read_bytes()
    archive_of(another).unlink()
    for path in another.folder.rglob("*.csv"):
        path.chmod(0o600)
    env = {"TZ": "Pacific/Auckland", "LC_ALL": "C", "PYTHONHASHSEED": "7", "COLUMNS": "60"}
    run = make_again(another, env=env)
    assert run.code == 0, run.console
    assert archive_of(another).read_bytes() == before


# Proving it ----------------------------------------------------------------------------------------


@pytest.fixture
def replayed(archived: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that makes what the first one made, in no time."""

    def replay(folder: Path, python: str, **_: object) -> int:
        for part in ("results", "reports/rendered", "data/processed"):
            shutil.copytree(archived.folder / part, folder / part, dirs_exist_ok=True)
        return 0

    monkeypatch.setattr(verify, "run_workflow", replay)


def proved(path: Path, **wanted: object) -> tuple[int, list[str]]:
    report = Report()
    return verify.verify(Request(archive=path, here=True, **wanted), report), report.lines  # type: ignore[arg-type]


def rewritten(path: Path, target: Path, changed: dict[str, bytes]) -> Path:
    """An archive with other contents and the sums that go with them."""
    files = {name: text for name, text in contents(path).items() if name != SUMS} | changed
    with zipfile.ZipFile(path) as archive:
        moment = archive.infolist()[0].date_time
    write_zip(target, {**files, SUMS: sums_of(files)}, datetime(*moment, tzinfo=UTC))
    return target


def test_run_elsewhere_proves_the_archive(another: Project) -> None:
    """All of it for real: unpacked, run again on other settings, compared."""
    path = archive_of(another)
    command = [*another.ready_make(), "verify", f"ARCHIVE={path}", "ENV=here", "CORES=2"]
    run = another.run(command, {"TZ": "Pacific/Auckland", "PYTHONHASHSEED": "7"})
    assert run.code == 0, run.console
    assert "PROVED: the archive is whole" in run.console
    counts = re.findall(r"^  (\w+) +(\d+) (.+)$", run.console, re.MULTILINE)
    assert {words for _, _, words in counts} == {"equal byte for byte"}
    assert sum(int(number) for _, number, _ in counts) > 150
    if python_of_tools():
        assert "workflow-run-crate-0.5: all required checks pass" in run.console
    kept = another.read(f"archive/verified-{path.stem}.txt")
    assert kept.rstrip() in run.console.replace("\r", "") or kept.splitlines()[-1] in run.console


@pytest.mark.usefixtures("replayed")
def test_changed_number_is_named(archived: Project, tmp_path: Path) -> None:
    name = "results/drawn/estimates.csv"
    path = archive_of(archived)
    text = contents(path)[name].decode()
    row = next(line for line in text.splitlines() if ",mixed_wald," in line)
    old = row.split(",")[text.partition("\n")[0].split(",").index("estimate")]
    changed = text.replace(row, row.replace(old, "9.75", 1)).encode()
    code, lines = proved(rewritten(path, tmp_path / "changed.zip", {name: changed}))
    assert code == FAILED
    number = text.splitlines().index(row)
    where = rf"  {name}: row {number} \(.*method mixed_wald.*\), column estimate"
    says = rf"{where}: archived 9.75, now {old}\."
    assert [line for line in lines if re.fullmatch(says, line)], lines


@pytest.mark.usefixtures("replayed")
def test_figures_of_another_platform_are_said_to_be_not_compared(
    archived: Project, tmp_path: Path
) -> None:
    path, name = archive_of(archived), "environment/environment.json"
    files = contents(path)
    other = json.loads(files[name]) | {"python": "CPython 3.13.1"}
    figure = "results/drawn/figures/arm_means.svg"
    changed = {name: json.dumps(other).encode(), figure: files[figure] + b"<!-- -->"}
    code, lines = proved(rewritten(path, tmp_path / "other.zip", changed))
    assert code == PROVED
    assert any("not compared: another platform: python (CPython 3.13.1; here" in x for x in lines)
    assert any(re.fullmatch(r"  figure +1 not compared", line) for line in lines)
    code, lines = proved(rewritten(path, tmp_path / "same.zip", {figure: changed[figure]}))
    assert code == FAILED and f"  {figure}: its bytes differ." in lines


@pytest.mark.parametrize("place", [0.1, 0.5, 0.9])
def test_flipped_byte_is_found_before_anything_is_run(
    archived: Project, tmp_path: Path, place: float
) -> None:
    whole = bytearray(archive_of(archived).read_bytes())
    whole[int(len(whole) * place)] ^= 1
    (tmp_path / "flipped.zip").write_bytes(bytes(whole))
    code, lines = proved(tmp_path / "flipped.zip")
    assert code == FAILED and lines[-1].endswith("damaged.") and "RO-Crate" not in "".join(lines)


@pytest.mark.usefixtures("replayed")
def test_wrong_crate_is_found(archived: Project, tmp_path: Path) -> None:
    path, name = archive_of(archived), "ro-crate-metadata.json"
    text = contents(path)[name].replace(b'"results/families.csv"', b'"results/nothing.csv"')
    code, lines = proved(rewritten(path, tmp_path / "crate.zip", {name: text}))
    assert code == FAILED
    assert f"  {name}: it lists 'results/nothing.csv', which is not in the archive." in lines


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("nowhere.zip", "nowhere.zip: there is no such archive; name the file: make verify "),
        (
            "config.yaml",
            "config.yaml: the archive is damaged: File is not a zip file; fetch it again",
        ),
    ],
)
def test_mistake_is_one_sentence(another: Project, name: str, says: str) -> None:
    run = another.make("verify", f"ARCHIVE={name}", "ENV=here")
    assert run.code != 0 and "Traceback" not in run.console
    assert len(run.sentences) == 1 and run.sentences[0].startswith(says), run.console


# Data that are not shared --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def closed(archived: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project one of whose datasets is not shared, and its archive."""
    project = archived.copy(tmp_path_factory.mktemp("closed") / "project")
    archive_of(project).unlink()
    text = project.read("config.yaml").replace(
        "file: data/raw/tiny.csv", "file: data/raw/tiny.csv\n    share: false"
    )
    project.write("config.yaml", text)
    commit_all(project.folder)
    run = project.make("archive")
    assert run.code == 0, run.console
    assert "Note: share: false (measured): " in run.console
    return project


def test_what_is_not_shared_is_nowhere_in_the_archive(closed: Project) -> None:
    packed = contents(archive_of(closed))
    assert not set(CLOSED) & set(packed)
    rows = closed.read(TINY_CSV).splitlines()[1:]
    text = {name: content.decode() for name, content in packed.items() if b"\0" not in content}
    assert [name for name, content in text.items() if any(row in content for row in rows)] == []
    scores = {row.split(",")[3] for row in rows}
    measured = {n: set(re.split(r"[\s,\"<>]+", text[n])) for n in text if "measured" in n}
    assert {"results/measured/estimates.csv", "results/measured/design.json"} <= set(measured)
    assert [name for name, words in measured.items() if len(words & scores) > 3] == []
    book = json.loads(packed["data/codebook.json"])[TINY_CSV]
    assert book["rows"] == 30 and book["columns"][0]["name"] == "pupil"
    assert set(book["columns"][0]) == {"name", "type", "missing", "distinct"}
    assert book["sha256"] in packed["README.md"].decode()
    listed = csv.DictReader(io.StringIO(packed["exhibits.csv"].decode()))
    why = {row["file"]: row["archived"] for row in listed}
    assert why["results/measured/figures/scores_by_group.svg"] == "a figure that draws individuals"
    assert why["reports/rendered/measured.html"] == "a page with a figure that draws individuals"
    assert why["results/measured/estimates.csv"] == why["reports/rendered/index.html"] == "yes"


def test_the_rest_is_verified_without_data_that_are_not_shared(closed: Project) -> None:
    """For real: the workflow runs without the dataset, and what needs it is said to be left out."""
    code, lines = proved(archive_of(closed), cores="2")
    said = "\n".join(lines)
    assert code == IN_PART, said
    assert f"Not shared: {TINY_CSV} (datasets measured; sha256 " in said
    assert "make verify ARCHIVE=... DATA=that/folder" in said
    assert re.search(r"^  table +\d\d equal byte for byte$", said, re.MULTILINE)
    assert re.search(r"not run again: \d+ files that need data that are not shared", said)


@pytest.mark.usefixtures("replayed")
def test_who_has_the_data_verifies_all(closed: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = {}

    def replay(folder: Path, python: str, **asked: object) -> int:
        seen.update(asked, there=(folder / TINY_CSV).is_file())
        for part in ("results", "reports/rendered", "data/processed"):
            shutil.copytree(closed.folder / part, folder / part, dirs_exist_ok=True)
        return 0

    monkeypatch.setattr(verify, "run_workflow", replay)
    code, lines = proved(archive_of(closed), data=closed.folder / "data" / "raw")
    assert code == PROVED and seen["there"] and seen["targets"] == []
    assert any("made again, but not in the archive to compare with" in line for line in lines)


def test_other_data_than_those_analysed_are_refused(closed: Project, tmp_path: Path) -> None:
    (tmp_path / "tiny.csv").write_text("pupil\n1\n", encoding="utf-8")
    with pytest.raises(verify.ArchiveError, match="it is not the file that was analysed; bring"):
        proved(archive_of(closed), data=tmp_path)


# What is refused -----------------------------------------------------------------------------------


def test_changed_checkout_is_refused_or_recorded(another: Project) -> None:
    """A page of the archive says what was changed; the results are made anew to say so too."""
    before = archive_of(another)
    another.write("notes.txt", "A new file.\n")
    another.write("LICENSE", another.read("LICENSE") + "\n")
    run = make_again(another)
    says = (
        "git: files were changed since the commit (LICENSE, notes.txt); commit or undo them, "
        "or record them with DIRTY=1."
    )
    assert run.code != 0 and run.sentences == [says], run.console
    assert list((another.folder / "archive").iterdir()) == [before]

    run = make_again(another, "--dirty", "--cores", "2")
    assert run.code == 0, run.console
    packed = contents(before.with_name(f"{before.stem}-changed.zip"))
    assert packed["source/notes.txt"] == b"A new file.\n"
    assert json.loads(packed["archive.json"])["changed"] == ["LICENSE", "notes.txt"]
    assert b"+++ b/LICENSE" in packed["changes.patch"]
    assert "- notes.txt\n" in packed["README.md"].decode()
    assert json.loads(packed["results/drawn/provenance.json"])["code"]["changed"] is True


def test_folder_without_a_repository_is_refused(another: Project) -> None:
    shutil.rmtree(another.folder / ".git")
    run = make_again(another)
    assert run.code != 0 and len(run.sentences) == 1, run.console
    assert run.sentences[0].startswith("git: the project's folder is no git repository")


def test_data_outside_the_project_are_refused(another: Project, tmp_path: Path) -> None:
    shutil.copy(another.folder / TINY_CSV, tmp_path / "tiny.csv")
    another.edit("config.yaml", "file: data/raw/tiny.csv", f"file: {tmp_path / 'tiny.csv'}")
    run = make_again(another, "--dirty")
    assert run.code != 0 and len(run.sentences) == 1, run.console
    assert (
        "lies outside the project, where an archive cannot take it from; copy it"
        in run.sentences[0]
    )


def test_full_disk_keeps_the_earlier_archive(another: Project) -> None:
    before = archive_of(another).read_bytes()
    limit = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
    done = subprocess.run(
        [sys.executable, "-m", "archive", "make"],
        cwd=another.folder,
        env=another.environment({"PYTHONPATH": "tools:workflow/scripts"}),
        preexec_fn=limit,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode != 0 and "Traceback" not in said, said
    assert "File too large; make room there" in said
    assert archive_of(another).read_bytes() == before
    assert [path.name for path in (another.folder / "archive").iterdir()] == [
        archive_of(another).name
    ]


def test_killed_archive_passes_for_none_and_the_next_is_whole(
    another: Project, tmp_path: Path
) -> None:
    """Killed after the third entry: what is there is hidden, no zip, and gone after the next run."""
    archive_of(another).unlink()
    command = [sys.executable, "-c", KILLED, "make"]
    assert another.run(command, {"PYTHONPATH": "tools:workflow/scripts"}).code < 0
    (left,) = (another.folder / "archive").iterdir()
    assert left.name.startswith(".") and left.name.endswith(".partial")
    with pytest.raises(verify.ArchiveError, match="damaged"):
        find_damage(left, tmp_path)

    run = make_again(another)
    assert run.code == 0, run.console
    assert find_damage(archive_of(another), tmp_path) == []
    assert not left.exists()
