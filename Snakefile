from snakemake.utils import min_version

min_version("9.12")


include: "workflow/rules/syntax.smk"


configfile: "config.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/describe.smk"
include: "workflow/rules/models.smk"
include: "workflow/rules/calibration.smk"
include: "workflow/rules/sensitivity.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/reports.smk"
include: "workflow/rules/study.smk"
include: "workflow/rules/machine.smk"


rule all:
    default_target: True
    input:
        "reports/rendered/index.html",
        MADE,
    message:
        "everything is made: open reports/rendered/index.html"
