"""The worked examples of CONTRIBUTING.md: written into a project as it says, and run there."""

from __future__ import annotations

import html
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import jsonschema
import numpy as np
import pandas as pd
import pytest
import yaml
from scipy import stats
from tiny_project import CONFIG, ROOT, Project, make_project

pytestmark = pytest.mark.slow
PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
BLOCK = re.compile(
    r"(?P<said>[^\n]+(?:\n[^\n]+)*)\n\n(?P<fence>`{3,})\w+\n(?P<code>.*?)^(?P=fence)$", re.M | re.S
)
NEW_FILE = re.compile(r"`(?P<file>[^`]+)`:")
EDIT = re.compile(
    r"In `(?P<file>[^`]+)`, (?P<where>above|below|in place of) (?P<which>the|each) line\s"
    r"`(?P<line>[^`]+)`:"
)
REPLICATES = 100
SMALL = {"replicates": REPLICATES, "slow_replicates": 5, "draws": 99, "jobs": 1, "departures": []}
METHOD, FIGURE, DATASET = "group_medians", "group_sizes", "clinics"
LABEL, STUDY = "Group medians", "reports/rendered/study.html"


@dataclass(frozen=True)
class Block:
    """A code block: the whole of a file, or some lines of it beside, or in place of, a line."""

    file: str
    code: str
    where: str = ""
    line: str = ""
    each: bool = False

    def write(self, project: Project) -> None:
        """Do to a project what the page says."""
        if not self.where:
            assert not (project.folder / self.file).exists()
            project.write(self.file, self.code)
            return
        lines = project.read(self.file).splitlines(keepends=True)
        found = [line.strip() == self.line for line in lines]
        assert sum(found) > 1 if self.each else sum(found) == 1, f"{self.file}: {self.line}"
        parts = (
            self._placed(line) if here else line for line, here in zip(lines, found, strict=True)
        )
        project.write(self.file, "".join(parts))

    def _placed(self, line: str) -> str:
        placed = {"above": self.code + line, "below": line + self.code, "in place of": self.code}
        return placed[self.where]


def section(title: str) -> list[Block]:
    """The code blocks below a heading, in the order of the page."""
    text = re.split(r"^## ", PAGE, flags=re.M)
    body = next(part for part in text if part.startswith(f"{title}\n"))
    return list(_blocks(body))


def _blocks(text: str) -> Iterator[Block]:
    for found in BLOCK.finditer(text):
        if edit := EDIT.fullmatch(found["said"]):
            each = edit["which"] == "each"
            yield Block(edit["file"], found["code"], edit["where"], edit["line"], each)
        else:
            new = NEW_FILE.fullmatch(found["said"])
            assert new is not None, f"no file is named above this block: {found['said']}"
            yield Block(new["file"], found["code"])


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project with the page's dataset and its method: its report, and the general study."""
    made = make_project(tmp_path_factory.mktemp("contributing") / "project")
    for block in (*section("A dataset"), *section("A method")):
        block.write(made)
    config = yaml.safe_load(made.read("config.yaml"))
    study = yaml.safe_load((CONFIG / "study.yaml").read_text(encoding="utf-8"))
    made.write(
        "config.yaml", yaml.safe_dump(config | {"calibration": SMALL} | study, sort_keys=False)
    )
    files = (f"{DATASET}.html", f"{DATASET}.json", "results.schema.json")
    rendered = (f"reports/rendered/{name}" for name in files)
    run = made.snakemake("--cores", "2", *rendered, STUDY)
    assert run.code == 0, run.console
    return made


def clinics(project: Project) -> pd.DataFrame:
    return pd.read_csv(project.folder / f"data/raw/{DATASET}.csv")


def result(project: Project, name: str) -> pd.DataFrame:
    table = pd.read_csv(project.folder / f"results/{DATASET}/{name}.csv")
    return table[table["method"] == METHOD]


def test_every_block_of_the_page_is_tried() -> None:
    titles = ("A dataset", "A figure", "A method")
    tried = [block for title in titles for block in section(title)]
    assert len(tried) == len(re.findall(r"^`{3,}\w", PAGE, re.M)) > 0


def test_dataset_is_read_and_estimated(project: Project) -> None:
    design = json.loads(project.read(f"results/{DATASET}/design.json"))
    data = clinics(project)
    assert (design["kind"], design["n_obs"], design["n_groups"]) == ("between", len(data), 6)
    assert list(design["arms"]) == ["usual", "new"]
    estimates = pd.read_csv(project.folder / f"results/{DATASET}/estimates.csv")
    pooled = estimates.set_index("method").loc["ols_classical"]
    means = data.groupby("care")["pain"].mean()
    np.testing.assert_allclose(pooled["estimate"], means["new"] - means["usual"])


