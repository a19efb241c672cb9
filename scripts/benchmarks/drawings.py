"""Drawn pictures whose classes are known for certain: six shapes, some of them hard to tell."""

import math
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

SIDE = 224
SHAPES = ("circle", "ellipse", "square", "rectangle", "triangle", "star")


def draw_shapes(folder: Path, each: int, seed: int = 0) -> None:
    """Draw `each` pictures of every shape into folders, with scribbles."""
    rng = np.random.default_rng(seed)
    for label in SHAPES:
        (folder / label).mkdir(parents=True)
        for number in range(each):
            image = Image.new("RGB", (SIDE, SIDE), _colour(rng, 200, 256))
            draw = ImageDraw.Draw(image)
            for _ in range(rng.integers(6)):
                line = rng.uniform(0, SIDE, 4).tolist()
                draw.line(line, fill=_colour(rng, 0, 200), width=2)
            ink = _colour(rng, 0, 160)
            filled, width = rng.random() < 0.4, int(rng.integers(2, 6))
            draw.polygon(_corners(label, rng), ink if filled else None, ink, width)
            image.save(folder / label / f"{number:03}.png")


def _colour(rng: np.random.Generator, low: int, high: int) -> tuple[int, int, int]:
    red, green, blue = rng.integers(low, high, 3).tolist()
    return red, green, blue


def _corners(label: str, rng: np.random.Generator) -> list[tuple[float, float]]:
    """Return the corners of a shape, turned and shifted by chance."""
    narrow = rng.uniform(0.55, 0.88) if label in ("ellipse", "rectangle") else 1.0
    if label in ("square", "rectangle"):
        around = [(math.radians(45 + 90 * corner), 1.0) for corner in range(4)]
    elif label == "triangle":
        around = [(math.radians(120 * corner), 1.0) for corner in range(3)]
    elif label == "star":
        around = [(math.radians(36 * corner), 1.0 if corner % 2 else 0.45) for corner in range(10)]
    else:
        around = [(math.radians(9 * corner), 1.0) for corner in range(40)]
    size, turn = rng.uniform(30, 75), rng.uniform(0, 2 * math.pi)
    left, top = rng.normal(SIDE / 2, 4, 2)
    corners = []
    for angle, length in around:
        x, y = length * math.cos(angle), length * math.sin(angle) * narrow
        corners.append(
            (
                float(left + size * (math.cos(turn) * x - math.sin(turn) * y)),
                float(top + size * (math.sin(turn) * x + math.cos(turn) * y)),
            )
        )
    return corners
