"""The archive's README.md, with the sections that data editors of journals ask for.

Order and headings are those of the template of the Social Science Data Editors (`REFERENCES`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from archive.citation import author_name
from archive.codebook import section
from archive.exhibits import Exhibit
from archive.runtimes import RuleRuntime, Runtime, by_rule
from archive.sbom import MISSING

SHOWN = ("table", "figure", "page")
CERTIFIED = """\
What is known of the rights in each file stands in its section below, as in `data/README.md`.
Simulated data are under the licence of the code. To be certified by who deposits this package:

- [ ] The authors have legitimate access to, and permission to use, the data used here.
- [ ] The authors have permission to redistribute the data in this package.
"""
INSTALLATION = "About 0.9 GB of disk for the environment, and one or two minutes to install it."
REFERENCES = """\
- Vilhuber, L., Connolly, M., Koren, M., Llull, J., and Morrow, P. (2022). A template README for
  social science replication packages. doi:10.5281/zenodo.7293838
- The data: see the section on each data source above.
- The methods: source/reports/references.bib.
"""


@dataclass(frozen=True)
class Facts:
    """What the page is written from."""

    citation: Mapping[str, Any]
    commit: str
    moment: datetime
    changed: Sequence[str]
    config: Mapping[str, Any]
    config_files: Sequence[str]
    environment: Mapping[str, Any]
    has_bill: bool
    exhibits: Sequence[Exhibit]
    runtimes: Sequence[Runtime]
    raw: Mapping[str, Any]
    page: str
    withheld: Mapping[str, str]
    size: int


def write_readme(facts: Facts) -> bytes:
    """README.md."""
    parts = [
        _overview(facts),
        _availability(facts),
        _datasets(facts),
        _computing(facts),
        _programs(facts),
        _instructions(facts),
        _exhibits(facts),
        "## References\n\n" + REFERENCES,
    ]
    return "\n".join(parts).encode("utf-8")


def _overview(facts: Facts) -> str:
    authors = "; ".join(author_name(author) for author in facts.citation["authors"])
    version, cores = facts.citation["version"], facts.environment["cores"]
    minutes = sum(each.seconds for each in facts.runtimes) / 60
    return f"""\
# Replication package: {_one_line(facts.citation["title"])}

Authors: {authors}. Version {version}, commit {facts.commit} of {facts.moment:%Y-%m-%d}.
{_changes(facts)}
## Overview

The code in this package makes every table, figure and page in it from the data listed below, by
one workflow (`source/Snakefile`, run by Snakemake). Its jobs took {minutes:.1f} minutes together, on a
machine with {cores} cores. `exhibits.csv` says which rule and which script made each file, `SHA256SUMS`
holds the sum of every file, and `ro-crate-metadata.json` describes the package to machines (a
Workflow Run RO-Crate).

