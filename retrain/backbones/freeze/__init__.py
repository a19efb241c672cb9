"""Freezing: converting a module of any format into one frozen graph."""
