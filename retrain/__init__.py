"""Teach an image classifier your own classes, from folders of photos."""

__version__ = "0.1.0"
