"""Bottlenecks: one feature vector per photo, computed once and kept on disk."""
