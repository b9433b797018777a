"""Say what an experiment like a dataset's can find, and how many groups it would need."""

import numpy as np
from job import logged, write_table
from sample_data import read_sample

from groupwise import tidy
from groupwise.calibration.scenario import estimate_process
from groupwise.calibration.workload import Options, assumed_effects
from groupwise.planning.at_hand import Goal, planning_table
from groupwise.words import METHODS


def run(sample, options, effect, power, methods=tuple(METHODS)):
    """Table `planning`; empty where the mixed model says nothing of how the outcome varies."""
    design = sample.design
    try:
        found = estimate_process(design, sample.y, conf_level=sample.conf_level)
    except ValueError as reason:
        print(reason)
        return tidy.table("planning", [])
    effects = assumed_effects(design, options)
    effects = found.effects if effects is None else effects
    largest = float(np.ptp(effects)) if effect is None else effect
    if largest == 0:
        print("The assumed effects are all 0: there is nothing to find.")
        return tidy.table("planning", [])
    slopes = found.background.sd_slope[1:]
    return planning_table(
        design,
        float(np.sqrt(found.background.variance)),
        {"estimate": found.icc, "low": found.icc_low, "high": found.icc_high},
        Goal(largest, power, round(1 - sample.conf_level, 10)),
        sd_effect=float(slopes.mean()),
        methods=methods,
    )


if __name__ == "__main__":
    params = snakemake.params
    with logged(snakemake, file=params.config_file, dataset=snakemake.wildcards.dataset):
        sample = read_sample(snakemake.input.data, snakemake.input.design)
        options = Options(**params.options)
        write_table(snakemake.output.planning, run(sample, options, params.effect, params.power))
