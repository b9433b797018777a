"""Experiments drawn from an estimated process, and how often every method is right about them."""
