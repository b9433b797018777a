"""One file to deposit, and the proof on another machine that it is whole and gives the same numbers.

`make archive` collects what the workflow made and what made it; `make verify` checks the sums, reads
the crate, runs the workflow again in an empty folder and compares. Neither knows a dataset, a table
or a figure by name: what there is comes from the workflow itself.
"""
