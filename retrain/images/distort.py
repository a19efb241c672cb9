"""The ancestor's random distortions, made repeatable: a photo's k-th copy is always the same."""

from dataclasses import dataclass

import numpy as np
from PIL import Image


@dataclass(frozen=True)
class Distortion:
    """One distorted copy of each photo. Percentages as in the ancestor's flags; 0 is off.

    `copy` and `seed`, with the photo's digest, decide all random choices.
    """

    flip_left_right: bool = False
    random_crop: int = 0
    random_scale: int = 0
    random_brightness: int = 0
    copy: int = 0
    seed: int = 0

    @property
    def text(self) -> str:
        """Canonical form, part of a recipe's text."""
        return (
            f"|distort:flip={int(self.flip_left_right)},crop={self.random_crop},"
            f"scale={self.random_scale},brightness={self.random_brightness},"
            f"copy={self.copy},seed={self.seed}"
        )

    def apply(self, rgb: Image.Image, height: int, width: int, digest: bytes) -> np.ndarray:
        """Pixels (height, width, 3) uint8 of the distorted photo.

        The ancestor's order and formulas: enlarge to (1 + crop/100) * Uniform[1, 1 + scale/100)
        times the network's input, take a random window, mirror with probability one half,
        multiply by Uniform[1 - brightness/100, 1 + brightness/100). Unlike there, the brightened
        values are clipped to what a picture can hold.
        """
        rng = np.random.default_rng([self.seed, self.copy, *digest])
        zoom = 1 + self.random_scale / 100 * rng.random()
        factor = (1 + self.random_crop / 100) * zoom
        tall, wide = int(factor * height), int(factor * width)
        pixels = np.asarray(rgb.resize((wide, tall), Image.Resampling.BILINEAR))
        top, left = rng.integers(tall - height + 1), rng.integers(wide - width + 1)
        pixels = pixels[top : top + height, left : left + width]
        mirrored = rng.random() < 0.5
        if self.flip_left_right and mirrored:
            pixels = pixels[:, ::-1]
        if self.random_brightness:
            spread = self.random_brightness / 100
            brightened = pixels * rng.uniform(1 - spread, 1 + spread)
            pixels = np.rint(brightened.clip(0, 255)).astype(np.uint8)
        return np.ascontiguousarray(pixels)
