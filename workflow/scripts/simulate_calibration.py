"""Simulate a dataset's design, and let every method answer: one job's share of the replicates."""

import time

from job import logged, read_json, write_table
from sample_data import read_sample

from groupwise.simulation.options import NotSimulated, Options
from groupwise.simulation.processes import read_process
from groupwise.simulation.rates import criterion_at
from groupwise.simulation.sums import gather, level_of
from groupwise.simulation.workload import dataset_workload


def run(workload, chunk, chunks):
    """Partial sums of one share; what is done, and how long it took, goes to the log."""
    parts = []
    tasks = workload.share(chunk, chunks)
    for number, (scenario, block) in enumerate(tasks, start=1):
        start = time.perf_counter()
        parts.append(workload.run(scenario, block))
        took = f"{time.perf_counter() - start:.1f} s"
        name = workload.scenarios[scenario].name
        part = "" if block is None else f", block {block.number}"
        print(f"{number} of {len(tasks)}: {name}{part}: {took}", flush=True)
    return gather(parts)


if __name__ == "__main__":
    wildcards, params = snakemake.wildcards, snakemake.params
    with logged(snakemake, file=params.config_file, dataset=wildcards.dataset):
        sample = read_sample(snakemake.input.data, snakemake.input.design)
        try:
            workload = dataset_workload(
                sample.design,
                read_process(read_json(snakemake.input.process)),
                Options(**params.options),
                conf_level=sample.conf_level,
                criterion=criterion_at(level_of(sample.conf_level), **params.criterion),
                methods=params.methods,
            )
        except NotSimulated as reason:
            print(reason)
            sums = gather([])
        else:
            sums = run(workload, int(wildcards.chunk), int(wildcards.chunks))
        write_table(snakemake.output.sums, sums)
