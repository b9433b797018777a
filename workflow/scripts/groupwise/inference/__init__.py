"""Inference: from estimates and their covariance to tests and intervals."""
