"""Print the JSON Schema of reports/rendered/{dataset}.json; `--write` puts it where it belongs.

python tools/setup/results_schema.py --write
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

SCRIPTS = Path(__file__).parents[2] / "workflow" / "scripts"
SCHEMA = SCRIPTS.parent / "schemas" / "results.schema.json"
sys.path.insert(0, str(SCRIPTS))

from groupwise.report.document import schema  # noqa: E402


def written() -> str:
    """The schema as its file has it."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    """Print the schema, or write it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--write", action="store_true", help=f"write {SCHEMA.name}")
    if parser.parse_args().write:
        SCHEMA.write_text(written(), encoding="utf-8")
    else:
        print(written(), end="")


if __name__ == "__main__":
    main()
