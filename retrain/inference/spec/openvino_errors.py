"""Errors of OpenVINO turned into RetrainErrors that name the graph's file."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from retrain.backbones.engines.openvino_model import read_part, why
from retrain.errors import RetrainError
from retrain.inference.spec.other_inputs import OtherInput
from retrain.inference.spec.traits import Traits, traits_of


def read_traits(
    path: Path, input_layer: str, output_layer: str, *, others: tuple[OtherInput, ...] = ()
) -> Traits:
    """Read the part of a graph between two layers with OpenVINO and return its traits.

    Args:
        path: The graph's file or folder.
        input_layer: Where the part begins.
        output_layer: Where it ends.
        others: What is fed to further inputs.

    Returns:
        The traits.

    Raises:
        RetrainError: OpenVINO cannot read the part, or a layer is missing.
    """
    fixed = {other.name: other.value for other in others}
    with openvino_faults(path):
        return traits_of(read_part(path, input_layer, output_layer, fixed=fixed))


@contextmanager
def openvino_faults(path: Path) -> Iterator[None]:
    """Turn KeyError for a layer, and OpenVINO's own errors, into RetrainError."""
    try:
        yield
    except KeyError as error:
        raise no_layer(path, error.args[0]) from error
    except RuntimeError as error:
        raise RetrainError(f"cannot run {path.absolute()}: {why(error)}") from error


def no_layer(path: Path, name: str) -> RetrainError:
    """Return the error for a layer that the graph does not have."""
    return RetrainError(
        f"{path.absolute()} has no layer {name!r}: give --input_layer and --output_layer as they "
        "are called in the graph"
    )
