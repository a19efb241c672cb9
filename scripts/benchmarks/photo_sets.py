"""Sets of photos for measurements of heads: folders, drawn shapes, and handwritten digits."""

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.drawings import draw_shapes


@dataclass(frozen=True)
class PhotoSet:
    """Features (n, D), classes (n,) and the digest of each photo."""

    name: str
    features: np.ndarray
    labels: np.ndarray
    keys: list[bytes]

    @property
    def classes(self) -> int:
        return int(self.labels.max()) + 1


def photo_sets(folders: Sequence[Path], module: str | None = None) -> list[PhotoSet]:
    """Returns the features of the folders' photos, of drawn shapes and of digits."""
    with tempfile.TemporaryDirectory(prefix="retrain-sets-") as work:
        os.environ.setdefault("RETRAIN_CACHE_DIR", f"{work}/cache")
        draw_shapes(Path(work) / "shapes", 80)
        _write_digits(Path(work) / "digits")
        everything = [*folders, Path(work) / "shapes", Path(work) / "digits"]
        return [_photo_set(folder, module) for folder in everything]


def _photo_set(folder: Path, module: str | None) -> PhotoSet:
    from retrain.data.config import DataConfig
    from retrain.features.config import ExtractConfig
    from retrain.features.dataset import read_photos

    extract = ExtractConfig() if module is None else ExtractConfig(tfhub_module=module)
    photos = read_photos(DataConfig(str(folder)), extract, [], least_classes=1)
    features = photos.features().take(np.arange(len(photos.keys)))
    return PhotoSet(folder.name, features, photos.labels.astype(np.int64), photos.keys)


def _write_digits(folder: Path, count: int = 600) -> None:
    """Writes scikit-learn's handwritten digits, 8 x 8 pixels, as pictures in folders."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    for number, (pixels, label) in enumerate(zip(digits.images, digits.target, strict=True)):
        if number < count:
            (folder / str(label)).mkdir(parents=True, exist_ok=True)
            image = Image.fromarray((255 - 15.9 * pixels).astype(np.uint8))
            image.resize((96, 96), Image.Resampling.BICUBIC).save(folder / f"{label}/{number}.png")
