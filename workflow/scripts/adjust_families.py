"""Adjust the p-values of datasets that are tested together: several outcomes, several subsets."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from job import csv_text, logged, read_result, write_text

from groupwise import tidy

if TYPE_CHECKING:
    import pandas as pd


def run(
    estimates: "pd.DataFrame", families: Mapping[str, str], methods: Sequence[str]
) -> "pd.DataFrame":
    """Holm's adjustment over all contrasts of all datasets of a family, method by method.

    `methods` is their order in the table.
    """
    from groupwise.inference.multiplicity import holm

    rows = estimates.assign(family=estimates["dataset"].map(families))
    by = rows.groupby(["family", "method"], sort=False)["p_value"]
    rows["p_holm"] = by.transform(lambda p: holm(p.to_numpy(dtype=float)))
    rows["n_tests"] = by.transform("count").astype(int)
    order = rows["method"].map({method: i for i, method in enumerate(methods)})
    rows = rows.iloc[order.argsort(kind="stable")].sort_values("family", kind="stable")
    return tidy.table("families", rows[list(tidy.TABLES["families"])])


def text(families: Mapping[str, str], files: Sequence[str], methods: Sequence[str]) -> str:
    """The table as text, from files of estimates: of no family its header, without pandas, which takes
    longer to load than all the rest.
    """
    if not families:
        return ",".join(tidy.TABLES["families"]) + "\n"
    estimates = tidy.concat("estimates", [read_result(path, "estimates") for path in files])
    return csv_text(run(estimates, families, methods))


if __name__ == "__main__":
    params = snakemake.params
    with logged(snakemake):
        made = text(dict(params.families), snakemake.input.estimates, params.methods)
        write_text(snakemake.output.families, made)
