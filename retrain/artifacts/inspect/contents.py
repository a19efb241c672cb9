"""What is found in an artefact."""

from dataclasses import dataclass

from retrain.artifacts.manifest import Manifest


@dataclass(frozen=True)
class Port:
    """An input or output; `shape`: -1 where open, None where nothing is said of it."""

    name: str
    type: str
    shape: tuple[int, ...] | None

    @property
    def text(self) -> str:
        """E.g. `image: float32 [?, 224, 224, 3]`."""
        if self.shape is None:
            return f"{self.name}: {self.type}"
        return f"{self.name}: {self.type} [{', '.join(_size(size) for size in self.shape)}]"


@dataclass(frozen=True)
class Signature:
    """A function of a SavedModel."""

    name: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]


@dataclass(frozen=True)
class Contents:
    """`parameters`: how many numbers the weights are. `labels`: those that the artefact carries.
    `manifest`: None for what other tools made. `unsafe`: what in it would do more than compute."""

    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    parameters: int
    signatures: tuple[Signature, ...] = ()
    labels: tuple[str, ...] | None = None
    manifest: Manifest | None = None
    unsafe: tuple[str, ...] = ()


def _size(size: int) -> str:
    return "?" if size < 0 else str(size)
