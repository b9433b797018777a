# Inputs:  data/raw/{file}, described in config.yaml or not
# Outputs: results/describe/{file}.txt, on request: snakemake results/describe/clinics.csv.txt


rule describe_file:
    input:
        raw="data/raw/{file}",
    output:
        page="results/describe/{file}.txt",
    log:
        "logs/describe_file/{file}.log",
    benchmark:
        "benchmarks/jobs/describe_file/{file}.jsonl"
    wildcard_constraints:
        file="[^/]+",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=memory("describe_file"),
        runtime=minutes("describe_file"),
    params:
        code=PackageDigest("describe_file", "raw_table.statistical_program"),
    message:
        "{wildcards.file}: describe the file"
    script:
        "../scripts/describe_file.py"
