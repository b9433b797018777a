"""Say which methods can be trusted for a dataset's design, and which one leads its report."""

from job import logged, read_json, read_result, write_json, write_table

from groupwise.verdict.judgement import judged, rules_for, verdict_content

if __name__ == "__main__":
    with logged(snakemake):
        estimates = read_result(snakemake.input.estimates, "estimates")
        design = read_json(snakemake.input.design)
        rules = rules_for(design["conf_level"], design["kind"], snakemake.params.rules)
        judgement = judged(
            read_result(snakemake.input.calibration, "calibration"),
            read_json(snakemake.input.overview),
            estimates,
            rules,
            snakemake.params.headline,
        )
        write_table(snakemake.output.methods, judgement.methods)
        write_json(snakemake.output.verdict, verdict_content(judgement, estimates, rules))
