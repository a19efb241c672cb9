"""Random distortions, made repeatable: a photo's k-th copy is always the same.

Flip, crop, scale and brightness are those of TF Hub's retrain.py.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from PIL import Image, ImageEnhance

from retrain.data.config import AugmentConfig, DistortionAmounts
from retrain.utils.settings import settings_in


class Resizable(Protocol):
    """A photo in RGB, or what can be one."""

    def resize(self, size: tuple[int, int], resample: Image.Resampling) -> Image.Image:
        """Return the photo in another (width, height)."""
        ...


@dataclass(frozen=True)
class Distortion(DistortionAmounts):
    """One distorted copy of each photo.

    `copy` and `seed`, with the photo's digest, decide all random choices.

    Attributes:
        flip_left_right: Mirror the copy with probability one half.
        random_crop: In percent, as in retrain.py; 0 is off, here and below.
        random_scale: In percent, as in retrain.py.
        random_brightness: In percent, as in retrain.py.
        copy: The copy's number.
        seed: Of the run.
        random_rotation: In degrees, to either side.
        random_erase: The largest share of the picture, in percent, that is painted over.
        color_jitter: How far contrast and saturation may change, in percent.
    """

    copy: int = 0
    seed: int = 0

    @property
    def text(self) -> str:
        """The canonical form, part of a recipe's text."""
        later = {step.key: getattr(self, step.setting) for step in LATER}
        first = {key: later.pop(key) for key in WRITTEN_TOGETHER}
        written = first if any(first.values()) else {}
        written |= {key: amount for key, amount in later.items() if amount}
        more = "".join(f",{key}={amount}" for key, amount in written.items())
        return (
            f"|distort:flip={int(self.flip_left_right)},crop={self.random_crop},"
            f"scale={self.random_scale},brightness={self.random_brightness},"
            f"copy={self.copy},seed={self.seed}{more}"
        )

    def apply(self, rgb: Resizable, height: int, width: int, *, digest: bytes) -> np.ndarray:
        """Distort a photo and return its pixels (height, width, 3) uint8.

        The order and formulas are those of TF Hub's retrain.py: enlarge to (1 + crop/100) *
        Uniform[1, 1 + scale/100) times the network's input, take a random window, mirror with
        probability one half, multiply by Uniform[1 - brightness/100, 1 + brightness/100). Unlike
        there, the brightened values are clipped to what a picture can hold. What retrain.py does
        not have is in LATER: it is done to the enlarged photo, or to the window at the end.

        Args:
            rgb: The photo.
            height: Of the network's input, in pixels.
            width: Of the network's input, in pixels.
            digest: Of the photo's bytes.

        Returns:
            The pixels of the distorted copy.
        """
        rng = np.random.default_rng([self.seed, self.copy, *digest])
        zoom = 1 + self.random_scale / 100 * rng.random()
        factor = (1 + self.random_crop / 100) * zoom
        tall, wide = int(factor * height), int(factor * width)
        pixels = np.asarray(rgb.resize((wide, tall), Image.Resampling.BILINEAR))
        # From a second generator, so that retrain.py's distortions draw the same as before.
        more = np.random.default_rng([self.seed, self.copy, *digest, 1])
        pixels = self._later(pixels, more, enlarged=True)
        top, left = rng.integers(tall - height + 1), rng.integers(wide - width + 1)
        pixels = pixels[top : top + height, left : left + width]
        mirrored = rng.random() < 0.5
        if self.flip_left_right and mirrored:
            pixels = pixels[:, ::-1]
        if self.random_brightness:
            spread = self.random_brightness / 100
            brightened = pixels * rng.uniform(1 - spread, 1 + spread)
            pixels = np.rint(brightened.clip(0, 255)).astype(np.uint8)
        return np.ascontiguousarray(self._later(pixels, more, enlarged=False))

    def _later(self, pixels: np.ndarray, rng: np.random.Generator, *, enlarged: bool) -> np.ndarray:
        """Do what LATER has for the enlarged photo, or for the window."""
        for step in LATER:
            if step.enlarged == enlarged:
                drawn = rng.random(step.draws)  # also when off: what follows draws the same
                amount = getattr(self, step.setting)
                if amount:
                    pixels = step.change(pixels, amount, drawn)
        return pixels


def _turned(pixels: np.ndarray, degrees: int, drawn: np.ndarray) -> np.ndarray:
    """Turn a photo to either side; its corners get the mean colour."""
    picture = Image.fromarray(pixels)
    mean = tuple(pixels.mean(axis=(0, 1)).astype(int).tolist())
    angle = float(2 * drawn[0] - 1) * degrees
    return np.asarray(picture.rotate(angle, Image.Resampling.BILINEAR, fillcolor=mean))


def _jittered(pixels: np.ndarray, percent: int, drawn: np.ndarray) -> np.ndarray:
    """Change contrast and saturation by factors from Uniform[1 - jitter/100, 1 + jitter/100)."""
    spread = percent / 100
    contrast, saturation = (1 - spread + 2 * spread * drawn).tolist()
    picture = ImageEnhance.Contrast(Image.fromarray(pixels)).enhance(contrast)
    return np.asarray(ImageEnhance.Color(picture).enhance(saturation))


def _erased(pixels: np.ndarray, percent: int, drawn: np.ndarray) -> np.ndarray:
    """Paint a rectangle with the mean colour, with probability one half.

    "Random erasing" of Z. Zhong et al., AAAI 2020.
    """
    asked, share, stretch, top, left = drawn
    if asked < 0.5:
        return pixels
    height, width = pixels.shape[:2]
    side = np.sqrt(share * percent / 100)
    ratio = np.exp((2 * stretch - 1) * np.log(3))  # of height to width, 1/3 to 3
    tall = min(round(side * np.sqrt(ratio) * height), height)
    wide = min(round(side / np.sqrt(ratio) * width), width)
    first, start = int(top * (height - tall + 1)), int(left * (width - wide + 1))
    erased = pixels.copy()
    erased[first : first + tall, start : start + wide] = pixels.mean(axis=(0, 1))
    return erased


@dataclass(frozen=True)
class Step:
    """A distortion that retrain.py does not have.

    Attributes:
        setting: Its amount, a field of DistortionAmounts: from that come option and help.
        key: Its name in a recipe's text.
        change: Given (H, W, 3) uint8, the amount (never 0) and the numbers drawn: returns the like.
        draws: How many numbers in [0, 1) it draws.
        enlarged: It is done to the enlarged photo, before the window is cut out of it.
    """

    setting: str
    key: str
    change: Callable[[np.ndarray, int, np.ndarray], np.ndarray]
    draws: int
    enlarged: bool = False


# In the order in which they are done. A new one stands at the end, or the earlier draw otherwise.
LATER = (
    Step("random_rotation", "rotation", _turned, draws=1, enlarged=True),
    Step("color_jitter", "jitter", _jittered, draws=2),
    Step("random_erase", "erase", _erased, draws=5),
)
# In a recipe's text, in this order, all as soon as one is asked for; later ones only where asked
# for, so that recipes of before keep their text.
WRITTEN_TOGETHER = ("rotation", "erase", "jitter")


def distortions_of(config: AugmentConfig, seed: int) -> list[Distortion]:
    """Return a distortion for each distorted copy of the photos; none if none is asked for."""
    amounts = {name: getattr(config, name) for name in settings_in(DistortionAmounts)}
    if Distortion(**amounts) == Distortion():
        return []
    return [Distortion(**amounts, copy=copy, seed=seed) for copy in range(config.distortion_copies)]
