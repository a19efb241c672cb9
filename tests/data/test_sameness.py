"""The verdict on pairs of pictures: real photos, drawings and forms, each changed in known ways."""

import io
import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance, ImageOps

from retrain.data.looks import look_at
from retrain.data.sameness.alignment import align_coarse, align_finely, shrunk, warped
from retrain.data.sameness.judge import NEITHER, PICTURE, SCENE, judge

PHOTOS = sorted((Path(__file__).parents[2] / "examples" / "flowers").glob("*/*.jpg"))[::60]


def drawing(seed: int) -> Image.Image:
    """Shapes on white."""
    rng = np.random.default_rng(seed)
    page = Image.new("RGB", (300, 240), "white")
    draw = ImageDraw.Draw(page)
    for _ in range(14):
        x, y, wide, high = rng.integers((5, 5, 15, 15), (220, 170, 75, 65)).tolist()
        colour = tuple(rng.integers(0, 200, 3).tolist())
        draw.ellipse((x, y, x + wide, y + high), outline=colour, width=3)
        draw.rectangle((y, x // 2, y + high, x // 2 + wide), outline=colour, width=2)
    return page


def form(name: str) -> Image.Image:
    """A form with a ruled table, filled in with words of its own."""
    rng = np.random.default_rng(len(name))
    page = Image.new("RGB", (310, 440), "white")
    draw = ImageDraw.Draw(page)
    draw.text((20, 15), "DELIVERY NOTE", fill="black")
    for row in range(16):
        draw.rectangle((15, 40 + 24 * row, 295, 64 + 24 * row), outline="grey")
        text = name * int(rng.integers(1, 4)) + "".join(rng.choice([*" abcdefghi"], 12))
        draw.text((20 + int(rng.integers(60)), 46 + 24 * row), text, fill="black")
    return page


def thing(hue: int, prints: int = 0) -> Image.Image:
    """A rendered thing on white: `hue` of 255, `prints` the seed of what stands on it."""
    page = Image.new("HSV", (240, 240), (0, 0, 255))
    draw = ImageDraw.Draw(page)
    for row in range(40, 200):
        draw.line((40 + row // 9, row, 200 - row // 7, row), fill=(hue, 190, 230 - row // 2))
    for number in range(4):
        shade = 150 - 25 * number
        draw.rectangle((60 + 30 * number, 60, 75 + 30 * number, 180), fill=(hue, 190, shade))
    if prints:
        rng = np.random.default_rng(prints)
        x, y = rng.integers(70, 130, 2).tolist()
        draw.ellipse((x, y, x + 45, y + 45), fill=(int(rng.integers(256)), 200, 255))
    return page.convert("RGB")


def saved_anew(image: Image.Image) -> Image.Image:
    file = io.BytesIO()
    image.resize((image.width * 2 // 3, image.height * 2 // 3)).save(file, "JPEG", quality=50)
    return Image.open(file)


def recoloured(image: Image.Image) -> Image.Image:
    pixels = np.asarray(ImageEnhance.Color(image).enhance(0.7), np.float32) * (1.1, 1, 0.9)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def watermarked(image: Image.Image) -> Image.Image:
    layer = Image.new("RGBA", image.size)
    at = (image.width // 6, image.height // 2)
    ImageDraw.Draw(layer).text(at, "sample", fill=(255, 255, 255, 140), font_size=image.width // 9)
    return Image.alpha_composite(image.convert("RGBA"), layer).convert("RGB")


def cropped(image: Image.Image) -> Image.Image:
    wide, high = image.size
    return image.crop((wide // 10, high // 20, wide, high * 9 // 10))


def turned(image: Image.Image) -> Image.Image:
    """From another place, as the next shot of a burst."""
    wide, high = image.size
    corners = (0.04 * wide, 0.03 * high, 0.02 * wide, 0.95 * high, 0.98 * wide, high, wide, 0)
    shot = image.transform(image.size, Image.Transform.QUAD, corners, Image.Resampling.BILINEAR)
    return ImageEnhance.Brightness(shot).enhance(0.92)


Change = Callable[[Image.Image], Image.Image]
PICTURES: list[Change] = [
    saved_anew, ImageOps.mirror, recoloured,
    lambda image: ImageEnhance.Brightness(image).enhance(0.8),
]  # fmt: skip
ORIGINALS = [Image.open(path).convert("RGB") for path in PHOTOS] + [drawing(1)]


def verdict(one: Image.Image, other: Image.Image) -> int:
    return verdicts([(one, other)])[0]


def verdicts(pairs: list[tuple[Image.Image, Image.Image]]) -> list[int]:
    looks = []
    for image in (image for pair in pairs for image in pair):
        file = io.BytesIO()
        image.save(file, "PNG")
        looks.append(look_at(file.getvalue()))
    pixels = np.stack([look.pixels() for look in looks])
    coarse = np.stack([look.coarse() for look in looks]).astype(np.float32)
    left = np.arange(0, len(pixels), 2)
    found, scores = judge(left, left + 1, coarse=coarse, read=lambda places: pixels[places])
    assert (scores[found != NEITHER] > 0.5).all() and (scores <= 1.001).all()
    return [int(one) for one in found]


@pytest.mark.parametrize("change", PICTURES)
def test_a_picture_that_is_saved_anew_is_the_same(change: Change) -> None:
    made = [*ORIGINALS, form("smith"), thing(10)]
    assert verdicts([(image, change(image)) for image in made]) == [PICTURE] * len(made)


def test_a_watermark_on_a_photo_leaves_it_the_same_picture() -> None:
    photos = [Image.open(path).convert("RGB") for path in PHOTOS]
    found = verdicts([(photo, watermarked(photo)) for photo in photos])
    assert found.count(PICTURE) >= len(photos) - 1


@pytest.mark.parametrize("change", [cropped, turned, lambda image: ImageOps.mirror(cropped(image))])
def test_a_crop_and_the_next_shot_are_the_same_scene(change: Change) -> None:
    found = verdicts([(image, change(image)) for image in ORIGINALS])
    assert found.count(SCENE) >= len(found) - 1 and PICTURE not in found


def test_other_pictures_are_neither() -> None:
    pairs = list(itertools.combinations([*ORIGINALS, drawing(2), form("smith"), thing(10)], 2))
    assert set(verdicts(pairs)) == {NEITHER}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (thing(10), thing(60)),  # the same render in another colour
        (thing(10), thing(130)),
        (thing(10, prints=1), thing(10, prints=2)),  # with another print
        (thing(10), thing(10, prints=3)),
        (form("smith"), form("johnson")),  # filled in by another person
        (form("smith"), form("abcdefgh")),
        (Image.new("RGB", (50, 50), "white"), Image.new("RGB", (60, 60), "white")),
        (Image.new("RGB", (50, 50), "red"), Image.new("RGB", (60, 60), "blue")),
    ],
)
def test_what_only_has_the_same_layout_is_neither(one: Image.Image, other: Image.Image) -> None:
    assert verdict(one, other) == NEITHER


def test_alignment_finds_how_a_picture_was_cut_and_turned() -> None:
    grey = np.stack([np.asarray(image.convert("L").resize((128, 128))) for image in ORIGINALS])
    whole = grey.astype(np.float32)
    true = np.array([[0.86, 0.04, 0.05], [-0.04, 0.9, -0.06]], np.float32)
    maps = np.tile(true, (len(whole), 1, 1))
    seen, inside = warped(whole, maps)
    assert inside.all()
    roughly = align_coarse(shrunk(seen, 16), shrunk(whole, 16))
    assert roughly.pairs.tolist() == list(range(len(whole)))
    found = align_finely(seen, whole, roughly.maps)
    assert found.pairs.tolist() == list(range(len(whole)))
    np.testing.assert_allclose(found.maps, maps, atol=0.02)
    assert len(align_coarse(whole[:0], whole[:0]).pairs) == 0


def test_shrinking_averages() -> None:
    picture = np.arange(16, dtype=np.float32).reshape(1, 4, 4)
    np.testing.assert_allclose(shrunk(picture, 2), [[[2.5, 4.5], [10.5, 12.5]]])
