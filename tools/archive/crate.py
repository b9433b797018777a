"""ro-crate-metadata.json: a Workflow Run RO-Crate (profile 0.5, on RO-Crate 1.1).

Written here and not by a library, which would put the day's date and random identifiers in: every
date is the commit's, and every identifier follows from what it names.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote, unquote

from archive.citation import author_name

NAME = "ro-crate-metadata.json"
CONTEXT = "https://w3id.org/ro/crate/1.1/context"
SPECIFICATION = "https://w3id.org/ro/crate/1.1"
PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": ("Process Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/workflow/0.5": ("Workflow Run Crate", "0.5"),
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": ("Workflow RO-Crate", "1.0"),
}
WORKFLOW = "source/Snakefile"
SNAKEMAKE = "https://w3id.org/workflowhub/workflow-ro-crate#snakemake"
RUN = "#run"
MEDIA = {
    ".csv": "text/csv",
    ".parquet": "application/vnd.apache.parquet",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".html": "text/html",
    ".json": "application/json",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
    ".txt": "text/plain",
    ".md": "text/markdown",
    ".cff": "application/yaml",
}


@dataclass(frozen=True)
class Described:
    """What the crate says: names of files as in the archive, and where they come from."""

    citation: Mapping[str, Any]
    commit: str
    moment: datetime
    snakemake: str
    sizes: Mapping[str, int]
    inputs: Sequence[str]
    outputs: Sequence[str]
    scripts: Sequence[str]
    withheld: Mapping[str, str]


def crate(what: Described) -> dict[str, Any]:
    """The JSON-LD document."""
    graph = [
        _descriptor(),
        _root(what),
        *_profiles(),
        _workflow(what),
        *(_script(name, what) for name in what.scripts),
        _snakemake(what),
        _run(what),
        *_people(what),
        _licence(what),
        _source(),
        *(_file(name, size) for name, size in what.sizes.items() if _is_listed(name, what)),
        *(_withheld(name, sum_) for name, sum_ in what.withheld.items()),
    ]
    return {"@context": CONTEXT, "@graph": _encoded(graph)}


def write_crate(what: Described) -> bytes:
    """The document as it is archived."""
    return (json.dumps(crate(what), indent=2, ensure_ascii=False) + "\n").encode("utf-8")


def check_crate(content: bytes, names: Iterable[str]) -> list[str]:
    """What is wrong with the structure of a crate, in sentences: entities, references, files."""
    try:
        graph = json.loads(content)["@graph"]
        entities = {unquote(entity["@id"]): entity for entity in graph}
    except (ValueError, KeyError, TypeError):
        return [f"{NAME}: it is not JSON-LD with a graph of entities"]
    wrong = [
        f"{NAME}: there is no entity '{each}'" for each in (NAME, "./") if each not in entities
    ]
    if wrong:
        return wrong
    there = set(names)
    for name, entity in entities.items():
        if "File" in _types(entity) and name not in there:
            wrong.append(f"{NAME}: it lists '{name}', which is not in the archive")
    if entities[NAME].get("conformsTo") != {"@id": SPECIFICATION}:
        wrong.append(f"{NAME}: it does not say that it conforms to RO-Crate 1.1")
    main = unquote(entities["./"].get("mainEntity", {}).get("@id", ""))
    if "ComputationalWorkflow" not in _types(entities.get(main, {})):
        wrong.append(f"{NAME}: its main entity is no workflow")
    runs = [each for each in graph if "CreateAction" in _types(each)]
    if not any(each.get("instrument") == {"@id": main} for each in runs):
        wrong.append(f"{NAME}: it holds no run of its workflow")
    return wrong + _dangling(entities)


def _dangling(entities: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """References to entities of the crate's own that are not described."""
    wrong = []
    for entity in entities.values():
        for value in entity.values():
            for each in value if isinstance(value, list) else [value]:
                target = unquote(each.get("@id", "")) if isinstance(each, dict) else ""
                if target and "://" not in target and target not in entities:
                    wrong.append(f"{NAME}: '{target}' is referred to and not described")
    return sorted(set(wrong))


def _encoded(value: Any) -> Any:
    """Identifiers as URIs: a file's name may hold a space."""
    if isinstance(value, list):
        return [_encoded(each) for each in value]
    if not isinstance(value, dict):
        return value
    kept = {key: _encoded(each) for key, each in value.items()}
    if "@id" in kept and "://" not in kept["@id"]:
        kept["@id"] = quote(kept["@id"], safe="/#")
    return kept


def _types(entity: Mapping[str, Any]) -> list[str]:
    kind = entity.get("@type", [])
    return kind if isinstance(kind, list) else [kind]


def _ids(names: Iterable[str]) -> list[dict[str, str]]:
    return [{"@id": name} for name in names]


