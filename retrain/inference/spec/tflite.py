"""Input specs of TensorFlow Lite files: ours, those with metadata, and those without."""

from pathlib import Path

import numpy as np

from retrain.artifacts.detect import Format
from retrain.artifacts.tflite import METADATA, metadata_labels, tflite_manifest, tflite_metadata
from retrain.artifacts.tflite_metadata import TfliteMetadata
from retrain.backbones.engines.litert_model import (
    Tensor,
    inputs_of,
    named,
    open_interpreter,
    outputs_of,
)
from retrain.backbones.engines.openvino_model import read_part
from retrain.errors import RetrainError
from retrain.inference.config import Overrides
from retrain.inference.spec.facts import Fact, GraphFacts
from retrain.inference.spec.manifest import manifest_facts
from retrain.inference.spec.openvino_errors import no_layer
from retrain.inference.spec.other_inputs import OtherInput, value_by_name
from retrain.inference.spec.pictures import picture_input
from retrain.inference.spec.traits import Traits, logits_fact, scaling_fact, traits_of


def tflite_facts(path: Path, overrides: Overrides) -> GraphFacts:
    """Find out how a TFLite file is fed and return the facts.

    Raises RetrainError for what cannot be found out and has no override.
    """
    interpreter = open_interpreter(path, 1)
    inputs = inputs_of(interpreter)
    given = _chosen(path, inputs, overrides.input_layer, what="input")
    made = _chosen(path, outputs_of(interpreter), overrides.output_layer, what="output")
    others = _others(path, inputs, given)
    layer = Fact(given.name.removesuffix(":0"), "the file")
    output = Fact(made.name.removesuffix(":0"), "the file")
    metadata = tflite_metadata(path)
    manifest = tflite_manifest(path, metadata)
    if manifest is not None:
        scaling = _metadata_scaling(metadata, given)
        return manifest_facts(manifest, Format.TFLITE, layer, output=output, scaling=scaling)
    traits = _traits(path, given, made, others=others)
    scaling = (
        _metadata_scaling(metadata, given)
        or _quantized_scaling(given)
        or (scaling_fact(traits) if traits else None)
        or Fact((127.5, 127.5), "as TensorFlow Lite's examples feed such files", guessed=True)
    )
    pictures = picture_input(path, given.name, given.shape, traits=traits)
    labels = metadata_labels(metadata)
    logits = Fact(False, "its last operation cannot be read", guessed=True)
    return GraphFacts(
        Format.TFLITE.value,
        layer,
        Fact(pictures.wanted_size(path, overrides), "the shape of the input"),
        scaling,
        output,
        logits_fact(traits) if traits else logits,
        Fact(*labels) if labels else None,
        layout=pictures.layout,
        channels=pictures.channels,
        batch=pictures.batch,
        others=others,
        last=traits.last if traits else "unknown",
    )


def _others(path: Path, inputs: list[Tensor], given: Tensor) -> tuple[OtherInput, ...]:
    """Return what is fed to the inputs beside the pictures, where their names make it certain.

    Raises RetrainError for an input of which nothing is certain.
    """
    found = []
    for each in inputs:
        if each.index == given.index:
            continue
        fed = value_by_name(each.name, logical=each.dtype.kind in "biu")
        if fed is None:
            raise RetrainError(
                f"{path.absolute()} takes {each.name!r} ({each.dtype}) beside the pictures, and "
                "nobody knows what it is when the model is used: convert it with that input fixed"
            )
        found.append(fed)
    return tuple(found)


def _chosen(path: Path, tensors: list[Tensor], wanted: str | None, *, what: str) -> Tensor:
    """Return the tensor that the user named, or the only one that can be pictures, or scores."""
    if wanted:
        try:
            return named(tensors, wanted)
        except KeyError as error:
            raise no_layer(path, wanted) from error
    if what == "input":
        fitting = [each for each in tensors if len(each.shape) == 4]
    else:
        fitting = [each for each in tensors if sum(size != 1 for size in each.shape[1:]) <= 1]
    fitting = [each for each in fitting or tensors if each.dtype.kind in "fiu"]
    if len(fitting) == 1:
        return fitting[0]
    raise RetrainError(
        f"{path.absolute()} has {len(fitting)} {what}s that may be meant: give --{what}_layer, "
        f"one of {', '.join(each.name for each in fitting or tensors) or '(none found)'}"
    )


def _metadata_scaling(
    metadata: TfliteMetadata | None, given: Tensor
) -> Fact[tuple[float, float]] | None:
    """Return the metadata's scaling, or None.

    For an input that takes bytes, mean 0 and std 1 are no scaling: they are the defaults where the
    metadata tell none.
    """
    if metadata is None or ((metadata.mean, metadata.std) == (0, 1) and given.dtype.kind != "f"):
        return None
    return Fact((metadata.mean, metadata.std), METADATA)


def _quantized_scaling(given: Tensor) -> Fact[tuple[float, float]] | None:
    """Return the scaling for an 8-bit input: black is its lowest number, white its highest."""
    if given.dtype not in (np.uint8, np.int8):
        return None
    black = int(np.iinfo(given.dtype).min)
    if not given.quantized:
        return Fact((float(-black), 1.0), "the input takes bytes")
    return Fact((float(given.zero_point - black), 1 / given.scale), "the input takes bytes")


def _traits(
    path: Path, given: Tensor, made: Tensor, *, others: tuple[OtherInput, ...]
) -> Traits | None:
    """Return the traits, or None where OpenVINO, which only reads here, lacks an operation."""
    try:
        fixed = {other.name: other.value for other in others}
        return traits_of(read_part(path, given.name, made.name, fixed=fixed))
    except (KeyError, RuntimeError):
        return None
