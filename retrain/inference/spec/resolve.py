"""Finding out a graph's input spec, from its manifest or, in another tool's graph, its nodes."""

from pathlib import Path

from retrain.artifacts.detect import Artefact, Format, find_artefact
from retrain.artifacts.graphdef import read_graph
from retrain.artifacts.manifest import NODE as MANIFEST_KEY
from retrain.artifacts.manifest import Manifest, find_manifest, parse_manifest
from retrain.artifacts.onnx import read_onnx
from retrain.artifacts.safety.tensorflow_graphs import check_part
from retrain.artifacts.saved_model import read_saved_model
from retrain.errors import RetrainError
from retrain.inference.config import Overrides
from retrain.inference.spec.facts import GraphFacts, with_overrides
from retrain.inference.spec.frozen import frozen_facts
from retrain.inference.spec.manifest import named_layer_facts
from retrain.inference.spec.saved_model import saved_model_facts
from retrain.inference.spec.spec import InputSpec
from retrain.inference.spec.tflite import tflite_facts


def describe_graph(path: Path, overrides: Overrides | None = None) -> InputSpec:
    """Find out the input spec of a frozen graph, SavedModel folder, ONNX or TensorFlow Lite file.

    `overrides` come first. The spec's `guesses` list, for the user to read, what nobody said and
    the graph does not know. Raises RetrainError if the graph cannot be used.
    """
    return find_facts(path, overrides or Overrides()).spec


def find_facts(path: Path, overrides: Overrides) -> GraphFacts:
    """Find out the input spec's facts, each with its source; raise RetrainError if that fails."""
    return with_overrides(_facts(find_artefact(path), overrides), overrides)


def _facts(artefact: Artefact, overrides: Overrides) -> GraphFacts:
    path = artefact.path
    if artefact.format is Format.SAVED_MODEL:
        return saved_model_facts(read_saved_model(path), overrides)
    if artefact.format is Format.TFLITE:
        return tflite_facts(path, overrides)
    if artefact.format is Format.ONNX:
        return named_layer_facts(onnx_manifest(path), Format.ONNX, overrides)
    graph = read_graph(path)
    manifest = find_manifest(graph, path.absolute())
    if manifest is not None:
        facts = named_layer_facts(manifest, Format.FROZEN, overrides)
        check_part(graph, facts.input.value, [facts.output.value], path=path)
        return facts
    return frozen_facts(graph, path, overrides)


def onnx_manifest(path: Path) -> Manifest:
    """Return the manifest in an ONNX classifier; raise RetrainError if other tools made it."""
    properties = {entry.key: entry.value for entry in read_onnx(path).metadata_props}
    if MANIFEST_KEY not in properties:
        raise RetrainError(
            f"{path.absolute()} was not made by retrain: of ONNX files, only those that it wrote "
            "can be used"
        )
    return parse_manifest(properties[MANIFEST_KEY], str(path.absolute()))
