"""Photos as pixels in memory, and the features that a network gives for them."""

import numpy as np

from retrain.backbones.backbone import Backbone
from retrain.backbones.engines.engine import choose_engine
from retrain.data.decoding.decode import Recipe, pillow_warnings_ignored
from retrain.data.decoding.faults import reason_of
from retrain.data.digests import DigestMemo
from retrain.data.folder import Index, Photo
from retrain.data.read import Reading, Wanted, read_once
from retrain.features.matrix import FeatureMatrix
from retrain.utils.prefetch import map_ahead
from retrain.utils.progress import progress


def read_pixels(
    index: Index, memo: DigestMemo, recipe: Recipe
) -> tuple[np.ndarray, dict[str, str]]:
    """Read photos as pixels (N, H, W, 3) uint8; return also why some have none, by path.

    The pixels of the latter are 0. Digests that were not known are in the memo then: each photo is
    opened once.
    """
    photos = index.photos
    pixels = np.zeros((len(photos), recipe.height, recipe.width, 3), np.uint8)
    reasons: dict[str, str] = {}

    def read(photo: Photo) -> Reading:
        digest = memo.known.get(photo.path)
        return read_once(index.full_path(photo), digest, lambda *_: Wanted(recipe))

    with progress("Reading photos", len(photos), "photos") as meter, pillow_warnings_ignored():
        for row, (photo, reading) in enumerate(map_ahead(read, photos)):
            if reading.digest is not None:
                memo.add(photo.path, reading.digest)
            if reading.pixels is not None:
                pixels[row] = reading.pixels
            elif reading.fault is not None:
                reasons[photo.path] = reason_of(reading.fault)
            meter.advance(1, aside=int(reading.pixels is None))
    memo.keep()
    return pixels, reasons


def features_of_pixels(
    backbone: Backbone, pixels: np.ndarray, wanted: str, *, precision: str
) -> FeatureMatrix:
    """Compute features (N, D) of pixels (N, H, W, 3) uint8.

    Args:
        backbone: The network.
        pixels: Of the photos.
        wanted: The engine, as `choose_engine` takes it.
        precision: `f32` or `bf16`.

    Returns:
        The features, in the order of the photos.
    """
    engine = choose_engine(wanted, backbone, precision)
    features = np.empty((len(pixels), backbone.info.feature_width), np.float32)
    with progress("Computing features", len(pixels), "photos") as meter:
        for row, vector in engine.run(enumerate(pixels)):
            features[row] = vector
            meter.advance()
    return FeatureMatrix.of(features)
