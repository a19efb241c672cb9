"""Freezing: a module of any format becomes one frozen graph."""
