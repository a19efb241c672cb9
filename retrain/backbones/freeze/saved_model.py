"""SavedModel folders as inference networks: TF2 modules, and the older TF1 hub modules."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from retrain.artifacts.safety.tensorflow_graphs import check_saved_model
from retrain.backbones.freeze.network import UNIT_RANGE, Network, chosen_output, image_shape
from retrain.errors import RetrainError, one_line
from retrain.utils.tensorflow import import_tensorflow

# TF Hub's common signatures for images, in the order in which they are asked for features.
SIGNATURES = ("image_feature_vector", "default", "serving_default", "image_classification")
SCORES = "it gives class scores, not features; a module of the feature_vector kind does better"


def read_saved_model(folder: Path) -> Network:
    """Read a TF2 SavedModel or a TF1 hub module and return its network.

    Raises RetrainError when it does not load, or takes or gives something else than an image module
    of TF Hub does; and UnsafeGraph, which is one, when it would do more than compute.
    """
    check_saved_model(folder)
    tf = import_tensorflow()
    from tensorflow.python.saved_model.loader_impl import parse_saved_model

    try:
        graphs = parse_saved_model(str(folder)).meta_graphs
        if any(graph.HasField("object_graph_def") for graph in graphs):
            return tf2_network(tf, tf.saved_model.load(str(folder)), folder)
        return _tf1_network(tf, graphs, folder)
    except RetrainError:
        raise
    except Exception as error:  # TensorFlow raises many kinds for a folder it cannot read
        raise RetrainError(
            f"{folder.absolute()} does not load as a TensorFlow module: {one_line(error)}; "
            "give a SavedModel folder of the image_feature_vector kind"
        ) from error


def tf2_network(tf: Any, loaded: Any, folder: Path) -> Network:
    """Return the inference network of a loaded TF2 SavedModel."""
    call, shape, remarks = _tf2_call(loaded, folder)
    classify: Any
    height, width, channels = image_shape(shape, folder)
    classify = getattr(loaded, "signatures", {}).get("image_classification")
    with_logits = classify is not None and "logits" in classify.structured_outputs

    # Without autograph: the module's functions are graphs already, and autograph would hide
    # their errors behind its own.
    @tf.function(autograph=False)  # type: ignore[untyped-decorator]
    def inference(images: Any) -> list[Any]:
        outputs = [one_output(tf, call(images), folder)]
        if with_logits:
            outputs.append(classify(images)["logits"])
        return [tf.identity(tf.cast(output, tf.float32)) for output in outputs]

    batch = None if shape[0] is None else int(shape[0])
    spec = tf.TensorSpec([batch, height, width, channels], tf.float32)
    concrete = inference.get_concrete_function(spec)
    frozen = constants(concrete)

    def answer(images: np.ndarray) -> np.ndarray:
        parts = [images] if batch is None else np.split(images, len(images) // batch)
        return np.concatenate([concrete(tf.constant(part))[0].numpy() for part in parts])

    return Network(
        kind="TF2 SavedModel",
        graph=frozen.graph.as_graph_def(),
        images=frozen.inputs[0].name,
        features=frozen.outputs[0].name,
        logits=frozen.outputs[1].name if with_logits else None,
        height=height,
        width=width,
        channels=channels,
        input_range=UNIT_RANGE,
        answer=answer,
        remarks=remarks,
    )


def _tf2_call(loaded: Any, folder: Path) -> tuple[Callable[[Any], Any], Any, tuple[str, ...]]:
    """Return the function that runs a module, the shape of its input, and remarks."""
    functions = list(getattr(loaded.__call__, "concrete_functions", [])) if callable(loaded) else []
    for function in functions:
        specs = [s for s in image_specs(function) if s.shape.rank == 4]
        if specs:
            return _without_training(loaded, functions), specs[0].shape, ()
    signatures = getattr(loaded, "signatures", {})
    name = next((name for name in SIGNATURES if name in signatures), None)
    if name is None:
        raise RetrainError(
            f"{folder.absolute()} can neither be called nor has it a serving_default signature: "
            "give a SavedModel of the image_feature_vector kind"
        )
    signature = signatures[name]
    arguments = signature.structured_input_signature[1]
    if len(arguments) != 1:
        raise RetrainError(
            f"{folder.absolute()} takes {', '.join(arguments) or 'nothing'} in its signature "
            f"{name}: give a module that takes one batch of pictures"
        )
    ((argument, spec),) = arguments.items()
    remarks = (SCORES,) if name == "image_classification" else ()
    return lambda images: signature(**{argument: images}), spec.shape, remarks


def image_specs(function: Any) -> list[Any]:
    """List the tensors that a function takes."""
    import tensorflow as tf

    flat = tf.nest.flatten(function.structured_input_signature)
    return [spec for spec in flat if isinstance(spec, tf.TensorSpec)]


def _without_training(loaded: Any, functions: list[Any]) -> Callable[[Any], Any]:
    """Return the call in inference mode: `training` or `trainable` is False where it takes one."""
    for argument in ("training", "trainable"):
        if any(
            argument in function.structured_input_signature[1]
            or function.function_type.parameters.get(argument) is not None
            for function in functions
        ):
            return lambda images: loaded(images, **{argument: False})
    return lambda images: loaded(images)


def one_output(tf: Any, output: Any, folder: Path) -> Any:
    """Return the features among a module's outputs; raise RetrainError if that is not clear."""
    if isinstance(output, dict):
        return output[chosen_output(list(output), folder)]
    outputs = tf.nest.flatten(output)
    if len(outputs) != 1:
        raise RetrainError(
            f"{folder.absolute()} gives {len(outputs)} outputs without names: "
            "give a module of the image_feature_vector kind"
        )
    return outputs[0]


