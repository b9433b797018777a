"""Write the JSON Schema of the datasets' results: it follows from the catalogues."""

from job import logged, write_json

from groupwise.report.document import schema

if __name__ == "__main__":
    with logged(snakemake):
        write_json(snakemake.output.schema, schema())
