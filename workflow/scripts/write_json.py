"""Write all that is known of one dataset as one JSON file, beside its report."""

from pathlib import Path

from job import logged, read_json, read_result, write_text

from groupwise.report.document import document, text

if __name__ == "__main__":
    with logged(snakemake):
        truth = snakemake.input.get("truth")
        files = [Path(path) for path in [*snakemake.input.known, *([truth] if truth else [])]]
        made = document(
            {path.stem: read_result(path, path.stem) for path in files if path.suffix == ".csv"},
            {path.stem: read_json(path) for path in files if path.suffix == ".json"},
        )
        write_text(snakemake.output.json, text(made))
