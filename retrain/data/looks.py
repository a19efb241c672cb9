"""A look at each photo, for the audit: taken when the photo is opened, and kept for later runs."""

import hashlib
from collections.abc import Container, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from retrain.data.decoding.decode import DECODER, Recipe, size_for
from retrain.data.decoding.open import opened
from retrain.data.decoding.picture import Picture
from retrain.data.digests import DIGEST_BYTES
from retrain.utils.kept import SUFFIX, Say, read_kept, write_kept

LOOK = Recipe(64, 64)
THUMBNAIL = 16  # pixels a side
FOLDER = "looks"  # in the folder of features
RECORD = np.dtype(
    [
        ("key", f"V{DIGEST_BYTES}"),
        ("format", "S8"),
        ("width", "<u4"),
        ("height", "<u4"),
        ("spread", "<f8"),
        ("thumbnail", "u1", (THUMBNAIL, THUMBNAIL)),
    ]
)


@dataclass(frozen=True)
class Look:
    """What a look at one photo shows.

    Attributes:
        format: Of the content, by Pillow's name.
        width: In pixels, as stored.
        height: In pixels, as stored.
        spread: The largest standard deviation of a colour channel, in [0, 127.5].
        thumbnail: (THUMBNAIL, THUMBNAIL) uint8, grey.
    """

    format: str
    width: int
    height: int
    spread: float
    thumbnail: np.ndarray


def look_at(content: bytes) -> Look:
    """Return the look at a photo's bytes. Raises BadPhoto and TooLittleMemory."""
    with opened(content, *size_for(LOOK)) as picture:
        return look_of(picture)


def look_of(picture: Picture) -> Look:
    """Return the look at a picture that `serves` the size of LOOK."""
    small = picture.resize((LOOK.width, LOOK.height), Image.Resampling.BILINEAR)
    width, height = picture.stored
    pixels = np.asarray(small, np.float32)
    cell = LOOK.height // THUMBNAIL
    grey = pixels.mean(axis=2).reshape(THUMBNAIL, cell, THUMBNAIL, cell).mean(axis=(1, 3))
    spread = float(pixels.std(axis=(0, 1)).max())
    return Look(picture.format, width, height, spread, grey.round().astype(np.uint8))


def keep_looks(features: Path, looks: Mapping[bytes, Look], say: Say) -> None:
    """Keep looks by their photos' digests in `features`, a folder of features, for later runs."""
    rows = [(key, o.format, o.width, o.height, o.spread, o.thumbnail) for key, o in looks.items()]
    name = hashlib.blake2b(b"".join(looks), digest_size=8).hexdigest()
    path = features / FOLDER / f"{DECODER}-{name}{SUFFIX}"
    write_kept(path, np.array(rows, RECORD).tobytes(), say)


def kept_looks(
    features: Path, say: Say, wanted: Container[bytes] | None = None
) -> dict[bytes, Look]:
    """Return kept looks by digest: those that runs with this decoder took.

    Args:
        features: The folder of features.
        say: Gets a sentence about each damaged file.
        wanted: The digests of the photos that are meant; None for all.
    """
    found = {}
    for path in sorted((features / FOLDER).glob(f"{DECODER}-*{SUFFIX}")):
        content = read_kept(path, say)
        records = np.frombuffer(content or b"", RECORD)
        rows = records[["key", "format", "width", "height", "spread"]].tolist()
        for (key, kind, width, height, spread), pixels in zip(
            rows, records["thumbnail"], strict=True
        ):
            if wanted is None or key in wanted:
                found[key] = Look(kind.decode(), width, height, spread, pixels)
    return found
