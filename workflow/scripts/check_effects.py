"""Check that assumed effects are of arms there are, before any earlier result is touched."""

from job import logged, read_json, write_json

from groupwise.data.validate import check_effects
from groupwise.response import Response

if __name__ == "__main__":
    wildcards, params = snakemake.wildcards, snakemake.params
    with logged(snakemake, file=params.config_file, dataset=wildcards.dataset):
        effects = dict(params.effects)
        design = read_json(snakemake.input.design)
        response = Response(**design["response"])
        check_effects("assumed_effects", effects, list(design["arms"]), response)
        write_json(snakemake.output.checked, effects)
