"""Methods for outcomes that are events or counts, a module for each kind of model.

Specifications list them beside their methods for means: `methods.pooled` those of `pooled`, and so on.
"""
