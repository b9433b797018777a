"""A calm console for Snakemake: a line per finished job, one sentence per mistake.

Snakemake finds the plugin by the name of this package on `sys.path`: run_snakemake.py beside it
sees to that, and so does `PYTHONPATH=tools/console snakemake --logger groupwise`. It replaces
the console output only. What it leaves out is the narration listed in `NARRATION`; every other
message of Snakemake's passes through unshortened, and under `--verbose` all of them do.
"""

from __future__ import annotations

import logging
import re
import sys
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml
from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

INDEX = "reports/rendered/index.html"
PAGE_RULE, PAGE = "render_report", "reports/rendered/{}.html"
TAIL = 15  # lines of a failed job's log that are shown
STUDY = "reports/rendered/study.html"
TARGET_RULES = ("all", "study")  # they gather files and do nothing: neither counted nor shown
WIDTH = 200  # characters of each: Snakemake's own lists of files are longer
MARK = "groupwise: "  # opens the one sentence about a user's mistake

NOTHING_TO_DO = "Nothing to be done"
DRY_RUN_END = "This was a dry-run"
USER_STOP = ("Terminating processes on user request", "Will exit after finishing")
RUN_END = "Elapsed time: "
JOBS_FAILED = "At least one job did not complete successfully."
BAD_YAML = "Config file is not valid JSON or YAML"
NO_CONFIG = re.compile(r"load_configfile.*FileNotFoundError: .*: '(.+)'", re.DOTALL)
LOCKED = "Directory cannot be locked."
UNLOCK = (
    f"{MARK}this folder: another run is under way in it; wait for its end, or if it was killed, "
    "say `make report ARGS=--unlock` and run again."
)
NO_PLACE = re.compile(r"\b(?:OSError|PermissionError): \[Errno \d+\] (.+?): '(.+)'")
RESTART = re.compile(r"Trying to restart job (\S+)\.$")
CLUSTER_LOGS = "slurm_logs"  # what a job wrote beside its own log; seldom of use
CLUSTER_STATE = re.compile(r"SLURM status is: '(?!FAILED)(\w+)'")
COMMAND_FAILED = "RuleException:\nCalledProcessError"
NARRATION = re.compile(
    r"""(
    Assuming\ unrestricted\ shared\ filesystem\ usage
  | Building\ DAG\ of\ jobs
  | Cleaning\ up\ SLURM\ log\ files
  | Complete\ log\(s\):
  | Conda\ environments:\ ignored
  | Config\ file\ .*\ is\ extended\ by\ additional\ config
  | Execute\ \d+\ jobs
  | Exiting\ because\ a\ job\ execution\ failed
  | Guessed\ SLURM\ account
  | Job\ \S+\ has\ been\ submitted\ with\ SLURM\ jobid
  | No\ SLURM\ account\ given
  | No\ account\ was\ given
  | Provided\ resources:
  | Removing\ output\ files\ of\ failed\ job
  | Rules\ with\ provenance\ triggered\ jobs:
  | SLURM\ run\ ID:
  | Select\ jobs\ to\ execute
  | Shutting\ down,\ this\ might\ take\ some\ time
  | Some\ jobs\ were\ triggered\ by\ provenance\ information
  | Reasons:\n
  | Unable\ to\ guess\ SLURM\ account
  | Using\ shell:
    )""",
    re.VERBOSE,
)


@dataclass(frozen=True)
class Job:
    """What the console says about one job."""

    rule: str
    label: str
    wildcards: str
    reason: str
    started: float


def describe_job(record: logging.LogRecord) -> Job:
    """The job that a JOB_INFO record announces."""
    wildcards = "/".join(str(value) for value in (record.wildcards or {}).values())
    name = f"{record.rule_name}: {wildcards}" if wildcards else record.rule_name
    return Job(
        rule=record.rule_name,
        label=(record.rule_msg or name).strip(),
        wildcards=wildcards,
        reason=record.reason or "",
        started=record.created,
    )


def format_duration(seconds: float) -> str:
    """`3.2 s`, or `2 min 5 s` from a minute and a half on."""
    if seconds < 90:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s"


def gathering(stats: Mapping[str, int]) -> int:
    """Target rules of a plan."""
    return sum(stats.get(rule, 0) for rule in TARGET_RULES)


