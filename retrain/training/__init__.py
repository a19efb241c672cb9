"""Training a head on features, and networks on photos."""
