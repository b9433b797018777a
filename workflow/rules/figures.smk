# Inputs:  data/processed/{dataset}.parquet, results/{dataset}/*.csv, design.json, verdict.json, truth.json
# Outputs: results/{dataset}/figures/{figure}.svg, .png and .txt (the alt text)


# All figures of a dataset in one job: starting Python takes as long as drawing one.
rule draw_figures:
    input:
        data="data/processed/{dataset}.parquet",
        design="results/{dataset}/design.json",
        estimates="results/{dataset}/estimates.csv",
        marginal_means="results/{dataset}/marginal_means.csv",
        random_effects="results/{dataset}/random_effects.csv",
        residuals="results/{dataset}/residuals.parquet",
        variance_components="results/{dataset}/variance_components.csv",
        calibration="results/{dataset}/calibration.csv",
        planning="results/{dataset}/planning.csv",
        verdict="results/{dataset}/verdict.csv",
        lead="results/{dataset}/verdict.json",
        exposure="results/{dataset}/exposure.csv",
        fit_statistics="results/{dataset}/fit_statistics.csv",
        influence="results/{dataset}/influence.csv",
        profile="results/{dataset}/profile.csv",
        randomization="results/{dataset}/randomization.csv",
        truth=branch(
            SETTINGS.value("simulate", default=False),
            then="results/{dataset}/truth.json",
            otherwise=[],
        ),
    output:
        **figure_files(figures_needing("")),
    log:
        "logs/draw_figures/{dataset}.log",
    benchmark:
        "benchmarks/jobs/draw_figures/{dataset}.jsonl"
    priority: in_turn
    conda:
        "../../environment.yml"
    resources:
        mem_mb=memory("draw_figures"),
        runtime=minutes("draw_figures"),
    params:
        code=PackageDigest("draw_figures", *FIGURE_MODULES),
    message:
        "{wildcards.dataset}: draw the figures"
    script:
        "../scripts/draw_figures.py"


# Asked for where a column says when rows were measured.
use rule draw_figures as draw_period_figures with:
    output:
        **figure_files(figures_needing("period")),
    log:
        "logs/draw_period_figures/{dataset}.log",
    benchmark:
        "benchmarks/jobs/draw_period_figures/{dataset}.jsonl"
    message:
        "{wildcards.dataset}: draw the figures of periods"
