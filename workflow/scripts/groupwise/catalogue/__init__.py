"""What methods and what tables there are: every other list of either is derived from these two.

Both modules are light, because Snakemake reads them at every start.
"""
