"""Backbones: frozen networks that compute features, where they come from, how they run."""
