"""Exporting a frozen graph as a SavedModel, ready for TensorFlow Serving. Needs TensorFlow."""

import errno
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from tensorboard.compat.proto.graph_pb2 import GraphDef

from retrain.artifacts.graphdef import subgraph
from retrain.artifacts.manifest import Manifest
from retrain.artifacts.saved_model import EXTRA
from retrain.data.decoding.decode import Recipe
from retrain.errors import RetrainError, UsageFault, one_line
from retrain.export.format_module import Conversion, Run, unit_pixels
from retrain.export.tf_decode import pixels_of
from retrain.utils.files import cannot_write
from retrain.utils.temporary import temporary_name
from retrain.utils.tensorflow import import_tensorflow

COMPANIONS = EXTRA  # TensorFlow's place for labels, manifest and model card


def write(conversion: Conversion, path: Path) -> None:
    """Write a SavedModel, as `write_saved_model` does; raise RetrainError if it cannot be."""
    write_saved_model(conversion.graph, conversion.manifest, path)


def open_runtime(path: Path, manifest: Manifest) -> Run:
    """Open a SavedModel in TensorFlow and return its `serving_default`."""
    tf = import_tensorflow()
    loaded = tf.saved_model.load(str(path))

    def run(batch: np.ndarray) -> np.ndarray:
        answer = loaded.signatures["serving_default"](image=tf.constant(unit_pixels(batch)))
        return np.asarray(answer["prediction"])

    return run


def target_of(path: Path) -> Path:
    """Return where a new SavedModel goes.

    `path` itself if its name is a number, a version that the user chose, else the next version in
    it: `path/1`, `path/2`, ... Raises UsageFault where something else lies: nothing is
    overwritten.
    """
    if path.absolute().name.isdecimal():
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise UsageFault(
                f"{path.absolute()} is not empty: take another number for the SavedModel, "
                "nothing is overwritten"
            )
        return path
    if path.exists() and not path.is_dir():
        raise UsageFault(f"{path.absolute()} is a file: name a folder for the SavedModel")
    versions = [0]
    for entry in path.iterdir() if path.exists() else ():
        if entry.name.isdecimal():
            versions.append(int(entry.name))
        elif not entry.name.startswith("."):
            raise UsageFault(
                f"{path.absolute()} holds {entry.name}, which is no version of a SavedModel: "
                "name a new folder, nothing is overwritten"
            )
    return path / str(max(versions) + 1)


def write_saved_model(graph: bytes, manifest: Manifest, folder: Path) -> None:
    """Write a SavedModel whole or not at all.

    Signature `serving_default`, as in TF Hub's retrain.py: `image` [n, H, W, 3] in [0, 1] to
    `prediction` [n, C], probabilities in the order of the labels.

    Signature `serving_bytes`: `image_bytes`, n whole JPEG or PNG files as strings, to `labels`
    [n, C] strings and `scores` [n, C], both best first. A file of another kind, or one that cannot
    be decoded, fails the whole request. Pixels differ by at most 1 of 255 from those of training
    (`decode.decode`), in the mean by less than 0.25, because Pillow may resize downwards first; the
    scores of the example photos by at most 0.03, in the mean less than 0.001
    (`tests/export/test_serving_bytes.py`).

    Args:
        graph: The frozen graph's content.
        manifest: The graph's.
        folder: Of the SavedModel.

    Raises:
        RetrainError: The folder cannot be written.
    """
    tf = import_tensorflow()
    temporary = temporary_name(folder.absolute())
    try:
        temporary.parent.mkdir(parents=True, exist_ok=True)
        _save(tf, graph, manifest, folder=temporary)
        os.replace(temporary, folder)
    except OSError as error:
        raise cannot_write(folder, error) from error
    except tf.errors.ResourceExhaustedError as error:  # TensorFlow's error for a full disk
        raise cannot_write(folder, OSError(errno.ENOSPC, one_line(error))) from error
    except tf.errors.OpError as error:
        raise RetrainError(
            f"cannot write {folder.absolute()}: {one_line(error)}; choose another place"
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _save(tf: Any, graph: bytes, manifest: Manifest, *, folder: Path) -> None:
    source, result = f"{manifest.input_node}:0", f"{manifest.output_node}:0"
    # Traced outside of the graph below, where `==` would compare tensors as objects.
    decoder = _decoder(tf, Recipe.parse(manifest.recipe))
    builder = tf.compat.v1.saved_model.Builder(str(folder))
    predict = tf.compat.v1.saved_model.predict_signature_def
    network, constants = _without_constants(graph, manifest)
    with tf.Graph().as_default() as whole, tf.compat.v1.Session() as session:
        image, prediction = tf.graph_util.import_graph_def(
            tf.compat.v1.GraphDef.FromString(graph), return_elements=[source, result], name=""
        )
        content = tf.compat.v1.placeholder(tf.string, [None], name="image_bytes")
        # A second network on the first one's weights: OpenVINO could not read a SavedModel in
        # which the decoded pictures were the default of the first one's input.
        given = {f"{name}:0": whole.get_tensor_by_name(f"{name}:0") for name in constants}
        again = tf.graph_util.import_graph_def(
            tf.compat.v1.GraphDef.FromString(network),
            {**given, source: decoder(content)},
            return_elements=[result],
            name="serving_bytes",
        )
        scores, order = tf.math.top_k(again[0], len(manifest.labels))
        labels = [label.encode("utf-8", "surrogateescape") for label in manifest.labels]
        answers = {"labels": tf.gather(tf.constant(labels), order), "scores": scores}
        builder.add_meta_graph_and_variables(
            session,
            ["serve"],
            signature_def_map={
                "serving_default": predict({"image": image}, {"prediction": prediction}),
                "serving_bytes": predict({"image_bytes": content}, answers),
            },
        )
        builder.save()


def _decoder(tf: Any, recipe: Recipe) -> Any:
    """Return a TensorFlow function from n files' bytes to the network's input."""

    def decode_all(contents: Any) -> Any:
        shape = tf.TensorSpec([recipe.height, recipe.width, 3], tf.float32)
        pixels = tf.map_fn(
            lambda content: pixels_of(content, recipe), contents, fn_output_signature=shape
        )
        return pixels / 255

    decoder = tf.function(decode_all, autograph=False)
    return decoder.get_concrete_function(tf.TensorSpec([None], tf.string))


def _without_constants(graph: bytes, manifest: Manifest) -> tuple[bytes, list[str]]:
    """Return the operations between input and output, and the names of the constants they need."""
    network = subgraph(GraphDef.FromString(graph), [manifest.output_node])
    constants = [node.name for node in network.node if node.op == "Const"]
    given = {manifest.input_node, *constants}
    kept = [node for node in network.node if node.name not in given]
    del network.node[:]
    network.node.extend(kept)
    content: bytes = network.SerializeToString()
    return content, constants