{"".join(_titled(facts))}"""


def _changes(facts: Facts) -> str:
    if not facts.changed:
        return ""
    names = "".join(f"- {name}\n" for name in facts.changed)
    what = "**These files were changed since that commit** (the changes are in `changes.patch`):"
    return f"\n{what}\n\n{names}"


def _availability(facts: Facts) -> str:
    open_ones = [name for name in facts.raw if name not in facts.withheld]
    closed = [name for name in facts.raw if name in facts.withheld]
    summary = "All data are in this package."
    if closed:
        summary = "Some data cannot be made publicly available."
    if not facts.raw:
        summary = "No data were collected: all datasets are simulated by the code in this package."
    lines = [f"- `{name}`: in this package, `source/{name}`.\n" for name in open_ones]
    lines += [
        f"- `{name}`: **not in this package** (`share: false`). Its sha256 is {facts.withheld[name]}; "
        "its columns are in `data/codebook.json`. Who has the file names its folder to `make verify` "
        "(DATA=that/folder).\n"
        for name in closed
    ]
    return (
        "## Data availability and provenance statements\n\n### Statement about rights\n\n"
        + _rights(facts)
        + f"\n### Summary of availability\n\n{summary}\n\n{''.join(lines)}\n"
        + "### Details on each data source\n\n"
        + "".join(_source(facts, name) for name in facts.raw)
        + "".join(_simulation(name, block) for name, block in _simulated(facts))
    )


def _rights(facts: Facts) -> str:
    if not facts.raw:
        return "Simulated data are under the licence of the code.\n"
    return CERTIFIED


def _source(facts: Facts, name: str) -> str:
    text = section(facts.page, name)
    if not text:
        text = "`data/README.md` has no section about this file.\n"
    return f"#### {name}\n\n{_demoted(text)}\n\n"


def _demoted(text: str) -> str:
    """Headings two levels further down, so that a section of another page fits below a source."""
    return re.sub(r"^(#{3,4}) ", r"\1## ", text, flags=re.MULTILINE)


def _simulation(name: str, block: Mapping[str, Any]) -> str:
    text = f"Simulated by the code with the seed {block['simulate']['seed']}; "
    return f"#### {name}\n\n{text}`config.resolved.yaml` holds every parameter.\n\n"


def _simulated(facts: Facts) -> Iterator[tuple[str, Mapping[str, Any]]]:
    return (
        (name, block) for name, block in facts.config["datasets"].items() if "simulate" in block
    )


def _datasets(facts: Facts) -> str:
    rows = []
    for name, block in facts.config["datasets"].items():
        file = block.get("file", "simulated")
        entry = facts.raw.get(file, {})
        shape = (entry.get("rows", "-"), len(entry.get("columns", ())) or "-")
        provided = "no" if file in facts.withheld else "yes"
        rows.append((f"{name}: {_one_line(block['title'])}", f"`{file}`", *shape, provided))
    text = "## Dataset list\n\n" + _table(["dataset", "file", "rows", "columns", "provided"], rows)
    for name, entry in facts.raw.items():
        columns = entry["columns"]
        lines = [
            (each["name"], each["type"], each["missing"], each["distinct"]) for each in columns
        ]
        text += f"\n### Codebook of {name}\n\nsha256 {entry['sha256']}, {entry['bytes']} bytes.\n\n"
        text += _table(["column", "type", "missing", "distinct values"], lines)
    meaning = "What each column means, and its unit: the sections above, and `data/README.md`.\n"
    return text + ("\n" + meaning if facts.raw else "")


def _computing(facts: Facts) -> str:
    here = facts.environment
    blas = f"{here['blas']['library']}, kernel {here['blas']['kernel']}"
    threads = ", ".join(f"{key}={value}" for key, value in here["threads"].items()) or "none set"
    peak = max((each.peak_mb for each in facts.runtimes if each.peak_mb == each.peak_mb), default=0)
    return f"""\
## Computational requirements

### Software

{here["python"]} and the packages in `environment/requirements.lock` (with hashes; for conda:
`environment/environment.yml`); pages by: {here["renderer"]}. Run on {here["system"]} {here["machine"]}
({here["libc"]}). BLAS: {blas}; thread variables: {threads}. All {len(here["packages"])} installed
versions are in `environment/environment.json`. {_bill(facts)}

### Controlled randomness

{_seeds(facts.config)}
Results depend neither on the number of cores nor on the order of jobs. In every job, Snakemake sets the
threads of BLAS to those that its rule declares.

### Memory, runtime, storage

Measured while the results were made (`runtimes.csv`). The largest job took {peak:.0f} MB of memory.
{INSTALLATION} This package takes {facts.size / 1e6:.1f} MB.

