# Inputs:  results/{dataset}/*, reports/*.qmd with their references and theme
# Outputs: reports/rendered/{dataset}.html, reports/rendered/index.html; with Quarto {dataset}.pdf

import shutil

# The path of Quarto, or None: the preview renderer then. A report is made anew when this changes.
QUARTO = shutil.which("quarto")

# The index leads to the study where that has been made; nothing here makes it (see study.smk).
STUDY_PAGE = Path("reports/rendered/study.html")

SHOWN = [
    *(f"results/{{dataset}}/{file_of(table)}" for table in SHOWN_TABLES),
    "results/{dataset}/provenance.json",
    "results/{dataset}/calibration.json",
    "results/{dataset}/verdict.json",
]

# The figure that the index shows of each dataset.
ANSWER = [f"results/{{dataset}}/figures/answer.{kind}" for kind in ("svg", "txt")]

# Tables and paragraphs for a paper.
PAPER = [f"reports/rendered/{{dataset}}_tables.{kind}" for kind in ("docx", "tex")]


# What `all` asks for. The pages alone would not do: where an older page is there, Snakemake does
# not miss what a failed job should have made for it.
MADE_EACH = [
    "data/processed/checked/{dataset}.json",
    "data/processed/{dataset}.parquet",
    "data/processed/missing/{dataset}.parquet",
    *(f"results/{{dataset}}/{file}" for file in MODEL_TABLES.values()),
    *SHOWN,
    "reports/rendered/{dataset}.html",
    *PAPER,
    *(["reports/rendered/{dataset}.pdf"] if QUARTO else []),
]
MADE = [
    "results/families.csv",
    *expand(MADE_EACH, dataset=config["datasets"]),
    *(file for dataset in FIGURES for file in drawn(dataset, "svg", "txt", "png")),
    *expand("data/processed/simulated/{dataset}.csv", dataset=SIMULATED),
]
RENDERER = [
    of_tool(file)
    for file in (
        "reports/_quarto.yml",
        "reports/references.bib",
        "reports/page.html",
        "reports/page.lua",
        "reports/scroll.lua",
        "reports/pdf.typ",
        "reports/theme.scss",
        *sorted(
            f"tools/preview/{path.name}"
            for path in (SCRIPTS.parents[1] / "tools" / "preview").iterdir()
            if path.is_file()
        ),
        "workflow/scripts/rendering.py",
        "workflow/scripts/report_data.py",
    )
]
BIBLIOGRAPHIES = [of_tool("reports/references.bib")]
if is_study() and Path(REFERENCES).is_file():
    RENDERER.append(REFERENCES)
    BIBLIOGRAPHIES.append(REFERENCES)


rule render_report:
    input:
        qmd=of_tool("reports/report.qmd"),
        shown=SHOWN,
        figures=lambda wildcards: drawn(wildcards.dataset, "svg", "txt"),
        design="results/{dataset}/design.json",
        truth=branch(
            SETTINGS.value("simulate", default=False),
            then="results/{dataset}/truth.json",
            otherwise=[],
        ),
        renderer=RENDERER,
    output:
        html="reports/rendered/{dataset}.html",
    log:
        "logs/render_report/{dataset}.log",
    benchmark:
        "benchmarks/jobs/render_report/{dataset}.jsonl"
    priority: in_turn
    conda:
        "../../environment.yml"
    resources:
        mem_mb=memory("render_report"),
        runtime=minutes("render_report"),
    params:
        code=PackageDigest("render_report", qmd="reports/report.qmd"),
        teaching=SETTINGS.value("teaching"),
        quarto=QUARTO,
    message:
        "{wildcards.dataset}: write the report"
    script:
        "../scripts/render_report.py"


# Asked for by `all` where Quarto is found; nothing else makes a PDF.
use rule render_report as render_pdf with:
    output:
        pdf="reports/rendered/{dataset}.pdf",
    log:
        "logs/render_pdf/{dataset}.log",
    benchmark:
        "benchmarks/jobs/render_pdf/{dataset}.jsonl"
    message:
        "{wildcards.dataset}: write the report as PDF"


rule render_index:
    input:
        qmd=of_tool("reports/index.qmd"),
        reports=expand("reports/rendered/{dataset}.html", dataset=config["datasets"]),
        shown=expand(SHOWN, dataset=config["datasets"]),
        figures=expand(ANSWER, dataset=config["datasets"]),
        design=expand("results/{dataset}/design.json", dataset=config["datasets"]),
        families="results/families.csv",
        renderer=RENDERER,
    output:
        html="reports/rendered/index.html",
    log:
        "logs/render_index.log",
    benchmark:
        "benchmarks/jobs/render_index.jsonl"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=memory("render_index"),
        runtime=minutes("render_index"),
    params:
        code=PackageDigest("render_index", qmd="reports/index.qmd"),
        datasets=list(config["datasets"]),
        study=STUDY_PAGE.is_file(),
        quarto=QUARTO,
    message:
        "write the index page"
    script:
        "../scripts/render_index.py"
