"""Checking, without TensorFlow's start-up, whether a module's variables can be trained."""

from pathlib import Path

from google.protobuf.message import DecodeError

from retrain.artifacts.saved_model import parse_saved_model
from retrain.errors import RetrainError
from retrain.utils.files import cannot_read

REMEDY = "fine-tuning needs a TF2 SavedModel with trainable_variables, such as mobilenet_v1_100_224"


def check_can_be_tuned(module: Path) -> None:
    """Raise RetrainError, in one line, for a module whose variables cannot be trained.

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
        graphs = parse_saved_model(path.read_bytes()).meta_graphs
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
