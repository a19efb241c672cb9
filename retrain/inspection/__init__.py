"""What artefacts say about themselves, a file for each format. Imports no TensorFlow."""
