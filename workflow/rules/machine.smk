# Inputs:  results/{dataset}/*.csv and *.json, see KNOWN
# Outputs: reports/rendered/{dataset}.json, and their schema results.schema.json; {dataset}_tables.docx and .tex

# All that the JSON of a dataset holds: tables of the catalogue, and further JSON files by their names.
KNOWN = [
    "results/{dataset}/design.json",
    "results/{dataset}/provenance.json",
    "results/{dataset}/process.json",
    "results/{dataset}/calibration.json",
    "results/{dataset}/verdict.json",
    *(f"results/{{dataset}}/{file_of(table)}" for table in IN_JSON),
]
MADE += expand("reports/rendered/{dataset}.json", dataset=config["datasets"])
MADE.append("reports/rendered/results.schema.json")


# What other programs read: one job, since each file alone would cost less than its start.
rule write_exports:
    input:
        known=KNOWN,
        shown=SHOWN,
        truth=branch(
            SETTINGS.value("simulate", default=False),
            then="results/{dataset}/truth.json",
            otherwise=[],
        ),
        bibliographies=BIBLIOGRAPHIES,
    output:
        json="reports/rendered/{dataset}.json",
        docx="reports/rendered/{dataset}_tables.docx",
        tex="reports/rendered/{dataset}_tables.tex",
    log:
        "logs/write_exports/{dataset}.log",
    benchmark:
        "benchmarks/jobs/write_exports/{dataset}.jsonl"
    priority: in_turn
    conda:
        "../../environment.yml"
    resources:
        mem_mb=memory("write_exports"),
        runtime=minutes("write_exports"),
    params:
        code=PackageDigest("write_exports"),
    message:
        "{wildcards.dataset}: write the results as JSON, and the tables for a paper"
    script:
        "../scripts/write_exports.py"


rule write_schema:
    output:
        schema="reports/rendered/results.schema.json",
    log:
        "logs/write_schema.log",
    benchmark:
        "benchmarks/jobs/write_schema.jsonl"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=memory("write_schema"),
        runtime=minutes("write_schema"),
    params:
        code=PackageDigest("write_schema"),
    message:
        "write the schema of the results in JSON"
    script:
        "../scripts/write_schema.py"
