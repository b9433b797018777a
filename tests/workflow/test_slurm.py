"""The same workflow through Slurm: the same results, what its jobs ask for, and their retries."""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pandas as pd
import pytest
import yaml
from loopback_slurm import SlurmJob, numbers, running_slurm, slurm_job, why_not
from resources import NEEDS, asked
from tiny_project import ROOT, Project, Run

# A node that nobody else waits for may be asked often.
OFTEN = "--slurm-init-seconds-before-status-checks 1 --latency-wait 10"
PLUGIN = "snakemake_executor_plugin_slurm"
CHUNKS = 3

# Rules that the profile does not know: a scattered study, and a job that needs 3,000 MB.
STUDY = """\
rule all:
    input: "gathered.parquet", "granted.txt"

rule simulate:
    output: "sums/{chunk}.parquet"
    shell: "python study.py simulate {wildcards.chunk} {output}"

rule gather:
    input: expand("sums/{chunk}.parquet", chunk=range(CHUNKS))
    output: "gathered.parquet"
    shell: "python study.py gather {output} {input}"

rule be_hungry:
    output: "granted.txt"
    log: "be_hungry.log"
    shell: "python study.py eat {output} > {log} 2>&1"
"""
SCRIPT = """\
import os, re, resource, subprocess, sys
sys.path[:0] = [SCRIPTS, BENCHMARKS]
what, *given = sys.argv[1:]
if what == "eat":
    command = ["scontrol", "show", "job", os.environ["SLURM_JOB_ID"]]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    granted = int(re.search(r"MinMemoryNode=(\\d+)M", said)[1])
    # Here nothing else holds a job to what it asked for.
    resource.setrlimit(resource.RLIMIT_AS, (granted * 2**20, granted * 2**20))
    bytearray(3000 * 2**20)
    open(given[0], "w").write(str(granted))
    sys.exit()
import pandas as pd
from calibration import FAST, scenario
from experiments import experiment
from groupwise.catalogue.methods import costs
from groupwise.simulation.blocks import Block, run_block
from groupwise.simulation.options import Amount
from groupwise.simulation.sums import gather
if what == "gather":
    gather(pd.read_parquet(part) for part in given[1:]).to_parquet(given[0])
else:
    made = scenario(experiment(60, 6, covariate=False, balanced=True))
    run_block(made, Block(int(given[0]), Amount.of(20, 0)), methods=costs(FAST)).to_parquet(given[1])
"""


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A cluster of one node."""
    if importlib.util.find_spec(PLUGIN) is None:
        pytest.skip(f"{PLUGIN} is not installed (make env)")
    if reason := why_not():
        pytest.skip(reason)
    with running_slurm(tmp_path_factory.mktemp("slurm")):
        yield


@dataclass(frozen=True)
class OnCluster:
    """A run, and what it submitted."""

    project: Project
    run: Run
    jobs: list[SlurmJob]

    def job(self, name: str) -> SlurmJob:
        """The one submission of a group or rule."""
        (found,) = (job for job in self.jobs if job.comment.startswith(f"rule_{name}"))
        return found


def through_slurm(
    project: Project, command: list[str], env: Mapping[str, str] | None = None
) -> OnCluster:
    """Run a command that submits jobs."""
    before = set(numbers())
    run = project.run(command, env)
    return OnCluster(project, run, [slurm_job(n) for n in numbers() if n not in before])


@pytest.fixture(scope="module")
def whole(slurm: None, template: Project, tmp_path_factory: pytest.TempPathFactory) -> OnCluster:
    """`make report` for the simulated one of the tiny datasets, and all that `all` asks of it."""
    project = template.copy(tmp_path_factory.mktemp("cluster") / "project")
    config = yaml.safe_load(project.read("config.yaml"))
    del config["datasets"]["measured"]
    project.write("config.yaml", yaml.safe_dump(config, sort_keys=False))
    return through_slurm(project, [*project.make_command(OFTEN, cores=1), "PROFILE=slurm"])


@pytest.mark.slow
def test_whole_run_goes_through_slurm_in_one_submission_a_stage(whole: OnCluster) -> None:
    assert whole.run.code == 0, whole.run.console
    assert {job.state for job in whole.jobs} == {"COMPLETED"}
    for group in ("read_drawn", "fit_drawn", "show_drawn", "index"):
        assert whole.job(group)
    planned = re.search(r"^(\d+) jobs to run", whole.run.console, re.MULTILINE)
    assert planned is not None
    assert len(whole.jobs) < int(planned[1]) / 3


@pytest.mark.slow
def test_results_are_those_of_a_run_without_slurm(whole: OnCluster, finished: Project) -> None:
    here, there = finished.made(), whole.project.made()
    page = "reports/rendered/index.html"  # of one dataset, not of two
    ours = {name for name in here if "drawn" in name}
    assert ours <= there.keys()
    assert [name for name in sorted(ours - {page}) if here[name] != there[name]] == []


@pytest.mark.slow
def test_console_is_as_calm_as_without_slurm(whole: OnCluster) -> None:
    announced, first, *lines, last = whole.run.console.splitlines()
    assert announced.startswith("Using workflow specific profile profiles/slurm")
    total = re.fullmatch(r"(\d+) jobs to run on the cluster", first)
    assert total is not None, first
    counts = [re.match(r"\[ *(\d+)/(\d+)\] .+ {2}\(.+ s\)$", line) for line in lines]
    assert [each and each.groups() for each in counts] == [
        (str(i + 1), total[1]) for i in range(int(total[1]))
    ]
    assert last.endswith("Open reports/rendered/index.html")


@pytest.mark.slow
def test_submission_asks_for_what_its_jobs_need(whole: OnCluster) -> None:
    job, need = whole.job("fit_drawn"), NEEDS["fit_models"]
    rows = 30 / 1e6
    assert job.cpus == 1  # Snakemake runs the jobs of a submission one after another
    assert job.memory_mb == asked(need.mb + need.mb_each * rows, attempt=1)
    together = [NEEDS[rule] for rule in ("fit_models", "check_model")]
    assert job.minutes >= sum(asked(n.minutes + n.minutes_each * rows, attempt=1) for n in together)


@pytest.fixture(scope="module")
def study(slurm: None, tmp_path_factory: pytest.TempPathFactory) -> OnCluster:
    """A workflow of other rules, under the same profile."""
    project = Project(tmp_path_factory.mktemp("study"))
    project.write("Snakefile", f"CHUNKS = {CHUNKS}\n\n{STUDY}")
    paths = {"SCRIPTS": ROOT / "workflow" / "scripts", "BENCHMARKS": ROOT / "benchmarks"}
    header = "".join(f"{name} = {str(path)!r}\n" for name, path in paths.items())
    project.write("study.py", header + SCRIPT)
    profile = ["--workflow-profile", str(ROOT / "profiles" / "slurm"), "--logger", "groupwise"]
    command = [sys.executable, "-m", "snakemake", *profile, *OFTEN.split()]
    env = {"PYTHONPATH": os.pathsep.join([str(ROOT / "tools" / "console")])}
    return through_slurm(project, command, env)


@pytest.mark.slow
def test_scattered_study_is_a_submission_a_chunk_and_adds_up(study: OnCluster) -> None:
    assert study.run.code == 0, study.run.console
    chunks = [job for job in study.jobs if job.comment.startswith("rule_simulate")]
    assert len(chunks) == CHUNKS
    assert {(job.memory_mb, job.minutes, job.state) for job in chunks} == {(2000, 60, "COMPLETED")}
    table = pd.read_parquet(study.project.folder / "gathered.parquet")
    assert set(table["block"]) == set(range(CHUNKS))
    assert set(table["n"]) == {20}


@pytest.mark.slow
def test_job_that_runs_out_of_memory_gets_twice_as_much(study: OnCluster) -> None:
    tries = [job for job in study.jobs if job.comment.startswith("rule_be_hungry")]
    assert [(job.memory_mb, job.minutes, job.state) for job in tries] == [
        (2000, 60, "FAILED"),
        (4000, 120, "COMPLETED"),
    ]
    assert study.project.read("granted.txt") == "4000"
    said = study.run.console
    assert "be_hungry failed; the end of be_hungry.log:" in said
    assert "    MemoryError" in said
    assert "Trying again: be_hungry" in said


@pytest.mark.skipif(importlib.util.find_spec(PLUGIN) is None, reason=f"{PLUGIN} is not installed")
def test_profile_asks_for_nothing_to_be_made_again(copied: Project) -> None:
    run = copied.run([*copied.make_command("--dry-run"), "PROFILE=slurm"])
    assert run.code == 0, run.console
    said = "\nNothing to do: every report is up to date. Open reports/rendered/index.html\n"
    assert run.console.endswith(said)
