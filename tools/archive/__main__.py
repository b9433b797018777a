"""The commands behind `make archive` and `make verify`.

python -m archive make [--dirty] [--configfile FILE ...] [--cores N]
python -m archive verify ARCHIVE [--here] [--data FOLDER] [--keep FOLDER] [--cores N]
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from archive.checkout import read_checkout
from archive.collect import check_inside, collect, digest_of_results
from archive.container import sha256, write_zip
from archive.errors import ArchiveError
from archive.plan import Plan, read_plan
from archive.run import run_workflow, this_python
from archive.sharing import read_sharing
from archive.verify import FAILED, LAST_LINE, Report, Request, verify

MARK = "groupwise: "
FOLDER = Path("archive")
PROVENANCE = "record_provenance"
SHORT = 10  # letters of a commit in a file's name


def make(args: argparse.Namespace) -> int:
    """Bring the results up to date, and write the archive."""
    here = Path.cwd()
    plan = read_plan(here, args.configfile)
    check_inside(plan)
    checkout = read_checkout(here, dirty=args.dirty, besides=read_sharing(plan).files)
    options = ["--forcerun", PROVENANCE] if _of_other_commit(here, plan, checkout.record) else []
    if _has_work(plan, here) or options:
        run = {"cores": args.cores, "config_files": args.configfile, "options": options}
        if run_workflow(here, this_python(), **run) != 0:
            fix = "mend what is said above, then run again"
            raise ArchiveError("workflow", "it did not run to its end", fix)
        plan = read_plan(here, args.configfile)
    collected = collect(here, plan, dirty=args.dirty)
    suffix = "-changed" if collected.checkout.changed else ""
    target = FOLDER / f"groupwise-{collected.checkout.commit[:SHORT]}{suffix}.zip"
    write_zip(target, collected.entries, collected.checkout.moment)
    for hint in collected.hints:
        print(f"Note: {hint}")
    print(f"{target}: {len(collected.entries)} files, {target.stat().st_size / 1e6:.1f} MB")
    print(f"sha256 of the archive: {sha256(target)}")
    print(f"sha256 of the results: {digest_of_results(collected.entries)}")
    return 0


def prove(args: argparse.Namespace) -> int:
    """Verify an archive; the report is printed, and kept beside the archives made here."""
    request = Request(
        archive=args.archive,
        cores=args.cores,
        here=args.here,
        data=args.data,
        keep=args.keep,
        python=args.python,
    )
    if args.archive == Path():
        fix = "say which: make verify ARCHIVE=archive/groupwise-....zip"
        raise ArchiveError("ARCHIVE", "no archive is named", fix)
    report = Report()
    try:
        code = verify(request, report)
    except ArchiveError as error:
        report.say(f"{MARK}{error}")
        code = FAILED
    report.say(f"\n{LAST_LINE[code]}")
    FOLDER.mkdir(exist_ok=True)
    target = FOLDER / f"verified-{args.archive.stem}.txt"
    target.write_text("\n".join(report.lines) + "\n", encoding="utf-8")
    print(f"Written to {target}")
    return code


def _has_work(plan: Plan, folder: Path) -> bool:
    return any(
        job.missing or not all((folder / name).exists() for name in job.outputs)
        for job in plan.jobs
    )


def _of_other_commit(folder: Path, plan: Plan, record: dict[str, object]) -> bool:
    """Whether results say that they were made at another commit than the one archived."""
    code = {"commit": record["commit"], "changed": record["changed"]}
    for job in plan.jobs:
        if job.rule == PROVENANCE and all((folder / name).is_file() for name in job.outputs):
            provenance = json.loads((folder / job.outputs[0]).read_text(encoding="utf-8"))
            if provenance["code"] != code:
                return True
    return False


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="archive", description="Archive a run, or verify one.")
    commands = parser.add_subparsers(required=True)
    one = commands.add_parser("make")
    one.add_argument("--dirty", action="store_true")
    one.add_argument("--configfile", nargs="*", default=[])
    one.add_argument("--cores", default="all")
    one.set_defaults(command=make)
    other = commands.add_parser("verify")
    other.add_argument("archive", type=Path)
    other.add_argument("--here", action="store_true")
    other.add_argument("--data", type=Path)
    other.add_argument("--keep", type=Path)
    other.add_argument("--cores", default="all")
    other.add_argument("--python", default="python3")
    other.set_defaults(command=prove)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; a user's mistake ends in one sentence."""
    args = _parser().parse_args(arguments)
    try:
        code: int = args.command(args)
    except ArchiveError as error:
        print(f"{MARK}{error}", file=sys.stderr)
        return FAILED
    except OSError as error:
        print(
            f"{MARK}{error.filename or FOLDER}: {error.strerror}; make room there, or write access."
        )
        return FAILED
    return code


if __name__ == "__main__":
    sys.exit(main())
