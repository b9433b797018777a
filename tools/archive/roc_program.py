"""Validate a crate with roc-validator, without a network; run by the Python that has it (see roc.py).

    python roc_program.py FOLDER

The validator fetches the JSON-LD context that a crate names. Here it gets one made of the terms that our
crates use, with the meaning that RO-Crate 1.1 gives them, so that any other term is an error too.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import requests
from rocrate_validator import services
from rocrate_validator.models import ValidationSettings
from rocrate_validator.utils.http import HttpRequester

CONTEXT = "https://w3id.org/ro/crate/1.1/context"
PROFILES = (
    "ro-crate-1.1",
    "workflow-ro-crate-1.0",
    "process-run-crate-0.5",
    "workflow-run-crate-0.5",
)
SCHEMA_ORG = (
    *("about", "actionStatus", "agent", "contentSize", "creator", "dateCreated", "datePublished"),
    *(
        "description",
        "encodingFormat",
        "endTime",
        "hasPart",
        "identifier",
        "instrument",
        "keywords",
    ),
    *("license", "mainEntity", "mentions", "name", "object", "programmingLanguage", "result"),
    *("url", "version", "ComputerLanguage", "CreateAction", "CreativeWork", "Dataset"),
    *("Organization", "Person", "SoftwareSourceCode"),
)
TERMS = {term: f"http://schema.org/{term}" for term in SCHEMA_ORG} | {
    "File": "http://schema.org/MediaObject",
    "ComputationalWorkflow": "https://bioschemas.org/ComputationalWorkflow",
    "conformsTo": "http://purl.org/dc/terms/conformsTo",
}


def answer(_self: HttpRequester, url: str, *_: object, **__: object) -> requests.Response:
    """What the network would say: the context, and nothing else."""
    response = requests.Response()
    response.url = url
    response.status_code = 200 if str(url) == CONTEXT else 404
    response.headers["Content-Type"] = "application/ld+json"
    response._content = json.dumps({"@context": TERMS}).encode() if response.ok else b"{}"
    return response


def issues(folder: Path, profile: str) -> list[str]:
    """Issues of severity REQUIRED under one profile."""
    settings = ValidationSettings(
        rocrate_uri=str(folder), profile_identifier=profile, requirement_severity="REQUIRED"
    )
    reported = services.validate(settings).get_issues()
    return sorted({f"{profile}: {' '.join(str(each.message).split())}" for each in reported})


def main() -> None:
    """Print a line for each profile and exit with 0, or the issues and exit with 1."""
    HttpRequester.get = answer
    HttpRequester.head = answer
    folder = Path(sys.argv[1])
    problems = [issue for profile in PROFILES for issue in issues(folder, profile)]
    print(
        "\n".join(problems)
        if problems
        else f"Profiles: {', '.join(PROFILES)}: all required checks pass."
    )
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
