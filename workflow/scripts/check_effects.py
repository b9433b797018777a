"""Check that assumed effects are of arms there are, before any earlier result is touched."""

from job import logged, read_json, write_json

from groupwise.data.validate import check_effects

if __name__ == "__main__":
    wildcards, params = snakemake.wildcards, snakemake.params
    with logged(snakemake, file=params.config_file, dataset=wildcards.dataset):
        effects = dict(params.effects)
        check_effects("assumed_effects", effects, list(read_json(snakemake.input.design)["arms"]))
        write_json(snakemake.output.checked, effects)
