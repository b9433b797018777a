# Inputs:  results/{dataset}/*.csv and *.json, see KNOWN
# Outputs: reports/rendered/{dataset}.json, and their schema results.schema.json

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


rule write_json:
    input:
        known=KNOWN,
        truth=branch(
            SETTINGS.value("simulate", default=False),
            then="results/{dataset}/truth.json",
            otherwise=[],
        ),
    output:
        json="reports/rendered/{dataset}.json",
    log:
        "logs/write_json/{dataset}.log",
    benchmark:
        "benchmarks/jobs/write_json/{dataset}.jsonl"
    priority: in_turn
    conda:
        "../../environment.yml"
    resources:
        mem_mb=memory("write_json"),
        runtime=minutes("write_json"),
    params:
        code=PackageDigest("write_json"),
    message:
        "{wildcards.dataset}: write the results as JSON"
    script:
        "../scripts/write_json.py"


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
