"""Training a small network on pixels from scratch."""
