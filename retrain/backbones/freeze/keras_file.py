"""Keras models, from a `.keras` or `.h5` file or from memory, as inference networks."""

from pathlib import Path
from typing import Any

import numpy as np

from retrain.artifacts.safety.other_formats import check_keras_file
from retrain.backbones.freeze.network import UNIT_RANGE, Network, image_shape
from retrain.backbones.freeze.saved_model import constants
from retrain.errors import RetrainError, one_line
from retrain.utils.tensorflow import import_tensorflow

# Keras Applications whose pixels are scaled to [-1, 1] outside of the model, by its name.
MINUS_ONE_TO_ONE = ("mobilenet_", "mobilenetv2", "inception", "xception", "nasnet")
SCALING_LAYERS = ("Rescaling", "Normalization")


def read_keras_file(path: Path) -> Network:
    """Read a Keras model with one picture as its input and one output, and return its network.

    Code inside the file (Lambda layers) is not run: raises UnsafeGraph. Raises RetrainError if the
    file cannot be used.
    """
    check_keras_file(path)
    tf = import_tensorflow()
    try:
        model = tf.keras.models.load_model(str(path), compile=False, safe_mode=True)
    except Exception as error:  # Keras raises many kinds for a file it cannot read
        raise RetrainError(
            f"{path.absolute()} does not load as a Keras model: {one_line(error)}; "
            "save it anew with today's Keras, or export it as a SavedModel folder"
        ) from error
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise RetrainError(
            f"{path.absolute()} has {len(model.inputs)} inputs and {len(model.outputs)} outputs: "
            "give a model that takes one picture and gives one feature vector"
        )
    input_range, remarks = _input_range(model)
    return network_of_model(model, path, "Keras model", input_range=input_range, remarks=remarks)


def network_of_model(
    model: Any,
    path: Path,
    kind: str,
    *,
    input_range: tuple[float, float] = UNIT_RANGE,
    remarks: tuple[str, ...] = (),
) -> Network:
    """Return the inference network of a Keras model in memory, as it is now.

    Args:
        model: A model with one input and one output.
        path: What messages name.
        kind: The format's name, for users.
        input_range: (low, high) of the values that it takes.
        remarks: What was chosen for the user, in words.

    Returns:
        The network, whose variables have become constants.

    Raises:
        RetrainError: The model's input is no picture.
    """
    tf = import_tensorflow()
    height, width, channels = image_shape(tf.TensorShape(model.inputs[0].shape), path)

    @tf.function(autograph=False)  # type: ignore[untyped-decorator]
    def inference(images: Any) -> Any:
        return tf.identity(tf.cast(model(images, training=False), tf.float32))

    concrete = inference.get_concrete_function(
        tf.TensorSpec([None, height, width, channels], tf.float32)
    )
    frozen = constants(concrete)

    def answer(images: np.ndarray) -> np.ndarray:
        found: np.ndarray = concrete(tf.constant(images)).numpy()
        return found

    return Network(
        kind=kind,
        graph=frozen.graph.as_graph_def(),
        images=frozen.inputs[0].name,
        features=frozen.outputs[0].name,
        logits=None,
        height=height,
        width=width,
        channels=channels,
        input_range=input_range,
        answer=answer,
        remarks=remarks,
    )


def _input_range(model: Any) -> tuple[tuple[float, float], tuple[str, ...]]:
    """Return the range of a model's pixels, by a scaling layer or a known name, and remarks."""
    first = [type(layer).__name__ for layer in model.layers[:6]]
    if any(name in SCALING_LAYERS for name in first):
        return (0.0, 255.0), ()
    if model.name.lower().startswith(MINUS_ONE_TO_ONE):
        return (-1.0, 1.0), ()
    return UNIT_RANGE, (
        "the file does not say how its pixels are scaled; taken as 0 to 1 "
        "(--input_range LOW,HIGH says otherwise)",
    )
