"""A look at each photo, for the audit: taken when the photo is opened, and kept for later runs."""

import hashlib
import io
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from retrain.data.decoding.decode import DECODER, Recipe, pillow_warnings_ignored, size_for
from retrain.data.decoding.faults import BadPhoto, gone
from retrain.data.decoding.formats import FORMATS
from retrain.data.decoding.open import opened
from retrain.data.decoding.picture import Picture
from retrain.data.digests import DIGEST_BYTES
from retrain.data.photo_file import content_of
from retrain.utils.kept import SUFFIX, Say, read_kept, write_kept
from retrain.utils.logs import warn_once
from retrain.utils.prefetch import map_ahead
from retrain.utils.progress import progress

VERSION = 2  # of what a look holds; looks of version 1 had none in their name
LOOK = Recipe(64, 64)  # how far a JPEG may be reduced while it is decoded
SIDE = 128  # pixels a side of the small picture
QUALITY = 85  # of its JPEG: about 4 kB
FOLDER = "looks"  # in the folder of features
RECORD = np.dtype(
    [
        ("key", f"V{DIGEST_BYTES}"),
        ("format", "S8"),
        ("decoder", "S32"),
        ("width", "<u4"),
        ("height", "<u4"),
        ("spread", "<f8"),
        ("size", "<u4"),
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
        small: A JPEG file of the photo, squashed to SIDE x SIDE pixels.
    """

    format: str
    width: int
    height: int
    spread: float
    small: bytes

    def pixels(self) -> np.ndarray:
        """Return the small picture as it is in the file: (SIDE, SIDE, 3) uint8 YCbCr."""
        with Image.open(io.BytesIO(self.small)) as image:
            image.draft("YCbCr", (SIDE, SIDE))
            return np.asarray(image)

    def coarse(self) -> np.ndarray:
        """Return it in grey, an eighth as large: (SIDE / 8, SIDE / 8) uint8."""
        with Image.open(io.BytesIO(self.small)) as image:
            image.draft("L", (SIDE // 8, SIDE // 8))  # which JPEG files give at once
            return np.asarray(image)


def look_at(content: bytes) -> Look:
    """Return the look at a photo's bytes. Raises BadPhoto and TooLittleMemory."""
    with opened(content, *size_for(LOOK)) as picture:
        return look_of(picture)


def look_of(picture: Picture) -> Look:
    """Return the look at a picture that `serves` the size of LOOK."""
    image = picture.resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=QUALITY)
    halved = np.asarray(image.reduce(SIDE // LOOK.width), np.float32)
    width, height = picture.stored
    spread = float(halved.std(axis=(0, 1)).max())
    return Look(picture.format, width, height, spread, file.getvalue())


def looks_at(paths: Mapping[bytes, str], features: Path) -> dict[bytes, Look]:
    """Return a look at each photo, by digest: kept ones, and new ones, which are kept.

    Args:
        paths: Files by digest.
        features: The folder of features, where looks are kept.

    Raises:
        RetrainError: A photo without a kept look can no longer be read.
    """
    looks = kept_looks(features, warn_once, paths)
    rest = [key for key in paths if key not in looks]
    if not rest:
        return looks

    def look(key: bytes) -> Look | BadPhoto | OSError:
        try:
            with content_of(paths[key], key) as content:
                return look_at(content)
        except (BadPhoto, OSError) as fault:
            return fault

    new: dict[bytes, Look] = {}
    with progress("Looking at", len(rest), "photos") as meter, pillow_warnings_ignored():
        for key, found in map_ahead(look, rest):
            if not isinstance(found, Look):
                raise gone(paths[key], found)
            new[key] = found
            meter.advance()
    keep_looks(features, new, warn_once)
    return looks | new


def keep_looks(features: Path, looks: Mapping[bytes, Look], say: Say) -> None:
    """Keep looks by their photos' digests in `features`, a folder of features, for later runs."""
    rows = [
        (key, o.format, _own_decoder(o.format), o.width, o.height, o.spread, len(o.small))
        for key, o in looks.items()
    ]
    name = hashlib.blake2b(b"".join(looks), digest_size=8).hexdigest()
    head = len(rows).to_bytes(4, "little") + np.array(rows, RECORD).tobytes()
    content = head + b"".join(look.small for look in looks.values())
    write_kept(features / FOLDER / f"{_prefix()}{name}{SUFFIX}", content, say)


def kept_looks(
    features: Path, say: Say, wanted: Container[bytes] | None = None
) -> dict[bytes, Look]:
    """Return kept looks by digest: those that were taken with the decoders of today.

    Args:
        features: The folder of features.
        say: Gets a sentence about each damaged file.
        wanted: The digests of the photos that are meant; None for all.
    """
    found = {}
    for records, pictures in _kept(features, say):
        end = 0
        for key, kind, decoder, width, height, spread, size in records.tolist():
            start, end = end, end + size
            today = decoder.decode() == _own_decoder(kind.decode())
            if today and (wanted is None or key in wanted):
                found[key] = Look(kind.decode(), width, height, spread, pictures[start:end])
    return found


def looked_at(features: Path, say: Say) -> set[bytes]:
    """Return the digests of the photos that have a look with the decoders of today."""
    return {
        key
        for records, _ in _kept(features, say)
        for key, kind, decoder in records[["key", "format", "decoder"]].tolist()
        if decoder.decode() == _own_decoder(kind.decode())
    }


def _kept(features: Path, say: Say) -> Iterator[tuple[np.ndarray, bytes]]:
    """Yield the records (k,) RECORD of each kept file, and their small pictures in a row."""
    for path in sorted((features / FOLDER).glob(f"{_prefix()}*{SUFFIX}")):
        content = read_kept(path, say) or bytes(4)
        end = 4 + int.from_bytes(content[:4], "little") * RECORD.itemsize
        yield np.frombuffer(content[4:end], RECORD), content[end:]


def _prefix() -> str:
    return f"v{VERSION}-{DECODER}-"


def _own_decoder(file_format: str) -> str:
    """Return the decoder, with its version, that a format has besides Pillow; empty for none."""
    known = FORMATS.get(file_format)
    return known.decoder if known is not None else ""
