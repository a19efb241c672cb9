"""Batches of photos for TensorFlow: decoded once, distorted anew in each epoch."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
from PIL import Image

from retrain.data.decoding.augment import Distortion
from retrain.data.decoding.decode import Recipe, pillow_warnings_ignored
from retrain.data.read import read_photo_again
from retrain.errors import RetrainError
from retrain.training.finetune.config import TuningPhotos
from retrain.utils.tensorflow import import_tensorflow

MEMORY = 2 << 30  # bytes of decoded photos that are kept; the others are decoded in each epoch


class PhotoSource:
    """Reads the photos of one training.

    A photo's distortion in an epoch depends on its bytes, the epoch and the seed alone, so that a
    resumed training sees the same as one without a break.
    """

    def __init__(
        self, photos: TuningPhotos, height: int, width: int, *, distortion: Distortion, seed: int
    ) -> None:
        self.photos, self.recipe, self.seed = photos, Recipe(height, width), seed
        self.distortion = replace(distortion, copy=0, seed=0)
        factor = (1 + distortion.random_crop / 100) * (1 + distortion.random_scale / 100)
        self._enlarged = Recipe(int(np.ceil(factor * height)), int(np.ceil(factor * width)))
        self._kept: dict[tuple[int, Recipe], np.ndarray] = {}
        self._bytes = 0
        self._fault: RetrainError | None = None

    def order(self, epoch: int) -> np.ndarray:
        """Return the training rows in the order of this epoch."""
        return np.random.default_rng([self.seed, epoch]).permutation(self.photos.train)

    def training(self, rows: np.ndarray, epoch: int, batch_size: int) -> Any:
        """Return a dataset of (distorted pixels uint8 [b, H, W, 3], labels int64 [b])."""
        return self._batches(rows, epoch, batch_size)

    def plain(self, rows: np.ndarray, batch_size: int) -> Any:
        """Return a dataset like `training` of undistorted photos, just as the engines see them."""
        return self._batches(rows, None, batch_size)

    @contextmanager
    def faults(self) -> Iterator[None]:
        """Turn a photo's error that came through TensorFlow's threads back into its RetrainError.

        Enter it around reading a dataset.
        """
        tf = import_tensorflow()
        try:
            with pillow_warnings_ignored():
                yield
        except tf.errors.OpError as error:
            raise self._fault or error from error

    def _batches(self, rows: np.ndarray, epoch: int | None, batch_size: int) -> Any:
        tf = import_tensorflow()

        def read(row: np.ndarray) -> np.ndarray:
            try:
                return self._pixels(int(row), epoch)
            except RetrainError as fault:
                self._fault = fault
                raise

        def load(row: Any, label: Any) -> tuple[Any, Any]:
            pixels = tf.numpy_function(read, [row], tf.uint8)
            return tf.ensure_shape(pixels, (self.recipe.height, self.recipe.width, 3)), label

        labels = self.photos.labels[rows].astype(np.int64)
        data = tf.data.Dataset.from_tensor_slices((np.asarray(rows, np.int64), labels))
        return data.map(load, tf.data.AUTOTUNE).batch(batch_size).prefetch(tf.data.AUTOTUNE)

    def _pixels(self, row: int, epoch: int | None) -> np.ndarray:
        if epoch is None or self.distortion == Distortion():
            return self._decoded(row, self.recipe)
        rgb = Image.fromarray(self._decoded(row, self._enlarged))
        distortion = replace(self.distortion, copy=epoch, seed=self.seed)
        size = self.recipe.height, self.recipe.width
        return distortion.apply(rgb, *size, digest=self.photos.keys[row])

    def _decoded(self, row: int, recipe: Recipe) -> np.ndarray:
        found = self._kept.get((row, recipe))
        if found is not None:
            return found
        pixels = read_photo_again(self.photos.paths[row], recipe, self.photos.keys[row])
        if self._bytes + pixels.nbytes <= MEMORY:
            self._bytes += pixels.nbytes
            self._kept[row, recipe] = pixels
        return pixels
