"""Trained heads become files that travel."""
