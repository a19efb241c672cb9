"""Heads: features and labels in, a softmax classifier out. NumPy only."""
