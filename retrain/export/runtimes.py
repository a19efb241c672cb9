"""Running exported files in the runtimes that their users have."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from retrain.artifacts.manifest import Manifest
from retrain.export.formats import format_of


def own_scores(path: Path, manifest: Manifest, pixels: Iterable[np.ndarray]) -> np.ndarray:
    """Compute probabilities (n, C) float32 of decoded photos, (H, W, 3) uint8, one after the other.

    The path's suffix says the format, and the format's module its runtime. Raises RetrainError
    where that is not installed.
    """
    run = format_of(path).load().open_runtime(path, manifest)
    rows = [run(photo[None])[0] for photo in pixels]
    return np.array(rows, np.float32).reshape(-1, len(manifest.labels))
