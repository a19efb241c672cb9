"""From a module (a TF2 SavedModel folder) to one frozen graph. Needs TensorFlow."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from retrain.backbones.backbone import (
    FEATURE_NODE,
    GRAPH_FILE,
    INPUT_NODE,
    LOGITS_NODE,
    REFERENCE_FILE,
    Backbone,
    BackboneInfo,
    read_backbone,
    reference_pixels,
    write_info,
)
from retrain.backbones.tensorflow import import_tensorflow
from retrain.errors import RetrainError, one_line

Network = Callable[[Any], Any]


def freeze(module: Path, name: str, fingerprint: str, folder: Path) -> Backbone:
    """Writes the module's frozen graph, facts and reference answers into the existing `folder`.

    The module follows TF Hub's common signature for images: float32 [batch, H, W, 3] in [0, 1]
    to [batch, D]. Raises RetrainError when it does not load or does not fit that form.
    """
    tf = import_tensorflow()
    loaded = _load(tf, module)
    height, width = _input_size(tf, loaded, module)
    network = _feature_network(loaded, module)
    logits = loaded.signatures["image_classification"] if _has_logits(loaded) else None
    spec = tf.TensorSpec([None, height, width, 3], tf.float32, name=INPUT_NODE)

    @tf.function(input_signature=[spec], autograph=False)  # type: ignore[untyped-decorator]
    def inference(images: Any) -> list[Any]:
        outputs = [_as_vectors(tf, network(images), module)]
        if logits is not None:
            outputs.append(logits(images)["logits"])
        return [tf.identity(output) for output in outputs]

    concrete = inference.get_concrete_function()
    frozen = _to_constants(concrete)
    names = [FEATURE_NODE] + ([LOGITS_NODE] if logits is not None else [])
    graph = frozen.graph.as_graph_def()
    _rename(
        graph, {tensor.op.name: name for tensor, name in zip(frozen.outputs, names, strict=True)}
    )
    (folder / GRAPH_FILE).write_bytes(graph.SerializeToString(deterministic=True))

    pixels = reference_pixels(height, width)
    features = np.asarray(concrete(tf.constant(pixels / np.float32(255)))[0])
    np.savez_compressed(folder / REFERENCE_FILE, pixels=pixels, features=features)
    write_info(
        folder,
        BackboneInfo(
            name=name,
            fingerprint=fingerprint,
            height=height,
            width=width,
            feature_width=int(features.shape[1]),
            has_logits=logits is not None,
        ),
    )
    return read_backbone(folder)


def _load(tf: Any, module: Path) -> Any:
    try:
        return tf.saved_model.load(str(module))
    except Exception as error:  # TensorFlow raises many kinds for a folder it cannot read
        raise RetrainError(
            f"{module.absolute()} does not load as a TensorFlow module: {one_line(error)}; "
            "give a TF2 SavedModel folder of the image_feature_vector kind"
        ) from error


def _has_logits(loaded: Any) -> bool:
    signature = getattr(loaded, "signatures", {}).get("image_classification")
    return signature is not None and "logits" in signature.structured_outputs


def _input_size(tf: Any, loaded: Any, module: Path) -> tuple[int, int]:
    functions = list(getattr(loaded.__call__, "concrete_functions", [])) if callable(loaded) else []
    functions += list(getattr(loaded, "signatures", {}).values())
    for function in functions:
        for spec in tf.nest.flatten(function.structured_input_signature):
            shape = getattr(spec, "shape", None)
            if shape is not None and shape.rank == 4 and shape[1] and shape[2] and shape[3] == 3:
                return int(shape[1]), int(shape[2])
    raise RetrainError(
        f"{module.absolute()} does not fix the size of its input pictures "
        "([batch, height, width, 3]): give a module with a fixed input size"
    )


def _feature_network(loaded: Any, module: Path) -> Network:
    if callable(loaded):
        functions = getattr(loaded.__call__, "concrete_functions", [])
        takes_training = any(
            "training" in function.structured_input_signature[1]
            or function.function_type.parameters.get("training") is not None
            for function in functions
        )
        if takes_training:
            return lambda images: loaded(images, training=False)
        return lambda images: loaded(images)
    signature = getattr(loaded, "signatures", {}).get("serving_default")
    if signature is None:
        raise RetrainError(
            f"{module.absolute()} can neither be called nor has it a serving_default signature: "
            "give a TF2 SavedModel of the image_feature_vector kind"
        )
    argument = next(iter(signature.structured_input_signature[1]))
    return lambda images: signature(**{argument: images})


def _as_vectors(tf: Any, output: Any, module: Path) -> Any:
    outputs = tf.nest.flatten(output)
    if len(outputs) != 1 or outputs[0].shape.rank != 2:
        shapes = ", ".join(str(tensor.shape) for tensor in outputs)
        raise RetrainError(
            f"{module.absolute()} does not give one feature vector for each picture "
            f"(its output: {shapes}): give a module of the image_feature_vector kind"
        )
    return tf.cast(outputs[0], tf.float32)


def _to_constants(concrete: Any) -> Any:
    from tensorflow.python.framework.convert_to_constants import (
        convert_variables_to_constants_v2,
    )

    return convert_variables_to_constants_v2(concrete)


def _rename(graph: Any, new_names: dict[str, str]) -> None:
    for node in graph.node:
        node.name = new_names.get(node.name, node.name)
        for position, reference in enumerate(node.input):
            node.input[position] = new_names.get(reference, reference)
