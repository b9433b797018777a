# Inputs:  config datasets; data/raw/*, data/raw/SHA256SUMS
# Outputs: data/processed/{dataset}.parquet, data/processed/missing/{dataset}.parquet, results/{dataset}/design.json;
#          for simulated data also data/processed/simulated/{dataset}.csv and its true effects


rule simulate_data:
    output:
        data="data/processed/simulated/{dataset}.csv",
        truth="results/{dataset}/truth.json",
    log:
        "logs/simulate_data/{dataset}.log",
    benchmark:
        "benchmarks/jobs/simulate_data/{dataset}.jsonl"
    priority: in_turn
    conda:
        "../../environment.yml"
    resources:
        mem_mb=memory("simulate_data"),
        runtime=minutes("simulate_data"),
    params:
        code=PackageDigest("simulate_data"),
        config_file=SETTINGS.config_file,
        simulate=SETTINGS.value("simulate"),
        roles=SETTINGS.value("roles"),
        reference=SETTINGS.value("reference"),
        effect_as=SETTINGS.value("effect_as", default=None),
    message:
        "{wildcards.dataset}: simulate the data"
    script:
        "../scripts/simulate_data.py"


# A rule of its own: Snakemake removes a rule's earlier output before it runs, and a mistake in the
# data must not cost earlier results.
rule check_data:
    input:
        raw=SETTINGS.raw_file,
        sums=ancient(SUMS_FILES),
    output:
        checked="data/processed/checked/{dataset}.json",
    log:
        "logs/check_data/{dataset}.log",
    benchmark:
        "benchmarks/jobs/check_data/{dataset}.jsonl"
    priority: in_turn
    conda:
        "../../environment.yml"
    resources:
        mem_mb=memory("check_data"),
        runtime=minutes("check_data"),
    params:
        code=PackageDigest("check_data", "raw_table.statistical_program"),
        settings=SETTINGS.ingest,
        sha256=listed_sha256,
    message:
        "{wildcards.dataset}: check the data"
    script:
        "../scripts/check_data.py"


rule ingest_data:
    input:
        raw=SETTINGS.raw_file,
        checked="data/processed/checked/{dataset}.json",
    output:
        data="data/processed/{dataset}.parquet",
        missing="data/processed/missing/{dataset}.parquet",
        design="results/{dataset}/design.json",
    log:
        "logs/ingest_data/{dataset}.log",
    benchmark:
        "benchmarks/jobs/ingest_data/{dataset}.jsonl"
    priority: in_turn
    conda:
        "../../environment.yml"
    resources:
        mem_mb=memory("ingest_data"),
        runtime=minutes("ingest_data"),
    params:
        code=PackageDigest("ingest_data", "raw_table.statistical_program"),
        settings=SETTINGS.ingest,
        sha256=listed_sha256,
        title=SETTINGS.value("title"),
        note=SETTINGS.value("note", default=""),
        simulated=SETTINGS.value("simulate", default=False),
    message:
        "{wildcards.dataset}: read the data"
    script:
        "../scripts/ingest_data.py"
