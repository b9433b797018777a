# Inputs:  data/processed/{dataset}.parquet, results/{dataset}/design.json
# Outputs: results/{dataset}/*.csv (see workflow/scripts/groupwise/catalogue/tables.py for their columns)

MODEL_TABLES = made_by("fit_specification")


rule fit_specification:
    input:
        data="data/processed/{dataset}.parquet",
        design="results/{dataset}/design.json",
        package=package_files(
            "fit_specification", f"{METHODS_PACKAGE}.{{specification}}"
        ),
    output:
        **{
            name: f"results/{{dataset}}/specifications/{{specification}}/{file}"
            for name, file in MODEL_TABLES.items()
        },
    log:
        "logs/fit_specification/{dataset}/{specification}.log",
    benchmark:
        "benchmarks/jobs/fit_specification/{dataset}/{specification}.jsonl"
    priority: in_turn
    conda:
        "../../environment.yml"
    resources:
        mem_mb=memory("fit_specification"),
        runtime=minutes("fit_specification"),
    params:
        resampling=config["resampling"],
    message:
        "{wildcards.dataset}: fit the {wildcards.specification} specification"
    script:
        "../scripts/fit_specification.py"


rule combine_results:
    input:
        **{
            name: expand(
                "results/{{dataset}}/specifications/{specification}/{file}",
                specification=SPECIFICATIONS,
                file=file,
            )
            for name, file in MODEL_TABLES.items()
        },
        package=package_files("combine_results"),
    output:
        **{name: f"results/{{dataset}}/{file}" for name, file in MODEL_TABLES.items()},
    log:
        "logs/combine_results/{dataset}.log",
    benchmark:
        "benchmarks/jobs/combine_results/{dataset}.jsonl"
    priority: in_turn
    conda:
        "../../environment.yml"
    resources:
        mem_mb=memory("combine_results"),
        runtime=minutes("combine_results"),
    params:
        methods=NAMES,
    message:
        "{wildcards.dataset}: put the results together"
    script:
        "../scripts/combine_results.py"


rule ask_statsmodels:
    input:
        data="data/processed/{dataset}.parquet",
        design="results/{dataset}/design.json",
        estimates="results/{dataset}/estimates.csv",
        fit_statistics="results/{dataset}/fit_statistics.csv",
        variance_components="results/{dataset}/variance_components.csv",
        package=package_files("ask_statsmodels"),
    output:
        agreement="results/{dataset}/agreement.csv",
    log:
        "logs/ask_statsmodels/{dataset}.log",
    benchmark:
        "benchmarks/jobs/ask_statsmodels/{dataset}.jsonl"
    priority: in_turn
    conda:
        "../../environment.yml"
    resources:
        mem_mb=memory("ask_statsmodels"),
        runtime=minutes("ask_statsmodels"),
    message:
        "{wildcards.dataset}: fit the same models with statsmodels"
    script:
        "../scripts/ask_statsmodels.py"


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
        agreement="results/{dataset}/agreement.csv",
        data="data/processed/{dataset}.parquet",
        design="results/{dataset}/design.json",
        missing="data/processed/missing/{dataset}.parquet",
        package=package_files("check_model"),
    output:
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
    message:
        "{wildcards.dataset}: check the model"
    script:
        "../scripts/check_model.py"


rule adjust_families:
    input:
        estimates=expand("results/{dataset}/estimates.csv", dataset=FAMILIES),
        package=package_files("adjust_families"),
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
        package=package_files("record_provenance"),
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
        seed=SETTINGS.value("simulate", "seed", default=None),
    message:
        "{wildcards.dataset}: record how the results were made"
    script:
        "../scripts/record_provenance.py"
