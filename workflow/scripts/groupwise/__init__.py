"""Groupwise: inference about treatment effects when the data come in groups.

Arrays and tables in, tables out: nothing in this package knows a file path, a configuration or
Snakemake. Imports go one way: tidy, data -> design -> models -> inference -> specifications ->
diagnostics, figures, report.
"""