def constants(concrete: Any) -> Any:
    """Return a function with its variables turned into constants."""
    from tensorflow.python.framework.convert_to_constants import (
        convert_variables_to_constants_v2,
    )

    return convert_variables_to_constants_v2(concrete)


def _tf1_network(tf: Any, graphs: Any, folder: Path) -> Network:
    """Return the network of the graph for inference among those that a TF1 module holds."""
    tagged = [graph for graph in graphs if "train" not in graph.meta_info_def.tags]
    tags = list((tagged or list(graphs))[0].meta_info_def.tags)
    with tf.Graph().as_default() as graph:
        session = tf.compat.v1.Session(graph=graph)
        meta = tf.compat.v1.saved_model.loader.load(session, tags, str(folder))
        name = next((name for name in SIGNATURES if name in meta.signature_def), None)
        if name is None:
            has = ", ".join(sorted(meta.signature_def)) or "none"
            raise RetrainError(
                f"{folder.absolute()} has no signature for images (it has: {has}): "
                "give a module of the image_feature_vector kind"
            )
        signature = meta.signature_def[name]
        inputs = dict(signature.inputs)
        images = inputs.get("images") or next(iter(inputs.values()))
        outputs = {key: info.name for key, info in signature.outputs.items()}
        features = outputs[chosen_output(list(outputs), folder)]
        frozen = tf.compat.v1.graph_util.convert_variables_to_constants(
            session, graph.as_graph_def(), [features.split(":")[0]]
        )
        height, width, channels = image_shape(tf.TensorShape(images.tensor_shape), folder)

    def answer(values: np.ndarray) -> np.ndarray:
        found: np.ndarray = session.run(features, {images.name: values})
        return found

    return Network(
        kind="TF1 hub module",
        graph=frozen,
        images=images.name,
        features=features,
        logits=None,
        height=height,
        width=width,
        channels=channels,
        input_range=UNIT_RANGE,
        answer=answer,
        remarks=(SCORES,) if name == "image_classification" else (),
    )
