"""Put a dataset's simulations together, and say which methods can be trusted for its design."""

import pandas as pd
from job import logged, read_json, read_result, write_json, write_table

from groupwise.results import as_written
from groupwise.simulation.gathering import gathered
from groupwise.simulation.options import Options
from groupwise.simulation.processes import read_process
from groupwise.verdict.judgement import judged, rules_for, verdict_content

if __name__ == "__main__":
    wildcards, params = snakemake.wildcards, snakemake.params
    with logged(snakemake, file=params.config_file, dataset=wildcards.dataset):
        design = read_json(snakemake.input.design)
        calibration, overview = gathered(
            design,
            read_process(read_json(snakemake.input.process)),
            Options(**params.options),
            params.effects_are,
            [pd.read_parquet(part) for part in snakemake.input.sums],
            methods=params.methods,
        )
        calibration = as_written(calibration)
        estimates = read_result(snakemake.input.estimates, "estimates")
        rules = rules_for(design["conf_level"], design["kind"], params.rules)
        judgement = judged(calibration, overview, estimates, rules, params.headline)
        write_table(snakemake.output.calibration, calibration)
        write_json(snakemake.output.overview, overview)
        write_table(snakemake.output.methods, judgement.methods)
        write_json(snakemake.output.verdict, verdict_content(judgement, estimates, rules))
