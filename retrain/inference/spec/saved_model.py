"""Input specs of SavedModel folders, ours and those of TensorFlow 1 and 2, by their signatures."""

from typing import Any

from tensorboard.compat.proto.meta_graph_pb2 import SignatureDef
from tensorboard.compat.proto.types_pb2 import DT_FLOAT, DataType

from retrain.artifacts.detect import Format
from retrain.artifacts.graphdef import node_name
from retrain.artifacts.safety.tensorflow_graphs import check_part
from retrain.artifacts.saved_model import SERVING, SavedModel, saved_model_manifest
from retrain.errors import RetrainError
from retrain.inference.config import Overrides
from retrain.inference.spec.facts import Fact, GraphFacts
from retrain.inference.spec.manifest import manifest_facts
from retrain.inference.spec.openvino_errors import no_layer, read_traits
from retrain.inference.spec.other_inputs import LOGICAL, PIXELS, OtherInput, value_by_name
from retrain.inference.spec.pictures import picture_input
from retrain.inference.spec.traits import logits_fact, scaling_fact

# The names of outputs that are tried, in this order.
USUAL_OUTPUTS = ("prediction", "predictions", "probabilities", "scores", "output", "logits")


def saved_model_facts(model: SavedModel, overrides: Overrides) -> GraphFacts:
    """Find out how a SavedModel is fed and return the facts.

    Raises RetrainError for what cannot be found out and has no override.
    """
    name, signature = _signature(model)
    source = f"the signature {name}"
    layer = _input(model, signature, overrides, source=source)
    output = _output(model, signature, overrides, source=source)
    ends = signature.inputs[layer.value], signature.outputs[output.value]
    given, made = (node_name(info.name) for info in ends)
    check_part(model.graph, given, [made], path=model.folder)
    manifest = saved_model_manifest(model)
    if manifest is not None:
        return manifest_facts(manifest, Format.SAVED_MODEL, layer, output=output)
    others = _others(model, signature, layer.value)
    traits = read_traits(model.folder, layer.value, output.value, others=others)
    declared = _shape(signature.inputs[layer.value]) or traits.shape
    pictures = picture_input(model.folder, layer.value, declared, traits=traits)
    scaling = scaling_fact(traits) or Fact(
        (0.0, 255.0), "as TensorFlow Hub has its modules fed", guessed=True
    )
    return GraphFacts(
        Format.SAVED_MODEL.value,
        layer,
        Fact(pictures.wanted_size(model.folder, overrides), "the shape of the input"),
        scaling,
        output,
        logits_fact(traits),
        layout=pictures.layout,
        channels=pictures.channels,
        batch=pictures.batch,
        others=others,
        last=traits.last,
    )


def _signature(model: SavedModel) -> tuple[str, SignatureDef]:
    """Return `serving_default`, or the only signature there is: OpenVINO reads no other."""
    if SERVING in model.signatures:
        return SERVING, model.signatures[SERVING]
    if len(model.signatures) == 1:
        return next(iter(model.signatures.items()))
    raise RetrainError(
        f"{model.folder.absolute()} has no signature {SERVING} "
        f"(it has: {', '.join(model.signatures) or 'none'}): export it with one"
    )


def _input(
    model: SavedModel, signature: SignatureDef, overrides: Overrides, *, source: str
) -> Fact[str]:
    if overrides.input_layer:
        if overrides.input_layer not in signature.inputs:
            raise no_layer(model.folder, overrides.input_layer)
        return Fact(overrides.input_layer, "--input_layer")
    numbers = [key for key, info in sorted(signature.inputs.items()) if info.dtype in PIXELS]
    four = [key for key in numbers if len(_shape(signature.inputs[key]) or ()) == 4]
    loose = [
        key
        for key in numbers
        if _shape(signature.inputs[key]) is None and value_by_name(key, logical=False) is None
    ]
    pictures = four or loose or numbers
    if len(pictures) != 1:
        taken = ", ".join(f"{key}: {_type(info)}" for key, info in sorted(signature.inputs.items()))
        raise RetrainError(
            f"{model.folder.absolute()} takes no batch of RGB pictures in {source} ({taken}): "
            "give a SavedModel that does, or the graph that it was made from"
        )
    return Fact(pictures[0], source)


def _output(
    model: SavedModel, signature: SignatureDef, overrides: Overrides, *, source: str
) -> Fact[str]:
    if overrides.output_layer:
        if overrides.output_layer not in signature.outputs:
            raise no_layer(model.folder, overrides.output_layer)
        return Fact(overrides.output_layer, "--output_layer")
    scores = [key for key, info in sorted(signature.outputs.items()) if info.dtype == DT_FLOAT]
    usual = [key for key in USUAL_OUTPUTS if key in scores]
    if len(scores) == 1:
        return Fact(scores[0], source)
    if usual:
        return Fact(usual[0], f"a usual name, of {len(scores)} in {source}", guessed=True)
    raise RetrainError(
        f"{model.folder.absolute()} has no output that is known: give --output_layer, one of "
        f"{', '.join(sorted(signature.outputs)) or '(none found)'}"
    )


def _others(model: SavedModel, signature: SignatureDef, layer: str) -> tuple[OtherInput, ...]:
    """Return what is fed to the inputs beside the pictures, where their names make it certain.

    Raises RetrainError for an input of which nothing is certain.
    """
    found = []
    for key, info in sorted(signature.inputs.items()):
        if key == layer:
            continue
        fed = value_by_name(key, logical=info.dtype in LOGICAL)
        if fed is None:
            raise RetrainError(
                f"{model.folder.absolute()} takes {key!r} ({_type(info)}) beside the pictures, and "
                "nobody knows what it is when the graph is used: export it with a signature in "
                "which it is fixed"
            )
        found.append(fed)
    return tuple(found)


def _shape(info: Any) -> tuple[int, ...] | None:
    """Return the shape in a TensorInfo: -1 where open, None where it says nothing."""
    if info.tensor_shape.unknown_rank:
        return None
    return tuple(dim.size for dim in info.tensor_shape.dim)


def _type(info: Any) -> str:
    sizes = ", ".join("?" if dim.size < 0 else str(dim.size) for dim in info.tensor_shape.dim)
    return f"{DataType.Name(info.dtype).removeprefix('DT_').lower()} [{sizes}]"