def count_jobs(stats: Mapping[str, int]) -> int:
    """Jobs of a plan (Snakemake's stats: rule -> count, and `total`) without target rules."""
    return stats["total"] - gathering(stats)


def plural(count: int, noun: str) -> str:
    """`1 job`, `2 jobs`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def short_reasons(jobs: Iterable[Job]) -> str:
    """Why the jobs of one rule would run: Snakemake's reasons without their lists of files."""
    labels = dict.fromkeys(
        part.partition(":")[0].strip().lower() for job in jobs for part in job.reason.split("; ")
    )
    labels.pop("", None)
    if len(labels) > 1:
        labels.pop("input files updated by another job", None)
    return ", ".join(labels)


def mistakes(text: str) -> list[str]:
    """The sentences about a user's mistakes in a log or an error message."""
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line.startswith(MARK)]


def config_mistake(error: str, arguments: list[str]) -> str:
    """A sentence about a config file that cannot be read, or nothing.

    Snakemake says neither which file nor which line is not YAML, and answers a file that does
    not exist with a traceback.
    """
    if missing := NO_CONFIG.search(error):
        return f"{MARK}{missing[1]}: there is no such configuration file."
    if BAD_YAML not in error:
        return ""
    for path in map(Path, ["config.yaml", *arguments]):
        if path.suffix not in {".yaml", ".yml"} or not path.is_file():
            continue
        try:
            yaml.safe_load(path.read_text(encoding="utf-8"))
        except yaml.MarkedYAMLError as mistake:
            line = f"line {mistake.problem_mark.line + 1}" if mistake.problem_mark else "YAML"
            return f"{MARK}{path}: {line}: {mistake.problem}."
    return ""


def disk_mistake(error: str) -> str:
    """A sentence about a folder that is locked, full or read-only, or nothing."""
    if LOCKED in error:
        return UNLOCK
    if match := NO_PLACE.search(error):
        problem = match[1][:1].lower() + match[1][1:]
        return f"{MARK}{match[2]}: {problem}; make room there, or give yourself write access."
    return ""


def read_logs(paths: Iterable[str], since: float) -> dict[str, str]:
    """Texts of the logs written since a job began; what an earlier run left is no news.

    The cluster's log of a job is one of them only where the job wrote nothing itself.
    """
    texts = {}
    for path in map(Path, paths):
        if path.is_file() and path.stat().st_mtime >= since - 1:
            texts[str(path)] = path.read_text(encoding="utf-8", errors="replace").strip()
    filled = {path: text for path, text in texts.items() if text}
    of_jobs = {path: text for path, text in filled.items() if CLUSTER_LOGS not in path}
    return of_jobs or filled


def how_it_ended(command_error: str) -> str:
    """How a job ended, where that is unusual (killed for want of memory, say), or nothing."""
    match = re.search(r"(exit status \d+|died with .*)\.\s*$", command_error)
    match = match or CLUSTER_STATE.search(command_error)
    return "" if match is None or match[1] == "exit status 1" else f" ({match[1]})"


