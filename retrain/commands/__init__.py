"""Use cases: what each command does, one file each, read from top to bottom."""
