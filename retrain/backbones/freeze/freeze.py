"""Freezing a module's network: the graph that engines run and exports carry."""

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
from retrain.backbones.freeze.fold import fold
from retrain.backbones.freeze.input_config import InputConfig
from retrain.backbones.freeze.network import Network
from retrain.errors import RetrainError, one_line
from retrain.utils.tensorflow import import_tensorflow

SCOPE = "net"
FOLDED_TOLERANCE = 2e-4  # of the largest feature; beyond it the unfolded graph is used


def freeze(
    network: Network,
    module: Path,
    name: str,
    *,
    fingerprint: str,
    wanted: InputConfig,
    folder: Path,
) -> Backbone:
    """Write a module's frozen graph, its facts and reference answers, and return the backbone.

    The graph takes float32 [n, H, W, 3] in [0, 1]. Scaling to the module's own range, turning grey
    for a module of one channel and averaging a feature map are part of it.

    Args:
        network: The module's inference network.
        module: The module's path, which messages name.
        name: The module's name.
        fingerprint: The identity of the module's files.
        wanted: The user's settings of the input.
        folder: An existing folder for the files.

    Returns:
        The backbone in `folder`.

    Raises:
        RetrainError: The input or output does not fit.
    """
    tf = import_tensorflow()
    height, width = input_size(network.height, network.width, wanted, module=module)
    low, high = wanted.value_range or network.input_range
    with tf.Graph().as_default() as whole:
        images = tf.compat.v1.placeholder(tf.float32, [None, height, width, 3], name=INPUT_NODE)
        scaled = images if (low, high) == (0, 1) else images * (high - low) + low
        if network.channels == 1:
            scaled = tf.image.rgb_to_grayscale(scaled)
        outputs = _imported(tf, network, scaled, module=module)
        features = _as_vectors(tf, outputs[0], module)
        tf.identity(features, name=FEATURE_NODE)
        names = [FEATURE_NODE]
        if network.logits is not None:
            tf.identity(outputs[1], name=LOGITS_NODE)
            names.append(LOGITS_NODE)
    pixels = reference_pixels(height, width)
    expected = _own_answers(tf, network, pixels, low=low, high=high)
    plain = whole.as_graph_def()
    graph = _best(tf, [fold(tf, plain, names), plain], pixels, expected=expected, module=module)
    (folder / GRAPH_FILE).write_bytes(graph.SerializeToString(deterministic=True))
    np.savez_compressed(folder / REFERENCE_FILE, pixels=pixels, features=expected)
    write_info(
        folder,
        BackboneInfo(
            name=name,
            fingerprint=fingerprint + wanted.suffix,
            height=height,
            width=width,
            feature_width=int(expected.shape[1]),
            has_logits=network.logits is not None,
            kind=network.kind,
            channels=network.channels,
            input_range=(low, high),
        ),
    )
    return read_backbone(folder)


def input_size(
    height: int | None, width: int | None, wanted: InputConfig, *, module: Path
) -> tuple[int, int]:
    """Return the (height, width) that pictures are resized to.

    Args:
        height: The module's own, or None if it takes any.
        width: The module's own, or None if it takes any.
        wanted: The user's settings of the input.
        module: The module's path, which messages name.

    Returns:
        Height and width in pixels.

    Raises:
        RetrainError: The size is open, or fixed to another one than the user's.
    """
    size = wanted.size
    if size is None:
        if height is None or width is None:
            if wanted.usual_size is not None:
                return wanted.usual_size
            raise RetrainError(
                f"{module.absolute()} takes pictures of any size and does not say which it was "
                "trained with: give --input_size, often 224"
            )
        return height, width
    if (height or size[0], width or size[1]) != size:
        raise RetrainError(
            f"{module.absolute()} takes pictures of {height}x{width} only: "
            f"leave out --input_size {size[0]}x{size[1]}"
        )
    return size


def _imported(tf: Any, network: Network, images: Any, *, module: Path) -> list[Any]:
    wanted = [network.features] + ([network.logits] if network.logits else [])
    try:
        imported: list[Any] = tf.graph_util.import_graph_def(
            network.graph, input_map={network.images: images}, return_elements=wanted, name=SCOPE
        )
    except ValueError as error:
        raise RetrainError(
            f"{module.absolute()} cannot take pictures of {images.shape[1]}x{images.shape[2]}: "
            f"{one_line(error)}"
        ) from error
    return imported


def _as_vectors(tf: Any, output: Any, module: Path) -> Any:
    """Return features [n, D]; a feature map [n, h, w, D] is averaged over its positions."""
    if output.shape.rank == 4:
        output = tf.reduce_mean(output, [1, 2])
    if output.shape.rank != 2 or output.shape[1] is None:
        raise RetrainError(
            f"{module.absolute()} does not give one feature vector for each picture "
            f"(its output: {output.shape}): give a module of the image_feature_vector kind"
        )
    return output


def _own_answers(
    tf: Any, network: Network, pixels: np.ndarray, *, low: float, high: float
) -> np.ndarray:
    """Run the module as it came and return its features (n, D)."""
    images = pixels / np.float32(255) * np.float32(high - low) + np.float32(low)
    if network.channels == 1:
        images = tf.image.rgb_to_grayscale(tf.constant(images)).numpy()
    answers = network.answer(images)
    return answers.mean(axis=(1, 2)) if answers.ndim == 4 else answers


def _best(
    tf: Any, graphs: list[Any], pixels: np.ndarray, *, expected: np.ndarray, module: Path
) -> Any:
    """Return the first of the graphs that gives the module's own features.

    Raises RetrainError if none does.
    """
    scale = float(np.abs(expected).max()) or 1.0
    for graph in graphs:
        with tf.Graph().as_default() as runnable:
            tf.graph_util.import_graph_def(graph, name="")
            with tf.compat.v1.Session(graph=runnable) as session:
                values = pixels / np.float32(255)
                given = session.run(f"{FEATURE_NODE}:0", {f"{INPUT_NODE}:0": values})
        if given.shape == expected.shape:
            if float(np.abs(given - expected).max()) <= FOLDED_TOLERANCE * scale:
                return graph
    raise RetrainError(
        f"{module.absolute()} gives other features once frozen: it cannot be used as a module "
        "(does it take one picture at a time only?)"
    )