{_runtime_table(by_rule(facts.runtimes))}"""


def _bill(facts: Facts) -> str:
    if facts.has_bill:
        return "With their licences: `environment/sbom.cdx.json`, a CycloneDX bill of materials."
    return f"There is no bill of materials, because {MISSING}."


def _seeds(config: Mapping[str, Any]) -> str:
    seeds = list(_seeds_in(config, ()))
    if not seeds:
        return "No seed is set in the configuration.\n"
    return "Seeds, all set in `config.resolved.yaml`:\n\n" + "".join(
        f"- `{'.'.join(path)}`: {value}\n" for path, value in seeds
    )


def _seeds_in(value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    for key, below in value.items() if isinstance(value, Mapping) else ():
        if key == "seed":
            yield (*path, key), below
        else:
            yield from _seeds_in(below, (*path, str(key)))


def _runtime_table(rules: Iterable[RuleRuntime]) -> str:
    rows = [
        (
            f"`{each.rule}`",
            each.jobs,
            f"{each.seconds:.1f}",
            f"{each.longest:.1f}",
            _mb(each.peak_mb),
        )
        for each in rules
    ]
    return _table(["rule", "jobs", "seconds, all", "seconds, longest", "peak MB"], rows)


def _mb(value: float) -> str:
    return "-" if value != value else f"{value:.0f}"


def _programs(facts: Facts) -> str:
    scripts = sorted({(each.script, each.rule) for each in facts.exhibits if each.script})
    made = {
        rule: sorted({each.kind for each in facts.exhibits if each.rule == rule})
        for _, rule in scripts
    }
    rows = [(f"`source/{script}`", f"`{rule}`", ", ".join(made[rule])) for script, rule in scripts]
    return f"""\
## Description of programs

`source/` is the project at its commit. `source/workflow/rules/` holds the rules,
`source/workflow/scripts/` a thin script for each, and `source/workflow/scripts/groupwise/` the
package that does the statistics. Licence of the code: {facts.citation["license"]} (`LICENSE`).

{_table(["program", "rule", "makes"], rows)}"""


def _instructions(facts: Facts) -> str:
    further = [name for name in facts.config_files if name != "config.yaml"]
    config = f" CONFIG={further[0]}" if further else ""
    return f"""\
## Instructions to replicators

With Python 3.11 or later (with venv and pip), git and make, on Linux or macOS:

    unzip THIS_FILE.zip -d package && cd package/source
    make report{config}          # everything again: source/results/, source/reports/rendered/

To prove this package and to compare what is made again with what it holds:

    make verify ARCHIVE=path/to/THIS_FILE.zip

`verify` checks every sum, unpacks into an empty folder, rebuilds the environment from the lock, runs
the workflow and compares: tables within the tolerances of `tolerances.yaml`, figures and pages byte
for byte where the platform is the same. `config.resolved.yaml` is the configuration with all its
defaults.
"""


def _exhibits(facts: Facts) -> str:
    rows = [
        (f"`{each.file}`", each.kind, _program(each), f"`{each.rule}`", _where(each))
        for each in facts.exhibits
        if each.kind in SHOWN and each.file.startswith(("results/", "reports/"))
    ]
    head = "## List of tables, figures and programs\n\nEvery file is in `exhibits.csv`.\n\n"
    return head + _table(["file", "kind", "program", "rule", "in this package"], rows)


def _program(each: Exhibit) -> str:
    return " ".join(f"`source/{name}`" for name in filter(None, [each.script, *each.code.split()]))


def _where(each: Exhibit) -> str:
    return "yes" if each.archived == "yes" else f"no: {each.archived}"


def _titled(facts: Facts) -> Iterator[str]:
    """A line for each dataset."""
    for name, block in facts.config["datasets"].items():
        yield f"- `{name}`: {_one_line(block['title'])}\n"


def _table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [list(header), ["---"] * len(header), *rows]
    return "".join("| " + " | ".join(_cell(each) for each in line) + " |\n" for line in lines)


def _cell(value: object) -> str:
    return _one_line(str(value)).replace("|", "\\|")


def _one_line(text: str) -> str:
    return " ".join(text.split())