def test_method_is_the_t_test_of_group_medians(project: Project) -> None:
    """Its row is scipy's, which knows of no groups, designs or contrasts."""
    medians = clinics(project).groupby(["care", "clinic"])["pain"].median()
    expected = stats.ttest_ind(medians["new"], medians["usual"])
    low, high = expected.confidence_interval(0.95)
    (row,) = result(project, "estimates").to_dict("records")
    wanted = {
        "estimate": medians["new"].mean() - medians["usual"].mean(),
        "statistic": expected.statistic,
        "df": 4.0,
        "p_value": expected.pvalue,
        "conf_low": low,
        "conf_high": high,
    }
    np.testing.assert_allclose([row[name] for name in wanted], list(wanted.values()), rtol=1e-9)
    assert row["converged"] and row["contrast"] == "new - usual"


def test_method_stands_where_the_catalogue_puts_it(project: Project) -> None:
    estimates = pd.read_csv(project.folder / f"results/{DATASET}/estimates.csv")
    shown = list(dict.fromkeys(estimates["method"]))
    assert shown[shown.index(METHOD) - 1 :][:3] == ["group_means_weighted", METHOD, "dummy"]


def test_method_is_calibrated(project: Project) -> None:
    """Groups of one size have medians of one distribution: intervals hold the truth as they should."""
    rows = result(project, "calibration")
    rows = rows[rows["measure"] == "coverage"]
    assert len(set(rows["scenario"])) > 1
    assert (rows["n_replicates"] == REPLICATES).all() and (rows["n_failed"] == 0).all()
    assert (rows["value"] - 0.95).abs().max() < 5 * np.sqrt(0.95 * 0.05 / REPLICATES)


def test_method_is_not_planned_for_and_says_so(project: Project) -> None:
    messages = set(result(project, "planning")["message"])
    assert [text.partition(";")[0] for text in messages] == [
        "Not planned for: there is no formula for its distribution"
    ]


def test_method_may_lead_a_report(project: Project) -> None:
    """The schema of the configuration knows it."""
    more = {"headline": METHOD, "verdict": {"preference": [METHOD]}}
    project.write("more.yaml", yaml.safe_dump(more))
    run = project.snakemake("--dry-run", "--configfile", "more.yaml", "--", "all")
    assert run.code == 0, run.console


def test_report_and_json_have_the_method(project: Project) -> None:
    page = html.unescape(project.read(f"reports/rendered/{DATASET}.html"))
    assert LABEL in page
    document = json.loads(project.read(f"reports/rendered/{DATASET}.json"))
    assert document["methods"][METHOD] == LABEL
    for name in ("estimates", "omnibus", "calibration", "planning", "verdict"):
        table = document["tables"][name]
        rows = table["method"] if isinstance(table, dict) else [row["method"] for row in table]
        assert METHOD in rows, name
    schema = json.loads(project.read("reports/rendered/results.schema.json"))
    assert METHOD in schema["properties"]["headline"]["enum"]
    jsonschema.validate(document, schema)


def test_study_has_the_method(project: Project) -> None:
    rates = pd.read_csv(project.folder / "results/study/rates.csv")
    assert (rates["method"] == METHOD).any()
    assert LABEL in html.unescape(project.read(STUDY))


@pytest.mark.parametrize("check", [["check"], ["format", "--check"]], ids=" ".join)
def test_blocks_are_in_the_common_style(project: Project, check: list[str]) -> None:
    project.write("pyproject.toml", (ROOT / "pyproject.toml").read_bytes())
    for block in section("A figure")[:1]:
        (project.folder / "figure").mkdir(exist_ok=True)
        project.write(f"figure/{Path(block.file).name}", block.code)
    places = ("workflow/scripts/groupwise", "figure")
    run = project.run([sys.executable, "-m", "ruff", *check, "--no-cache", *places])
    assert run.code == 0, run.console


def test_figure_is_drawn_and_shown(copied: Project) -> None:
    for block in section("A figure"):
        block.write(copied)
    run = copied.snakemake("--cores", "2", "reports/rendered/measured.html")
    assert run.code == 0, run.console
    drawn = copied.folder / "results" / "measured" / "figures" / FIGURE
    assert drawn.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
    assert "<svg" in drawn.with_suffix(".svg").read_text(encoding="utf-8")
    alt = drawn.with_suffix(".txt").read_text(encoding="utf-8")
    sizes = pd.read_csv(copied.folder / "data/raw/tiny.csv").groupby("class").size()
    span = f"{sizes.min()}\u00a0to\u00a0{sizes.max()}"
    assert alt == f"Sizes of {len(sizes)} groups: {span} individuals.\n"
    assert alt.strip() in html.unescape(copied.read("reports/rendered/measured.html"))
