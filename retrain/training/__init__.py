"""Training: heads on features, and networks on photos."""
