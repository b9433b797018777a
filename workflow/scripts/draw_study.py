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
        write_text(snakemake.output.svg, figures.render(figure, "svg"))
        write_text(snakemake.output.png, figures.render(figure, "png"))
        write_text(snakemake.output.alt, figure.alt + "\n")
