"""Inference: running any classifier's graph on photos."""
