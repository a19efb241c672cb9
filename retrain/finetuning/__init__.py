"""Training a module's own variables together with its head. Needs TensorFlow."""