class LogHandler(LogHandlerBase):
    """Turns Snakemake's events into lines on the console."""

    def __post_init__(self) -> None:
        settings = self.common_settings
        self.verbatim = bool(settings.verbose or settings.debug_dag)
        self.stream = sys.stdout if settings.dryrun else sys.stderr
        self.jobs: dict[int, Job] = {}
        self.finished: deque[tuple[int, float]] = deque()
        self.command_errors: deque[str] = deque()
        self.written_mistakes: set[str] = set()
        self.where = ""
        self.hidden = 0
        self.done = 0
        self.total = 0
        self.began = 0.0
        self.stopped = False
        self.ended = False
        self.handlers = {
            LogEvent.WORKFLOW_STARTED: self.on_started,
            LogEvent.RESOURCES_INFO: self.on_resources,
            LogEvent.RUN_INFO: self.on_plan,
            LogEvent.JOB_INFO: self.on_job,
            LogEvent.JOB_STARTED: self.ignore,
            LogEvent.SHELLCMD: self.on_command,
            LogEvent.JOB_FINISHED: self.on_finished,
            LogEvent.PROGRESS: self.on_progress,
            LogEvent.GROUP_INFO: self.ignore,
            LogEvent.GROUP_ERROR: self.on_group_error,
            LogEvent.JOB_ERROR: self.on_job_error,
            LogEvent.ERROR: self.on_error,
            None: self.on_message,
        }

    @property
    def writes_to_stream(self) -> bool:
        return True

    @property
    def writes_to_file(self) -> bool:
        return False

    @property
    def has_filter(self) -> bool:
        return not self.verbatim

    @property
    def has_formatter(self) -> bool:
        return not self.verbatim

    @property
    def needs_rulegraph(self) -> bool:
        return False

    def emit(self, record: logging.LogRecord) -> None:
        """Say what there is to say about one record."""
        try:
            if self.verbatim:
                self.write_as_it_is(record)
            else:
                handler = self.handlers.get(getattr(record, "event", None), self.write_as_it_is)
                handler(record)
        except Exception:  # what logging asks of every handler: a message never ends the run
            self.handleError(record)

    def close(self) -> None:
        """Say what was held back for an event that never came."""
        while self.command_errors:
            self.write(self.command_errors.popleft())
        super().close()

    def write(self, text: str) -> None:
        """One message on the console."""
        print(text, file=self.stream, flush=True)

    def write_as_it_is(self, record: logging.LogRecord) -> None:
        """A message in Snakemake's own words."""
        text = self.format(record)
        if text not in ("", "None"):
            self.write(text)

    def ignore(self, record: logging.LogRecord) -> None:
        """Nothing to say."""

    def on_started(self, record: logging.LogRecord) -> None:
        self.began = record.created

    def on_resources(self, record: logging.LogRecord) -> None:
        if cores := getattr(record, "cores", None):
            self.where = f" on {plural(cores, 'core')}"
        elif getattr(record, "nodes", None):
            self.where = " on the cluster"

    def on_plan(self, record: logging.LogRecord) -> None:
        if self.total:  # a dry run gives its plan twice
            return
        self.hidden = gathering(record.stats)
        self.total = count_jobs(record.stats)
        verb = "would run" if self.common_settings.dryrun else "to run"
        self.write(f"{plural(self.total, 'job')} {verb}{self.where}")

    def on_job(self, record: logging.LogRecord) -> None:
        self.jobs[record.jobid] = describe_job(record)

    def on_command(self, record: logging.LogRecord) -> None:
        command = getattr(record, "shellcmd", None) or getattr(record, "cmd", None)
        if command and self.common_settings.printshellcmds:
            self.write(command)

    def on_finished(self, record: logging.LogRecord) -> None:
        self.finished.append((record.job_id, record.created))

    def on_progress(self, record: logging.LogRecord) -> None:
        self.total = record.total - self.hidden
        while self.finished:
            jobid, moment = self.finished.popleft()
            job = self.jobs.get(jobid)
            if job is None or job.rule in TARGET_RULES:
                continue
            self.done += 1
            count = f"{self.done:{len(str(self.total))}}/{self.total}"
            self.write(f"[{count}] {job.label}  ({format_duration(moment - job.started)})")
            page = Path(PAGE.format(job.wildcards))
            if job.rule == PAGE_RULE and self.done < self.total and page.is_file():
                self.write(f"Ready to open while the rest goes on: {page}")

    def on_job_error(self, record: logging.LogRecord) -> None:
        """A job failed: the user's mistake in a sentence, else the end of the job's log."""
        error = self.command_errors.popleft() if self.command_errors else record.rule_msg or ""
        if self.stopped or record.indent:  # by the user, no fault of the job's; or told as a group
            return
        job = self.jobs.get(record.jobid)
        logs = read_logs(record.log, since=job.started if job else 0.0)
        name = f"{job.rule}: {job.wildcards}" if job and job.wildcards else record.rule_name
        self.say_failure(name, logs, error)

    def on_group_error(self, record: logging.LogRecord) -> None:
        """A submission of several jobs failed: those of them that did not make their files."""
        if self.stopped:
            return
        failed = [
            info
            for info in record.job_error_info
            if not all(Path(str(path)).exists() for path in info["output"])
        ]
        jobs = [self.jobs[info["jobid"]] for info in failed if info["jobid"] in self.jobs]
        since = min((job.started for job in jobs), default=0.0)
        paths = [str(path) for info in failed for path in info["log"]]
        logs = read_logs([*paths, *map(str, filter(None, record.aux_logs))], since=since)
        self.say_failure(f"group {record.groupid}", logs, "")

    def say_failure(self, name: str, logs: Mapping[str, str], error: str) -> None:
        """The mistakes that logs name, else how it ended with the ends of the logs."""
        if self.say_mistakes("\n".join(logs.values())):
            return
        if not logs:
            self.write(f"{name} failed and wrote no log.\n{error}".rstrip())
        for path, text in logs.items():
            self.write(f"{name} failed{how_it_ended(error)}; the end of {path}:")
            self.write("\n".join(f"    {line[:WIDTH]}" for line in text.splitlines()[-TAIL:]))

    def say_restart(self, jobid: str) -> None:
        """A job that failed is tried once more; groups have no number."""
        job = self.jobs.get(int(jobid)) if jobid.isdigit() else None
        self.write(f"Trying again: {job.label}" if job else "Trying again.")

    def say_mistakes(self, text: str) -> bool:
        """Write each mistake named in `text`, but none twice; False where there is none."""
        sentences = mistakes(text)
        for sentence in sentences:
            if sentence not in self.written_mistakes:
                self.write(sentence)
        self.written_mistakes.update(sentences)
        return bool(sentences)

    def on_error(self, record: logging.LogRecord) -> None:
        """An exception: a mistake in a sentence, anything else as Snakemake puts it."""
        text = record.getMessage()
        if text.startswith(COMMAND_FAILED):
            self.command_errors.append(text)  # the JOB_ERROR that follows tells more
        elif self.ended and text.endswith(JOBS_FAILED):
            return
        elif sentence := config_mistake(text, sys.argv[1:]) or disk_mistake(text):
            self.write(sentence)
        elif "WorkflowError" not in text or not self.say_mistakes(text):
            self.write_as_it_is(record)

    def on_message(self, record: logging.LogRecord) -> None:
        """A message without an event."""
        text = record.getMessage()
        if text.startswith(NOTHING_TO_DO):
            what = "the study" if self.asked_for_study() else "every report"
            self.write(f"Nothing to do: {what} is up to date.{self.where_to_look()}")
        elif text.startswith(DRY_RUN_END):
            self.write_plan()
        elif text.startswith(USER_STOP):
            self.say_stopping()
        elif text.startswith(RUN_END):
            self.write_summary(record.created - self.began)
        elif restart := RESTART.match(text):
            self.say_restart(restart[1])
        elif not NARRATION.match(text):
            self.write_as_it_is(record)

    def say_stopping(self) -> None:
        """The user asked for an end: once is enough."""
        if not self.stopped:
            self.write("Stopping, as you asked.")
        self.stopped = True

    def where_to_look(self) -> str:
        """The report to open, where there is one."""
        page = STUDY if self.asked_for_study() else INDEX
        return f" Open {page}" if Path(page).is_file() else ""

    def asked_for_study(self) -> bool:
        """Is this `make study`? It names its target last."""
        return sys.argv[-2:] == ["--", "study"]

    def write_plan(self) -> None:
        """A dry run's jobs, a line per rule."""
        rules: dict[str, list[Job]] = {}
        for job in self.jobs.values():
            if job.rule not in TARGET_RULES:
                rules.setdefault(job.rule, []).append(job)
        width = max(map(len, rules), default=0)
        for rule, jobs in rules.items():
            values = ", ".join(sorted(job.wildcards for job in jobs if job.wildcards))
            reasons = short_reasons(jobs)
            line = f"  {rule:{width}}  {len(jobs):3}  {values}"
            self.write((f"{line}  ({reasons})" if reasons else line).rstrip())

    def write_summary(self, seconds: float) -> None:
        """The last line of a run."""
        self.ended = True
        elapsed = format_duration(seconds)
        if self.done >= self.total:
            self.write(f"{plural(self.done, 'job')} done in {elapsed}.{self.where_to_look()}")
        else:
            self.write(
                f"Not finished: {self.done} of {plural(self.total, 'job')} done in {elapsed}. "
                f"What is done is kept: {'' if self.stopped else 'mend what is said above and '}"
                "run again."
            )
