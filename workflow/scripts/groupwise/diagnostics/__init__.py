"""Diagnostics: do the data look as the mixed model assumes?"""
