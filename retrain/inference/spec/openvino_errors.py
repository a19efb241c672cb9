"""Reading the wanted part of a graph, with faults that name the file."""

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
    """`others`: what is fed to further inputs. Raises RetrainError if OpenVINO cannot read what
    lies between the layers."""
    fixed = {other.name: other.value for other in others}
    with openvino_faults(path):
        return traits_of(read_part(path, input_layer, output_layer, fixed=fixed))


@contextmanager
def openvino_faults(path: Path) -> Iterator[None]:
    """Turns KeyError for a layer, and OpenVINO's own errors, into RetrainError."""
    try:
        yield
    except KeyError as error:
        raise no_layer(path, error.args[0]) from error
    except RuntimeError as error:
        raise RetrainError(f"cannot run {path.absolute()}: {why(error)}") from error


def no_layer(path: Path, name: str) -> RetrainError:
    return RetrainError(
        f"{path.absolute()} has no layer {name!r}: give --input_layer and --output_layer as they "
        "are called in the graph"
    )
