# Inputs:  data/processed/{dataset}.parquet, results/{dataset}/design.json
# Outputs: results/{dataset}/influence.csv, sensitivity.csv, profile.csv: the models fitted again


rule check_sensitivity:
    input:
        data="data/processed/{dataset}.parquet",
        design="results/{dataset}/design.json",
    output:
        **{
            name: f"results/{{dataset}}/{file}"
            for name, file in made_by("check_sensitivity").items()
        },
    log:
        "logs/check_sensitivity/{dataset}.log",
    benchmark:
        "benchmarks/jobs/check_sensitivity/{dataset}.jsonl"
    priority: expensive_in_turn
    conda:
        "../../environment.yml"
    resources:
        mem_mb=memory("check_sensitivity"),
        runtime=minutes("check_sensitivity"),
    params:
        code=PackageDigest("check_sensitivity", *METHOD_MODULES),
    message:
        "{wildcards.dataset}: fit the models again"
    script:
        "../scripts/check_sensitivity.py"
