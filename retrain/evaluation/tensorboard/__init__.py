"""What TensorBoard shows of a trained head beyond its training, written without TensorFlow."""
