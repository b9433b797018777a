# Inputs:  data/processed/{dataset}.parquet, results/{dataset}/*.csv, design.json, verdict.json, truth.json
# Outputs: results/{dataset}/figures/{figure}.svg, .png and .txt (the alt text)


rule draw_figure:
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
            lookup("datasets/{dataset}/simulate", within=config, default=False),
            then="results/{dataset}/truth.json",
            otherwise=[],
        ),
        package=package_files("draw_figure", "groupwise.figures.{figure}"),
    output:
        svg="results/{dataset}/figures/{figure}.svg",
        png="results/{dataset}/figures/{figure}.png",
        alt="results/{dataset}/figures/{figure}.txt",
    log:
        "logs/draw_figure/{dataset}/{figure}.log",
    benchmark:
        "benchmarks/jobs/draw_figure/{dataset}/{figure}.jsonl"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=memory("draw_figure"),
        runtime=minutes("draw_figure"),
    message:
        "{wildcards.dataset}: draw {wildcards.figure}"
    script:
        "../scripts/draw_figure.py"
