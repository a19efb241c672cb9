"""Reporting: what a run leaves for people and programs to look at."""
