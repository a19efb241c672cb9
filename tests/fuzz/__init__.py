"""Damaged input with fixed seeds: what it is, what is done with it, and what must come of it."""
