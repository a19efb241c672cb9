"""Telling modules whose variables can be trained from others, without TensorFlow's seconds."""

from functools import cache
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pool, message_factory
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.message import DecodeError
from tensorboard.compat.proto.meta_graph_pb2 import MetaGraphDef

from retrain.errors import RetrainError
from retrain.files import cannot_read

REMEDY = "fine-tuning needs a TF2 SavedModel with trainable_variables, such as mobilenet_v1_100_224"


def check_can_be_tuned(module: Path) -> None:
    """Raises RetrainError, in one line, for a module whose variables cannot be trained.

    That is all but the folder of a TF2 SavedModel that can be called and names its
    `trainable_variables` (https://www.tensorflow.org/hub/reusable_saved_models).
    """
    if not module.is_dir():
        raise RetrainError(f"{module.absolute()} cannot be fine-tuned, it is one file: {REMEDY}")
    lack = _lack_of(module / "saved_model.pb")
    if lack is not None:
        raise RetrainError(f"{module.absolute()} cannot be fine-tuned, {lack}: {REMEDY}")


def _lack_of(path: Path) -> str | None:
    try:
        graphs = _saved_model().FromString(path.read_bytes()).meta_graphs
    except OSError as error:
        raise cannot_read("module", path, error) from error
    except DecodeError:
        return "its saved_model.pb is damaged"
    objects = next((g.object_graph_def for g in graphs if g.HasField("object_graph_def")), None)
    if objects is None or not objects.nodes:
        return "it is in the TF1 format"
    root = {child.local_name: child.node_id for child in objects.nodes[0].children}
    if "__call__" not in root:
        return "it has signatures only and cannot be called"
    listed = root.get("trainable_variables")
    if listed is None or not objects.nodes[listed].children:
        return "it has no trainable variables"
    return None


@cache
def _saved_model() -> Any:
    """The class of the message in saved_model.pb, the one around those that TensorBoard carries:
    its field 2 holds MetaGraphDefs (tensorflow/core/protobuf/saved_model.proto)."""
    graph = MetaGraphDef.DESCRIPTOR
    file = FileDescriptorProto(
        name="retrain/saved_model.proto", package="retrain", dependency=[graph.file.name]
    )
    file.message_type.add(name="SavedModel").field.add(
        name="meta_graphs",
        number=2,
        label=FieldDescriptorProto.LABEL_REPEATED,
        type=FieldDescriptorProto.TYPE_MESSAGE,
        type_name=f".{graph.full_name}",
    )
    pool = descriptor_pool.Default()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("retrain.SavedModel"))
