# Inputs:  config.yaml (its section `study`), reports/study.qmd
# Outputs: results/study/calibration.csv, axes.csv, rates.csv, study.json and figures/; and
#          reports/rendered/study.html. Made by `make study`, and by nothing else.

STUDY = config["study"]
STUDY_CHUNKS = STUDY["jobs"]
# Into how many jobs the study is cut changes nothing in it.
STUDY_OPTIONS = {key: value for key, value in STUDY.items() if key != "jobs"}
STUDY_FIGURES = modules(SCRIPTS / "groupwise" / "figures" / "study")


rule study:
    input:
        "reports/rendered/study.html",
        expand("results/study/figures/{figure}.png", figure=STUDY_FIGURES),
    message:
        "the study is made: open reports/rendered/study.html"


rule simulate_study:
    output:
        sums="results/study/parts/{chunk}-of-{chunks}.parquet",
    log:
        "logs/simulate_study/{chunk}-of-{chunks}.log",
    benchmark:
        "benchmarks/jobs/simulate_study/{chunk}-of-{chunks}.jsonl"
    wildcard_constraints:
        chunk="[0-9]+",
        chunks="[0-9]+",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=memory("simulate_study"),
        runtime=minutes("simulate_study"),
    params:
        code=PackageDigest("simulate_study", *METHOD_MODULES),
        options=STUDY_OPTIONS,
        methods=costs(),
    message:
        "study: simulate, part {wildcards.chunk} of {wildcards.chunks}"
    script:
        "../scripts/simulate_study.py"


rule gather_study:
    input:
        sums=expand(
            "results/study/parts/{chunk}-of-{chunks}.parquet",
            chunk=range(1, STUDY_CHUNKS + 1),
            chunks=STUDY_CHUNKS,
        ),
    output:
        calibration="results/study/calibration.csv",
        axes="results/study/axes.csv",
        rates="results/study/rates.csv",
        overview="results/study/study.json",
    log:
        "logs/gather_study.log",
    benchmark:
        "benchmarks/jobs/gather_study.jsonl"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=memory("gather_study"),
        runtime=minutes("gather_study"),
    params:
        code=PackageDigest("gather_study"),
        options=STUDY_OPTIONS,
        methods=costs(),
        rules=config["verdict"],
    message:
        "study: put the simulations together"
    script:
        "../scripts/gather_study.py"


rule draw_study:
    input:
        rates="results/study/rates.csv",
        overview="results/study/study.json",
    output:
        svg="results/study/figures/{figure}.svg",
        png="results/study/figures/{figure}.png",
        alt="results/study/figures/{figure}.txt",
    log:
        "logs/draw_study/{figure}.log",
    benchmark:
        "benchmarks/jobs/draw_study/{figure}.jsonl"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=memory("draw_study"),
        runtime=minutes("draw_study"),
    params:
        code=PackageDigest("draw_study", "groupwise.figures.study.{figure}"),
    message:
        "study: draw {wildcards.figure}"
    script:
        "../scripts/draw_study.py"


rule render_study:
    input:
        qmd=of_tool("reports/study.qmd"),
        calibration="results/study/calibration.csv",
        axes="results/study/axes.csv",
        rates="results/study/rates.csv",
        overview="results/study/study.json",
        figures=expand(
            "results/study/figures/{figure}.{kind}",
            figure=STUDY_FIGURES,
            kind=["svg", "txt"],
        ),
        renderer=RENDERER,
    output:
        html="reports/rendered/study.html",
    log:
        "logs/render_study.log",
    benchmark:
        "benchmarks/jobs/render_study.jsonl"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=memory("render_study"),
        runtime=minutes("render_study"),
    params:
        code=PackageDigest("render_study", qmd="reports/study.qmd"),
        quarto=QUARTO,
    message:
        "study: write the page"
    script:
        "../scripts/render_study.py"
