"""retrain.py's distortions."""

import io
from dataclasses import dataclass

import numpy as np
import pytest
from PIL import Image

from retrain.data.decoding import augment
from retrain.data.decoding.augment import Distortion
from retrain.data.decoding.decode import Recipe, decode

SIZE = 32


def photo() -> bytes:
    """Red grows downwards, green to the right."""
    ramp = np.linspace(40, 200, 96)
    pixels = np.stack(
        [ramp[:, None] + 0 * ramp, ramp + 0 * ramp[:, None], 0 * ramp[:, None] + ramp]
    )
    buffer = io.BytesIO()
    Image.fromarray(pixels.transpose(1, 2, 0).astype(np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def copies(count: int = 60, **settings: int) -> list[np.ndarray]:
    content = photo()
    return [
        decode(content, Recipe(SIZE, SIZE, Distortion(**settings, copy=copy)))  # type: ignore[arg-type]
        for copy in range(count)
    ]


def test_the_same_copy_is_the_same_pixels() -> None:
    first = copies(5, random_crop=10, random_scale=20, random_brightness=30)
    again = copies(5, random_crop=10, random_scale=20, random_brightness=30)
    assert all((a == b).all() for a, b in zip(first, again, strict=True))
    assert all(pixels.shape == (SIZE, SIZE, 3) and pixels.dtype == np.uint8 for pixels in first)
    assert len({pixels.tobytes() for pixels in first}) == 5


def test_the_seed_changes_the_copies() -> None:
    assert (copies(1, random_crop=10)[0] != copies(1, random_crop=10, seed=1)[0]).any()


def test_flip_mirrors_about_half() -> None:
    plain = decode(photo(), Recipe(SIZE, SIZE))
    found = copies(flip_left_right=True)
    mirrored = [(pixels == plain[:, ::-1]).all() for pixels in found]
    kept = [(pixels == plain).all() for pixels in found]
    assert sum(mirrored) + sum(kept) == 60
    assert 18 <= sum(mirrored) <= 42


def test_crop_keeps_the_share_of_retrain_py() -> None:
    """A crop of 50 % keeps a window of 1/1.5 of each side, anywhere."""
    plain = decode(photo(), Recipe(SIZE, SIZE)).astype(float)
    spans = [float(p[-1, 0, 0]) - float(p[0, 0, 0]) for p in copies(random_crop=50)]
    whole = plain[-1, 0, 0] - plain[0, 0, 0]
    assert max(abs(span / whole - 1 / 1.5) for span in spans) < 0.05
    tops = [p[0, 0, 0] for p in copies(random_crop=50)]
    assert max(tops) - min(tops) > 0.25 * whole


def test_scale_enlarges_up_to_its_percentage() -> None:
    plain = decode(photo(), Recipe(SIZE, SIZE)).astype(float)
    whole = plain[-1, 0, 0] - plain[0, 0, 0]
    shares = [(float(p[-1, 0, 0]) - float(p[0, 0, 0])) / whole for p in copies(random_scale=100)]
    assert 0.45 < min(shares) < 0.6 and 0.85 < max(shares) < 1.05


def test_brightness_multiplies_every_pixel_by_one_factor() -> None:
    plain = decode(photo(), Recipe(SIZE, SIZE)).astype(float)
    factors = [p.astype(float).mean() / plain.mean() for p in copies(random_brightness=20)]
    assert 0.8 <= min(factors) < 0.85 and 1.15 < max(factors) <= 1.2
    for pixels, factor in zip(copies(random_brightness=20), factors, strict=True):
        assert np.abs(pixels - plain * factor).max() < 1.5


def test_bright_pixels_are_clipped() -> None:
    found = copies(20, random_brightness=100)
    assert max(int(pixels.max()) for pixels in found) == 255
    assert min(int(pixels.max()) for pixels in found) < 200


def test_each_setting_has_its_own_text() -> None:
    texts = {
        Recipe(8, 8, Distortion(flip_left_right=True)).text,
        Recipe(8, 8, Distortion(random_crop=1)).text,
        Recipe(8, 8, Distortion(random_scale=1)).text,
        Recipe(8, 8, Distortion(random_brightness=1)).text,
        Recipe(8, 8, Distortion(copy=1)).text,
        Recipe(8, 8, Distortion(seed=1)).text,
        Recipe(8, 8).text,
    }
    assert len(texts) == 7


def test_rotation_turns_to_both_sides_and_fills_with_the_mean() -> None:
    plain = decode(photo(), Recipe(SIZE, SIZE)).astype(float)
    found = copies(random_rotation=45)
    tilts = [float(p[0, SIZE // 2 - 4, 0]) - float(p[0, SIZE // 2 + 4, 0]) for p in found]
    assert min(tilts) < -2 < 2 < max(tilts)  # along a row, red is constant unless it is turned
    corner = max(found, key=lambda p: abs(float(p[0, 0, 0]) - plain[0, 0, 0]))[0, 0]
    assert np.abs(corner - plain.mean(axis=(0, 1))).max() < 6


def test_erasing_paints_a_rectangle_in_about_half() -> None:
    plain = decode(photo(), Recipe(SIZE, SIZE))
    mean = plain.mean(axis=(0, 1)).astype(np.uint8)
    changed = [(p != plain).any(axis=2) for p in copies(random_erase=30)]
    assert 18 <= sum(bool(where.any()) for where in changed) <= 42
    for pixels, where in zip(copies(random_erase=30), changed, strict=True):
        if where.any():
            rows, columns = np.flatnonzero(where.any(1)), np.flatnonzero(where.any(0))
            box = pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
            assert (box == mean).all()
            assert box.shape[0] * box.shape[1] <= 0.34 * SIZE * SIZE


def test_jitter_changes_colours_and_not_places() -> None:
    plain = decode(photo(), Recipe(SIZE, SIZE)).astype(float)
    spreads = [p.astype(float).std() / plain.std() for p in copies(color_jitter=50)]
    assert min(spreads) < 0.8 and max(spreads) > 1.1
    for pixels in copies(5, color_jitter=20):
        rows = pixels[..., 0].astype(float).mean(axis=1)
        assert (np.diff(rows) >= -1).all()  # red still grows downwards


def test_distorted_copies_are_what_they_were() -> None:
    """The text names the later distortions only where they are asked for."""
    plain = Distortion(flip_left_right=True, random_crop=5)
    assert plain.text == "|distort:flip=1,crop=5,scale=0,brightness=0,copy=0,seed=0"
    assert Distortion(color_jitter=3).text.endswith(",seed=0,rotation=0,erase=0,jitter=3")


def test_one_entry_makes_a_distortion(monkeypatch: pytest.MonkeyPatch) -> None:
    """Besides the field that its option is made from; recipes without it keep their text."""

    def upside_down(pixels: np.ndarray, amount: int, drawn: np.ndarray) -> np.ndarray:
        return pixels[::-1] if drawn[0] < amount / 100 else pixels

    @dataclass(frozen=True)
    class More(Distortion):
        upset: int = 0

    before = Distortion(random_crop=10, color_jitter=10).text
    step = augment.Step("upset", "upset", upside_down, draws=1)
    monkeypatch.setattr(augment, "LATER", (*augment.LATER, step))
    monkeypatch.setattr(Distortion, "upset", 0, raising=False)
    assert More(random_crop=10, color_jitter=10).text == before
    assert More(random_crop=10, upset=100).text.endswith(",upset=100")
    plain, turned = (
        decode(photo(), Recipe(SIZE, SIZE, each)) for each in (More(), More(upset=100))
    )
    assert (turned == plain[::-1]).all()
