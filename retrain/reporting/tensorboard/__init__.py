"""TensorBoard: pictures, curves and the projector of a run."""
