# Inputs:  data/processed/{dataset}.parquet, results/{dataset}/design.json
# Outputs: results/{dataset}/process.json and *.csv (see workflow/scripts/groupwise/catalogue/tables.py for their columns)

MODEL_TABLES = made_by("fit_models")


# One job for all specifications, and for how outcomes vary, which is simulated and planned from: they
# share the sample, and each alone would cost less than its start.
rule fit_models:
    input:
        data="data/processed/{dataset}.parquet",
        design="results/{dataset}/design.json",
    output:
        **{name: f"results/{{dataset}}/{file}" for name, file in MODEL_TABLES.items()},
        process="results/{dataset}/process.json",
    log:
        "logs/fit_models/{dataset}.log",
    benchmark:
        "benchmarks/jobs/fit_models/{dataset}.jsonl"
    priority: in_turn
    conda:
        "../../environment.yml"
    resources:
        mem_mb=memory("fit_models"),
        runtime=minutes("fit_models"),
    params:
        code=PackageDigest("fit_models", *METHOD_MODULES),
        resampling=config["resampling"],
        methods=NAMES,
    message:
        "{wildcards.dataset}: fit the models"
    script:
        "../scripts/fit_models.py"


# Asks statsmodels for the same fits too, in this job: both load the statistics of scipy.
rule check_model:
    input:
        **{
            name: f"results/{{dataset}}/{MODEL_TABLES[name]}"
            for name in (
                "estimates",
                "exposure",
                "fit_statistics",
                "random_effects",
                "residuals",
                "variance_components",
            )
        },
        data="data/processed/{dataset}.parquet",
        design="results/{dataset}/design.json",
        missing="data/processed/missing/{dataset}.parquet",
    output:
        agreement="results/{dataset}/agreement.csv",
        diagnostics="results/{dataset}/diagnostics.csv",
    log:
        "logs/check_model/{dataset}.log",
    benchmark:
        "benchmarks/jobs/check_model/{dataset}.jsonl"
    priority: in_turn
    conda:
        "../../environment.yml"
    resources:
        mem_mb=memory("check_model"),
        runtime=minutes("check_model"),
    params:
        code=PackageDigest("check_model"),
    message:
        "{wildcards.dataset}: check the model"
    script:
        "../scripts/check_model.py"


rule adjust_families:
    input:
        estimates=expand("results/{dataset}/estimates.csv", dataset=FAMILIES),
    output:
        families="results/families.csv",
    log:
        "logs/adjust_families.log",
    benchmark:
        "benchmarks/jobs/adjust_families.jsonl"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=memory("adjust_families"),
        runtime=minutes("adjust_families"),
    params:
        code=PackageDigest("adjust_families"),
        families=FAMILIES,
        methods=NAMES,
    message:
        "adjust p-values for several outcomes"
    script:
        "../scripts/adjust_families.py"


rule record_provenance:
    input:
        design="results/{dataset}/design.json",
        diagnostics="results/{dataset}/diagnostics.csv",
    output:
        provenance="results/{dataset}/provenance.json",
    log:
        "logs/record_provenance/{dataset}.log",
    benchmark:
        "benchmarks/jobs/record_provenance/{dataset}.jsonl"
    priority: in_turn
    conda:
        "../../environment.yml"
    resources:
        mem_mb=memory("record_provenance"),
        runtime=minutes("record_provenance"),
    params:
        code=PackageDigest("record_provenance"),
        seed=SETTINGS.value("simulate", "seed", default=None),
    message:
        "{wildcards.dataset}: record how the results were made"
    script:
        "../scripts/record_provenance.py"
