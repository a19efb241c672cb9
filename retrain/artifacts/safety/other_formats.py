"""Safety of ONNX, TensorFlow Lite and Keras files: find what would do more than compute.

ONNX's own operations and TensorFlow Lite's own ones all only compute; others may do anything. Keras
files are loaded in Keras' safe mode, which has had holes (CVE-2025-9905: none for .h5 files), so
what runs code or reads other files is refused here first.
"""

import io
import json
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from retrain.artifacts.flatbuffer import Table, root_table
from retrain.artifacts.safety.verdict import WITHOUT_FLAG, Finding, refuse_unless_allowed
from retrain.errors import RetrainError, one_line
from retrain.utils.files import cannot_read

ONNX_DOMAINS = ("", "ai.onnx", "ai.onnx.ml")
TFLITE_CUSTOM = 32  # BuiltinOperator's number in schema.fbs
TFLITE_KNOWN = (b"TFLite_Detection_PostProcess",)  # a part of the runtime
KERAS_CODE = ("Lambda", "__lambda__", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer")


def check_onnx(model: Any, path: Path) -> None:
    """Refuse an ONNX model that would do more than compute; call it before weights are loaded.

    Raises UnsafeGraph for operations of other domains than ONNX's own, and for weights in files
    outside of the model's folder.
    """
    own = {(function.domain, function.name) for function in model.functions}
    found = [
        Finding(f"{node.domain}.{node.op_type}", f"node {node.name or '/'.join(node.output)}")
        for node in _onnx_nodes([model.graph, *model.functions])
        if node.domain not in ONNX_DOMAINS and (node.domain, node.op_type) not in own
    ]
    refuse_unless_allowed(found, path, WITHOUT_FLAG, allowable=False)
    for tensor in _onnx_tensors([model.graph, *model.functions]):
        for entry in tensor.external_data:
            place = PurePosixPath(entry.value.replace("\\", "/"))
            if entry.key == "location" and (place.is_absolute() or ".." in place.parts):
                raise RetrainError(
                    f"{path.absolute()} takes weights from {entry.value}, outside of its folder: "
                    "export it anew, with its weights inside or beside it"
                )


def _onnx_nodes(graphs: list[Any]) -> Iterator[Any]:
    while graphs:
        for node in graphs.pop().node:
            yield node
            for attribute in node.attribute:
                graphs += [attribute.g, *attribute.graphs]


def _onnx_tensors(graphs: list[Any]) -> Iterator[Any]:
    while graphs:
        graph = graphs.pop()
        yield from getattr(graph, "initializer", ())
        for sparse in getattr(graph, "sparse_initializer", ()):
            yield from (sparse.values, sparse.indices)
        for node in graph.node:
            for attribute in node.attribute:
                graphs += [attribute.g, *attribute.graphs]
                yield from (attribute.t, *attribute.tensors)


def check_tflite(path: Path) -> None:
    """Refuse a TFLite file that would do more than compute.

    Raises UnsafeGraph for custom operations, RetrainError for a file that is cut off.
    """
    try:
        found = tflite_findings(root_table(path.read_bytes()))
    except OSError as error:
        raise cannot_read("graph", path, error) from error
    except (struct.error, IndexError, ValueError) as error:
        raise RetrainError(
            f"cannot run {path.absolute()}: it is cut off or damaged; export it anew"
        ) from error
    refuse_unless_allowed(found, path, WITHOUT_FLAG, allowable=False)


def tflite_findings(root: Table) -> list[Finding]:
    """List the custom operations in a TFLite model's root table, also TensorFlow's own ("Flex")."""
    found = []
    for code in root.tables(1):
        name = code.content(1)
        builtin = max(code.number(0, "b"), code.number(3, "i"))
        if builtin == TFLITE_CUSTOM and name not in TFLITE_KNOWN:
            found.append(Finding(name.decode("utf-8", "replace"), "a custom operation"))
    return found


def check_keras_file(path: Path) -> None:
    """Refuse a Keras file that would do more than compute; no flag allows one.

    Raises UnsafeGraph for a layer that runs code of its own or a weight that lies in another file,
    RetrainError if the file cannot be read.
    """
    remedy = "save it without that, or export it as a SavedModel folder"
    try:
        config, weights = _keras_parts(path)
        found = [*_keras_findings(config), *_outer_weights(weights)]
    except Exception as error:  # zipfile's, JSON's and HDF5's many kinds
        raise RetrainError(
            f"{path.absolute()} does not load as a Keras model: {one_line(error)}; "
            "save it anew with today's Keras, or export it as a SavedModel folder"
        ) from error
    refuse_unless_allowed(found, path, remedy, allowable=False)


def _keras_parts(path: Path) -> tuple[Any, Any]:
    """Return a Keras file's configuration, and the file of its weights (None if it has none)."""
    if not zipfile.is_zipfile(path):
        import h5py

        with h5py.File(path, "r") as file:
            if "model_config" not in file.attrs:
                raise ValueError("it holds weights only")
            return json.loads(file.attrs["model_config"]), path
    with zipfile.ZipFile(path) as archive:
        weights = (
            archive.read("model.weights.h5") if "model.weights.h5" in archive.namelist() else b""
        )
        return json.loads(archive.read("config.json")), io.BytesIO(weights) if weights else None


def _keras_findings(config: Any) -> Iterator[Finding]:
    """Yield the classes in a Keras configuration that run code, read files, or are not Keras."""
    waiting = [config]
    while waiting:
        part = waiting.pop()
        if isinstance(part, list):
            waiting += part
        if not isinstance(part, dict):
            continue
        waiting += part.values()
        name, module = part.get("class_name"), part.get("module")
        if not isinstance(name, str):
            continue
        own = not module or str(module).split(".")[0] in ("keras", "builtins")
        inner = part.get("config")
        reads = isinstance(inner, dict) and isinstance(inner.get("vocabulary"), str)
        if name in KERAS_CODE or not own or reads:
            yield Finding(name, f"layer or function of {module or 'Keras'}")


def _outer_weights(weights: Any) -> Iterator[Finding]:
    """Yield the groups and datasets of an HDF5 file that lie in another file."""
    if weights is None:
        return
    import h5py

    with h5py.File(weights, "r") as file:
        waiting, seen = [file], set()
        while waiting:
            group = waiting.pop()
            place = h5py.h5o.get_info(group.id).addr
            if place in seen:  # a group may lie within itself
                continue
            seen.add(place)
            for name in group:
                link = group.get(name, getlink=True)
                if isinstance(link, h5py.ExternalLink):
                    yield Finding("ExternalLink", f"weight {name} in {link.filename}")
                    continue
                if isinstance(link, h5py.SoftLink):
                    continue
                item = group[name]
                if isinstance(item, h5py.Group):
                    waiting.append(item)
                elif item.external or item.is_virtual:
                    yield Finding("ExternalStorage", f"weight {name}")
