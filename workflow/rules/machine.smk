# Inputs:  results/{dataset}/*.csv and *.json, see KNOWN
# Outputs: reports/rendered/{dataset}.json

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


rule write_json:
    input:
        known=KNOWN,
        truth=branch(
            lookup("datasets/{dataset}/simulate", within=config, default=False),
            then="results/{dataset}/truth.json",
            otherwise=[],
        ),
        package=package_files("write_json"),
    output:
        json="reports/rendered/{dataset}.json",
    log:
        "logs/write_json/{dataset}.log",
    benchmark:
        "benchmarks/jobs/write_json/{dataset}.jsonl"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=memory("write_json"),
        runtime=minutes("write_json"),
    message:
        "{wildcards.dataset}: write the results as JSON"
    script:
        "../scripts/write_json.py"
