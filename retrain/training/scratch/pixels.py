"""Photos as pixels in memory, and the features that a network gives for them."""

from collections.abc import Sequence

import numpy as np

from retrain.backbones.backbone import Backbone
from retrain.backbones.engines.engine import choose_engine
from retrain.data.decoding.decode import Recipe
from retrain.data.read import read_photos_ahead
from retrain.features.matrix import FeatureMatrix
from retrain.utils.progress import progress


def read_pixels(paths: Sequence[str], recipe: Recipe) -> tuple[np.ndarray, dict[int, str]]:
    """Read photos as pixels (N, H, W, 3) uint8; return also why some positions have none.

    The pixels of the latter are 0.
    """
    pixels = np.zeros((len(paths), recipe.height, recipe.width, 3), np.uint8)
    broken: dict[int, str] = {}
    with progress("Reading photos", len(paths), "photos") as meter:
        for position, found in read_photos_ahead(paths, recipe):
            if isinstance(found, np.ndarray):
                pixels[position] = found
            else:
                broken[position] = found
            meter.advance(1, aside=int(position in broken))
    return pixels, broken


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
