"""SavedModel folders without TensorFlow: their graphs, signatures and manifests."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError
from tensorboard.compat.proto.graph_pb2 import GraphDef
from tensorboard.compat.proto.meta_graph_pb2 import MetaGraphDef, SignatureDef

from retrain.artifacts.detect import SAVED_MODEL_FILE
from retrain.artifacts.graphdef import check_references
from retrain.artifacts.manifest import FILE as MANIFEST_FILE
from retrain.artifacts.manifest import Manifest, find_manifest, parse_manifest
from retrain.errors import RetrainError
from retrain.utils.files import cannot_read, open_regular
from retrain.utils.text import read_bytes

EXTRA = "assets.extra"  # TensorFlow's place for other files in the folder
SERVING = "serving_default"


@dataclass(frozen=True)
class SavedModel:
    """A SavedModel's graph for inference.

    Attributes:
        folder: Where it lies.
        graph: The one of its graphs that has the signatures.
        signatures: By their names, without those that TensorFlow needs for loading.
    """

    folder: Path
    graph: GraphDef
    signatures: dict[str, SignatureDef]


def read_saved_model(folder: Path) -> SavedModel:
    """Read a SavedModel's folder and return its graph for inference.

    Raises RetrainError if `saved_model.pb` cannot be read or holds no graph.
    """
    path = folder / SAVED_MODEL_FILE
    try:
        with open_regular(path) as file:
            content = file.read()
    except OSError as error:
        raise cannot_read("SavedModel", path, error) from error
    try:
        found = list(parse_saved_model(content).meta_graphs)
    except DecodeError:
        found = []
    graphs: list[MetaGraphDef] = sorted(found, key=_is_for_training)
    if not graphs:
        raise RetrainError(
            f"{path.absolute()} is not a SavedModel's graph: give the folder that was exported"
        )
    signatures = {
        name: signature
        for name, signature in sorted(graphs[0].signature_def.items())
        if not name.startswith("__saved_model_")  # TensorFlow's own, for loading
    }
    ends = (
        info.name
        for signature in signatures.values()
        for info in (*signature.inputs.values(), *signature.outputs.values())
        if info.name  # a TensorInfo of several tensors has no name
    )
    check_references(graphs[0].graph_def, path, ends)
    return SavedModel(folder, graphs[0].graph_def, signatures)


def parse_saved_model(content: bytes) -> Any:
    """Parse the content of a `saved_model.pb` and return its message, with field `meta_graphs`.

    Raises protobuf's DecodeError.
    """
    return _message_class().FromString(content)


def saved_model_manifest(model: SavedModel) -> Manifest | None:
    """Return the manifest beside or in a SavedModel's graph; None if other tools made it."""
    path = model.folder / EXTRA / MANIFEST_FILE
    if path.is_file():
        return parse_manifest(read_bytes(path, "manifest"), str(path.absolute()))
    return find_manifest(model.graph, model.folder.absolute())


def _is_for_training(graph: MetaGraphDef) -> bool:
    return "train" in graph.meta_info_def.tags or not graph.signature_def


@cache
def _message_class() -> Any:
    """Return the class of the SavedModel message (saved_model.proto), which TensorBoard lacks."""
    file = descriptor_pb2.FileDescriptorProto(
        name="retrain/saved_model.proto",
        package="retrain",
        syntax="proto3",
        dependency=[MetaGraphDef.DESCRIPTOR.file.name],
    )
    message = file.message_type.add(name="SavedModel")
    message.field.add(name="saved_model_schema_version", number=1, type=3, label=1)
    message.field.add(
        name="meta_graphs",
        number=2,
        type=11,
        label=3,
        type_name=f".{MetaGraphDef.DESCRIPTOR.full_name}",
    )
    pool = descriptor_pool.Default()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("retrain.SavedModel"))
