"""Heads: features and labels in, a softmax classifier out. NumPy and SciPy; one layer by Keras."""
