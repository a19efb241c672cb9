"""Engines: what runs a backbone on this machine."""
