"""Heads: features and labels in, a softmax classifier out. NumPy, SciPy; Keras for one layer more."""
