"""Draw one figure of the general study, with its alt text beside it."""

from job import logged, read_json, read_result, write_text

from groupwise import figures
from groupwise.figures import study

if __name__ == "__main__":
    with logged(snakemake):
        tables = study.StudyTables(
            rates=read_result(snakemake.input.rates, "study_rates"),
            overview=read_json(snakemake.input.overview),
        )
        figure = study.draw(snakemake.wildcards.figure, tables)
        for kind, content in figures.rendered(figure).items():
            write_text(snakemake.output[kind], content)
        write_text(snakemake.output.alt, figure.alt + "\n")
