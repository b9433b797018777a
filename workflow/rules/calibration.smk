# Inputs:  data/processed/{dataset}.parquet, results/{dataset}/design.json, process.json, estimates.csv;
#          assumed effects
# Outputs: results/{dataset}/calibration.csv and .json, verdict.csv and .json, planning.csv,
#          planning_periods.csv

# A dataset's simulations in so many jobs; an interrupted run goes on with those that are missing.
CHUNKS = config["calibration"]["jobs"]


# A rule of its own, as for the data: a mistake must not cost earlier results.
rule check_effects:
    input:
        design="results/{dataset}/design.json",
    output:
        checked="data/processed/checked/{dataset}.effects.json",
    log:
        "logs/check_effects/{dataset}.log",
    benchmark:
        "benchmarks/jobs/check_effects/{dataset}.jsonl"
    priority: in_turn
    conda:
        "../../environment.yml"
    resources:
        mem_mb=memory("check_effects"),
        runtime=minutes("check_effects"),
    params:
        code=PackageDigest("check_effects"),
        config_file=SETTINGS.config_file,
        effects=SETTINGS.value("assumed_effects", default={}),
    message:
        "{wildcards.dataset}: check the assumed effects"
    script:
        "../scripts/check_effects.py"


rule simulate_calibration:
    input:
        data="data/processed/{dataset}.parquet",
        design="results/{dataset}/design.json",
        process="results/{dataset}/process.json",
        effects=SETTINGS.checked_effects,
    output:
        sums="results/{dataset}/calibration/{chunk}-of-{chunks}.parquet",
    log:
        "logs/simulate_calibration/{dataset}/{chunk}-of-{chunks}.log",
    benchmark:
        "benchmarks/jobs/simulate_calibration/{dataset}/{chunk}-of-{chunks}.jsonl"
    wildcard_constraints:
        chunk="[0-9]+",
        chunks="[0-9]+",
    priority: expensive_in_turn
    conda:
        "../../environment.yml"
    resources:
        mem_mb=memory("simulate_calibration"),
        runtime=minutes("simulate_calibration"),
    params:
        code=PackageDigest("simulate_calibration", *METHOD_MODULES),
        config_file=SETTINGS.config_file,
        options=SETTINGS.calibration,
        criterion=SETTINGS.criterion,
        methods=costs(),
    message:
        "{wildcards.dataset}: simulate, part {wildcards.chunk} of {wildcards.chunks}"
    script:
        "../scripts/simulate_calibration.py"


# Reads no data: what was simulated follows from the design and the estimated process.
rule judge_methods:
    input:
        design="results/{dataset}/design.json",
        process="results/{dataset}/process.json",
        estimates="results/{dataset}/estimates.csv",
        effects=SETTINGS.checked_effects,
        sums=expand(
            "results/{{dataset}}/calibration/{chunk}-of-{chunks}.parquet",
            chunk=range(1, CHUNKS + 1),
            chunks=CHUNKS,
        ),
    output:
        calibration="results/{dataset}/calibration.csv",
        overview="results/{dataset}/calibration.json",
        methods="results/{dataset}/verdict.csv",
        verdict="results/{dataset}/verdict.json",
    log:
        "logs/judge_methods/{dataset}.log",
    benchmark:
        "benchmarks/jobs/judge_methods/{dataset}.jsonl"
    priority: in_turn
    conda:
        "../../environment.yml"
    resources:
        mem_mb=memory("judge_methods"),
        runtime=minutes("judge_methods"),
    params:
        code=PackageDigest("judge_methods"),
        config_file=SETTINGS.config_file,
        options=SETTINGS.calibration,
        effects_are=SETTINGS.effects_are,
        methods=NAMES,
        headline=SETTINGS.headline,
        rules=config["verdict"],
    message:
        "{wildcards.dataset}: put the simulations together, and judge the methods"
    script:
        "../scripts/judge_methods.py"


rule plan_experiment:
    input:
        data="data/processed/{dataset}.parquet",
        design="results/{dataset}/design.json",
        process="results/{dataset}/process.json",
        effects=SETTINGS.checked_effects,
    output:
        **{
            name: f"results/{{dataset}}/{file}"
            for name, file in made_by("plan_experiment").items()
        },
    log:
        "logs/plan_experiment/{dataset}.log",
    benchmark:
        "benchmarks/jobs/plan_experiment/{dataset}.jsonl"
    priority: expensive_in_turn
    conda:
        "../../environment.yml"
    resources:
        mem_mb=memory("plan_experiment"),
        runtime=minutes("plan_experiment"),
    params:
        code=PackageDigest("plan_experiment", *METHOD_MODULES),
        config_file=SETTINGS.config_file,
        options=SETTINGS.calibration,
        effect=SETTINGS.value("effect_to_find", default=None),
        power=config["planning"]["power"],
        methods=NAMES,
        curves=CURVES,
    message:
        "{wildcards.dataset}: plan an experiment like this"
    script:
        "../scripts/plan_experiment.py"
