"""What the module of an export format offers: a writer, and a runtime that checks what it wrote."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from retrain.artifacts.manifest import Manifest

Run = Callable[[np.ndarray], np.ndarray]  # (n, H, W, 3) uint8 to probabilities (n, C)


@dataclass(frozen=True)
class Conversion:
    """A frozen graph on its way to another format.

    Attributes:
        graph: The frozen graph's content.
        manifest: The graph's.
        numbers: How weights are to be kept: one of the format's `agreement`.
        representative: Decoded photos (H, W, 3) uint8 that show int8 the range of each layer; empty
            for other numbers.
    """

    graph: bytes
    manifest: Manifest
    numbers: str
    representative: Sequence[np.ndarray] = ()


class FormatModule(Protocol):
    """A module with the code of one format. It imports the packages it needs in its functions."""

    def write(self, conversion: Conversion, path: Path) -> None:
        """Write the file or folder, whole or not at all; raise RetrainError if that cannot be."""
        ...

    def open_runtime(self, path: Path, manifest: Manifest) -> Run:
        """Open the file in its users' runtime; raise RetrainError if that is not installed."""
        ...


class FolderModule(FormatModule, Protocol):
    """The module of a format that is a folder; labels, manifest and model card go into it."""

    COMPANIONS: str  # the folder in it for these

    def target_of(self, path: Path) -> Path:
        """Return the folder to make for the path that users name; raise UsageFault if it cannot."""
        ...


def unit_pixels(batch: np.ndarray) -> np.ndarray:
    """Return pixels (n, H, W, 3) uint8 as the graph takes them: float32 in [0, 1]."""
    return batch.astype(np.float32) / np.float32(255)
