"""Estimate the process that a dataset is taken to come from: what is simulated and planned from."""

from job import logged, write_json
from sample_data import read_sample

from groupwise.simulation.estimation import estimate_process

if __name__ == "__main__":
    with logged(snakemake):
        sample = read_sample(snakemake.input.data, snakemake.input.design)
        process = estimate_process(sample.design, sample.y, conf_level=sample.conf_level)
        write_json(snakemake.output.process, process.content())
