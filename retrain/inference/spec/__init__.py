"""Input specs: what a graph is fed and what its answers mean."""
