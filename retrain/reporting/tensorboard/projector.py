"""The photos' features for TensorBoard's projector, which draws them as points in space.

The projector reads plain files: vectors, a table with a row for each, one picture of all
thumbnails, and a configuration that names them.
"""

import logging
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from google.protobuf.text_format import MessageToString
from PIL import Image
from tensorboard.plugins.projector.metadata import PROJECTOR_FILENAME
from tensorboard.plugins.projector.projector_config_pb2 import ProjectorConfig

from retrain.data.folder import Index
from retrain.data.split import SETS
from retrain.errors import counted
from retrain.features.matrix import FeatureMatrix
from retrain.reporting.thumbnails import draw_photos
from retrain.utils.event_file import EventFile
from retrain.utils.files import atomic_path, cannot_write, write_bytes
from retrain.utils.progress import progress
from retrain.utils.text_drawing import printable

log = logging.getLogger(__name__)

RUN = "projector"
MOST = 10_000  # points; a browser can still rotate so many smoothly
THUMBNAIL = 64  # pixels: 10,000 are 6,400 x 6,400, and the projector takes up to 8,192 x 8,192
BLOCK = 4096  # features written at a time
TENSOR = "bottlenecks"
VECTORS, TABLE, SPRITE = "bottlenecks.bytes", "metadata.tsv", "sprite.jpg"


def write_projector(
    folder: Path, features: FeatureMatrix, index: Index, *, labels: Sequence[str], sets: np.ndarray
) -> None:
    """Write up to `MOST` photos, spread evenly over the index, with class, set and path.

    A photo that cannot be read any more has a blank thumbnail, and there is a warning.

    Args:
        folder: The training's log folder, in which `projector` is made.
        features: The first N rows belong to the N photos of the index.
        index: The photos.
        labels: Of the index's classes.
        sets: (N,) values as in `Split`.

    Raises:
        RetrainError: The disk refuses.
    """
    count = min(len(index.photos), MOST)
    rows = np.linspace(0, len(index.photos) - 1, count).round().astype(np.int64)
    place = folder / RUN
    try:
        EventFile(place).close()  # TensorBoard looks for projectors only in folders with events
    except OSError as error:
        raise cannot_write(place, error) from error
    with atomic_path(place / VECTORS) as temporary, open(temporary, "wb") as file:
        for start in range(0, count, BLOCK):
            file.write(features.take(rows[start : start + BLOCK]).astype("<f4").tobytes())
    write_bytes(place / TABLE, _table(index, labels, sets, rows=rows).encode())
    _write_sprite(place / SPRITE, [index.full_path(index.photos[row]) for row in rows])
    config = ProjectorConfig()
    config.embeddings.add(
        tensor_name=TENSOR,
        tensor_shape=(count, features.shape[1]),
        tensor_path=VECTORS,
        metadata_path=TABLE,
        sprite={"image_path": SPRITE, "single_image_dim": (THUMBNAIL, THUMBNAIL)},
    )
    write_bytes(place / PROJECTOR_FILENAME, MessageToString(config).encode())


def _table(index: Index, labels: Sequence[str], sets: np.ndarray, *, rows: np.ndarray) -> str:
    lines = ["class\tset\tpath"]
    for row in rows.tolist():
        photo = index.photos[row]
        cells = (labels[photo.label], SETS[sets[row]], photo.path)
        lines.append("\t".join(printable(cell) for cell in cells))
    return "\n".join(lines) + "\n"


def _write_sprite(path: Path, photos: Sequence[str]) -> None:
    """Write one JPEG of all thumbnails, row by row: as PNG it would be ten times larger."""
    columns = math.ceil(math.sqrt(len(photos)))
    high = math.ceil(len(photos) / columns)
    sprite = Image.new("RGB", (columns * THUMBNAIL, high * THUMBNAIL), "white")
    lost = 0
    with progress("Thumbnails", len(photos), "photos") as meter:
        squares = draw_photos(photos, lambda _, photo: photo.square(THUMBNAIL))
        for number, thumbnail in enumerate(squares):
            if thumbnail is None:
                lost += 1
            else:
                row, column = divmod(number, columns)
                sprite.paste(thumbnail, (column * THUMBNAIL, row * THUMBNAIL))
            meter.advance()
    if lost:
        log.warning(f"{counted(lost, 'photo')} cannot be read any more, and blank in the projector")
    with atomic_path(path) as temporary:
        sprite.save(temporary, "JPEG", quality=85)