def _is_listed(name: str, what: Described) -> bool:
    """Files with an entity of their own; the rest of the source is inside `source/`."""
    apart = {WORKFLOW, NAME, "LICENSE", *what.scripts}
    return name not in apart and (not name.startswith("source/") or name in what.inputs)


def _descriptor() -> dict[str, Any]:
    return {
        "@id": NAME,
        "@type": "CreativeWork",
        "conformsTo": {"@id": SPECIFICATION},
        "about": {"@id": "./"},
    }


def _root(what: Described) -> dict[str, Any]:
    parts = [name for name in what.sizes if _is_listed(name, what)]
    return {
        "@id": "./",
        "@type": "Dataset",
        "name": what.citation["title"],
        "description": " ".join(what.citation["abstract"].split()),
        "datePublished": what.moment.isoformat(),
        "license": {"@id": "LICENSE"},
        "creator": _ids(_person(author) for author in what.citation["authors"]),
        "keywords": ", ".join(what.citation["keywords"]),
        "version": what.commit,
        "conformsTo": _ids(PROFILES),
        "mainEntity": {"@id": WORKFLOW},
        "mentions": [{"@id": RUN}],
        "hasPart": _ids([WORKFLOW, *what.scripts, "source/", "LICENSE", *parts]),
    }


def _profiles() -> list[dict[str, Any]]:
    return [
        {"@id": address, "@type": "CreativeWork", "name": name, "version": version}
        for address, (name, version) in PROFILES.items()
    ]


def _workflow(what: Described) -> dict[str, Any]:
    return {
        "@id": WORKFLOW,
        "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow"],
        "name": "Groupwise",
        "description": " ".join(what.citation["abstract"].split()),
        "version": what.commit,
        "programmingLanguage": {"@id": SNAKEMAKE},
        "creator": _ids(_person(author) for author in what.citation["authors"]),
        "dateCreated": what.moment.isoformat(),
        "license": {"@id": "LICENSE"},
        "hasPart": _ids(what.scripts),
    }


def _script(name: str, what: Described) -> dict[str, Any]:
    return {
        "@id": name,
        "@type": ["File", "SoftwareSourceCode"],
        "name": PurePosixPath(name).name,
        "encodingFormat": "text/x-python",
        "contentSize": str(what.sizes[name]),
    }


def _snakemake(what: Described) -> dict[str, Any]:
    return {
        "@id": SNAKEMAKE,
        "@type": "ComputerLanguage",
        "name": "Snakemake",
        "identifier": {"@id": "https://doi.org/10.1093/bioinformatics/bts480"},
        "url": {"@id": "https://snakemake.readthedocs.io"},
        "version": what.snakemake,
    }


def _run(what: Described) -> dict[str, Any]:
    """The run that made the results; its time is the commit's, as the archive knows no clock."""
    objects = [*what.inputs, *(_withheld_id(name) for name in what.withheld)]
    return {
        "@id": RUN,
        "@type": "CreateAction",
        "name": "The run of the workflow that made the results",
        "instrument": {"@id": WORKFLOW},
        "endTime": what.moment.isoformat(),
        "actionStatus": {"@id": "http://schema.org/CompletedActionStatus"},
        "agent": {"@id": _person(what.citation["authors"][0])},
        "object": _ids(objects),
        "result": _ids(what.outputs),
    }


def _people(what: Described) -> list[dict[str, Any]]:
    return [
        {
            "@id": _person(author),
            "@type": "Organization" if "name" in author else "Person",
            "name": author_name(author),
        }
        for author in what.citation["authors"]
    ]


def _person(author: Mapping[str, str]) -> str:
    """The author's ORCID, or an identifier made from the name."""
    made = "".join(letter if letter.isalnum() else "-" for letter in author_name(author).lower())
    return author.get("orcid", f"#{made}")


def _licence(what: Described) -> dict[str, Any]:
    return {
        "@id": "LICENSE",
        "@type": ["File", "CreativeWork"],
        "name": what.citation["license"],
        "identifier": f"https://spdx.org/licenses/{what.citation['license']}",
        "encodingFormat": "text/plain",
    }


def _source() -> dict[str, Any]:
    return {
        "@id": "source/",
        "@type": "Dataset",
        "name": "The project at its commit",
        "description": "Every file of the project, with the raw data: the folder to run it in.",
    }


def _file(name: str, size: int) -> dict[str, Any]:
    media = MEDIA.get(PurePosixPath(name).suffix, "application/octet-stream")
    return {
        "@id": name,
        "@type": "File",
        "name": PurePosixPath(name).name,
        "encodingFormat": media,
        "contentSize": str(size),
    }


def _withheld(name: str, sum_: str) -> dict[str, Any]:
    return {
        "@id": _withheld_id(name),
        "@type": "CreativeWork",
        "name": PurePosixPath(name).name,
        "description": f"Data that are not shared; their sha256 is {sum_}.",
    }


def _withheld_id(name: str) -> str:
    return f"#not-shared-{PurePosixPath(name).name}"
