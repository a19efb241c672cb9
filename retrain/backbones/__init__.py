"""Backbones: frozen networks that make feature vectors, where they come from, how they run."""
