"""Inference: any graph as a classifier of photos."""
