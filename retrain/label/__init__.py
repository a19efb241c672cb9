"""Naming what is in photos with an exported graph. Never imports TensorFlow."""
