"""Frozen networks that turn pixels into feature vectors: naming, freezing and running them."""
