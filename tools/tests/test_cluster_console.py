"""What the console says of submissions to a cluster that fail, from the records Snakemake sends."""

from __future__ import annotations

import io
import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from snakemake_interface_logger_plugins.common import LogEvent
from snakemake_logger_plugin_groupwise import LogHandler

SETTINGS = SimpleNamespace(verbose=False, debug_dag=False, dryrun=False, printshellcmds=False)
STATE = "SLURM-job '7' failed, SLURM status is: 'OUT_OF_MEMORY'. Reason: Unknown."


@pytest.fixture
def handler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LogHandler:
    """The console, after two jobs of a group were submitted."""
    monkeypatch.chdir(tmp_path)
    found = LogHandler(common_settings=SETTINGS, settings=None)
    found.stream = io.StringIO()
    for jobid, rule in ((1, "check_data"), (2, "ingest_data")):
        found.emit(
            record(
                LogEvent.JOB_INFO,
                jobid=jobid,
                rule_name=rule,
                rule_msg=f"clinics: {rule}",
                wildcards={"dataset": "clinics"},
                reason="",
            )
        )
    return found


def record(event: LogEvent | None, message: str = "", **fields: Any) -> logging.LogRecord:
    made = logging.LogRecord("snakemake", logging.INFO, "", 0, message, (), None)
    made.__dict__.update(fields | ({"event": event} if event else {}))
    return made


def group_error(logs: dict[str, str], made: tuple[str, ...] = ()) -> list[logging.LogRecord]:
    """The records of a group that failed: one of the group, one for each of its jobs."""
    for name, text in logs.items():
        Path(name).write_text(text, encoding="utf-8")
    for name in made:
        Path(name).touch()
    jobs = [
        {"jobid": k, "rule_name": rule, "output": [f"{rule}.json"], "log": [f"{rule}.log"]}
        for k, rule in ((1, "check_data"), (2, "ingest_data"))
    ]
    group = record(
        LogEvent.GROUP_ERROR,
        groupid="read_clinics",
        aux_logs=["slurm_logs.log"],
        job_error_info=jobs,
    )
    each = [record(LogEvent.JOB_ERROR, **job, rule_msg=None, indent=True) for job in jobs]
    return [group, *each]


def said(handler: LogHandler, records: list[logging.LogRecord]) -> list[str]:
    """Lines on the console after these records."""
    for each in records:
        handler.emit(each)
    text: str = handler.stream.getvalue()
    return text.splitlines()


def test_mistake_in_a_group_is_one_sentence_however_often_it_is_tried(handler: LogHandler) -> None:
    mistake = "groupwise: clinics.csv: there is no column 'arm'."
    records = group_error({"check_data.log": mistake, "slurm_logs.log": "Error in rule check_data"})
    restart = record(None, "Trying to restart job 0539fd30-5303-52da-9cb5-15c4061bdabc.")
    assert said(handler, [*records, restart, *records]) == [mistake, "Trying again."]


def test_logs_of_those_jobs_of_a_group_are_shown_that_failed(handler: LogHandler) -> None:
    logs = {"check_data.log": "a warning", "ingest_data.log": "KeyError: 'arm'"}
    lines = said(handler, group_error(logs, made=("check_data.json",)))
    assert lines == [
        "group read_clinics failed; the end of ingest_data.log:",
        "    KeyError: 'arm'",
    ]


def test_log_of_the_cluster_is_shown_where_jobs_wrote_none(handler: LogHandler) -> None:
    lines = said(handler, group_error({"slurm_logs.log": "oom_kill"}))
    assert lines == ["group read_clinics failed; the end of slurm_logs.log:", "    oom_kill"]


def test_job_that_ran_out_of_memory_says_so(handler: LogHandler) -> None:
    Path("slurm_logs.log").write_text("step killed", encoding="utf-8")
    error = record(
        LogEvent.JOB_ERROR,
        jobid=2,
        rule_name="ingest_data",
        log=["ingest_data.log", "slurm_logs.log"],
        rule_msg=STATE,
        indent=False,
    )
    lines = said(handler, [error, record(None, "Trying to restart job 2.")])
    assert lines == [
        "ingest_data: clinics failed (OUT_OF_MEMORY); the end of slurm_logs.log:",
        "    step killed",
        "Trying again: clinics: ingest_data",
    ]


@pytest.mark.parametrize(
    "narrated",
    [
        "SLURM run ID: 3d3f8ae2-1e73-4acd-bcb9-300f3dcb436b",
        "No SLURM account given, trying to guess.",
        "Unable to guess SLURM account. Trying to proceed without.",
        "Job d2a0d966-501a-50df has been submitted with SLURM jobid 3 (log: 3.log).",
        "Cleaning up SLURM log files older than 10 day(s).",
    ],
)
def test_narration_of_the_cluster_is_left_out(handler: LogHandler, narrated: str) -> None:
    assert said(handler, [record(None, narrated), record(None, "Another.")]) == ["Another."]


@pytest.mark.parametrize(("total", "ready"), [(2, True), (1, False)])
def test_page_is_announced_while_other_jobs_go_on(
    handler: LogHandler, total: int, ready: bool
) -> None:
    page = Path("reports/rendered/clinics.html")
    page.parent.mkdir(parents=True)
    page.touch()
    job = {"jobid": 3, "rule_name": "render_report", "rule_msg": "clinics: write the report"}
    records = [
        record(LogEvent.JOB_INFO, **job, wildcards={"dataset": "clinics"}, reason=""),
        record(LogEvent.JOB_FINISHED, job_id=3),
        record(LogEvent.PROGRESS, done=1, total=total),
    ]
    lines = said(handler, records)
    assert lines[0].startswith(f"[1/{total}] clinics: write the report")
    assert lines[1:] == [f"Ready to open while the rest goes on: {page}"] * ready
