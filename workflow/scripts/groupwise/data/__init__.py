"""Data: made by simulation or read from a table, and checked against the roles it is given."""
