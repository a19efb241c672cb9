"""Checks, before a network is run, that its file only computes: a graph is a program."""
