"""The facts that inspection finds in an artefact."""

from dataclasses import dataclass

from retrain.artifacts.manifest import Manifest


@dataclass(frozen=True)
class Port:
    """An input or output of a network.

    Attributes:
        name: Its name.
        type: The type of its numbers, such as `float32`.
        shape: -1 where a size is open; None where no shape is declared.
    """

    name: str
    type: str
    shape: tuple[int, ...] | None

    @property
    def text(self) -> str:
        """Name, type and shape, such as `image: float32 [?, 224, 224, 3]`."""
        if self.shape is None:
            return f"{self.name}: {self.type}"
        return f"{self.name}: {self.type} [{', '.join(_size(size) for size in self.shape)}]"


@dataclass(frozen=True)
class Signature:
    """A function that a SavedModel offers, with its inputs and outputs."""

    name: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]


@dataclass(frozen=True)
class Contents:
    """What an artefact holds.

    Attributes:
        inputs: Of the network.
        outputs: Of the network.
        parameters: How many numbers its weights are.
        signatures: A SavedModel's.
        labels: Those that the artefact carries, in class order, or None.
        manifest: None for what other tools made.
        unsafe: The operations that would do more than compute, in words.
    """

    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    parameters: int
    signatures: tuple[Signature, ...] = ()
    labels: tuple[str, ...] | None = None
    manifest: Manifest | None = None
    unsafe: tuple[str, ...] = ()


def _size(size: int) -> str:
    return "?" if size < 0 else str(size)
