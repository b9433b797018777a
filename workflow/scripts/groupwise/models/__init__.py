"""Models: arrays in, a frozen fit out."""
