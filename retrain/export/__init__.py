"""Export: files of trained classifiers that run elsewhere."""
