"""Adjust the p-values of datasets that are tested together: several outcomes, several subsets."""

from collections.abc import Mapping, Sequence

import pandas as pd
from job import logged, read_result, write_table

from groupwise import tidy
from groupwise.inference.multiplicity import holm


def run(
    estimates: pd.DataFrame, families: Mapping[str, str], methods: Sequence[str]
) -> pd.DataFrame:
    """Holm's adjustment over all contrasts of all datasets of a family, method by method.

    `methods` is their order in the table.
    """
    rows = estimates.assign(family=estimates["dataset"].map(families))
    by = rows.groupby(["family", "method"], sort=False)["p_value"]
    rows["p_holm"] = by.transform(lambda p: holm(p.to_numpy(dtype=float)))
    rows["n_tests"] = by.transform("count").astype(int)
    order = rows["method"].map({method: i for i, method in enumerate(methods)})
    rows = rows.iloc[order.argsort(kind="stable")].sort_values("family", kind="stable")
    return tidy.table("families", rows[list(tidy.TABLES["families"])])


if __name__ == "__main__":
    with logged(snakemake):
        parts = [read_result(path, "estimates") for path in snakemake.input.estimates]
        families, methods = dict(snakemake.params.families), snakemake.params.methods
        table = run(tidy.concat("estimates", parts), families, methods)
        write_table(snakemake.output.families, table)
