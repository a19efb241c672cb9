"""A small network that is trained on pixels from scratch."""
