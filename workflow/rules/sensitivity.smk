# Inputs:  data/processed/{dataset}.parquet, results/{dataset}/design.json
# Outputs: results/{dataset}/influence.csv, sensitivity.csv, profile.csv: the models fitted again

SENSITIVITY_TABLES = ["influence", "sensitivity", "profile"]


rule check_sensitivity:
    input:
        data="data/processed/{dataset}.parquet",
        design="results/{dataset}/design.json",
        package=package(
            "algebra.py",
            "words.py",
            "design.py",
            "models",
            "inference",
            "specifications/__init__.py",
            "specifications/group_means.py",
            "diagnostics/__init__.py",
            "diagnostics/refit.py",
            "diagnostics/influence.py",
            "diagnostics/sensitivity.py",
            "diagnostics/profile.py",
        ),
    output:
        **{table: f"results/{{dataset}}/{table}.csv" for table in SENSITIVITY_TABLES},
    log:
        "logs/check_sensitivity/{dataset}.log",
    benchmark:
        "benchmarks/jobs/check_sensitivity/{dataset}.jsonl"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=memory("check_sensitivity"),
        runtime=minutes("check_sensitivity"),
    message:
        "{wildcards.dataset}: fit the models again"
    script:
        "../scripts/check_sensitivity.py"
