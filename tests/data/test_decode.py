"""Decoding: every format and kind of pixel by its content, broken files refused with a reason."""

import io
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from PIL import Image

from retrain.data.decoding.decode import Recipe, decode, pillow_warnings_ignored
from retrain.data.decoding.faults import BadPhoto
from retrain.data.decoding.formats import FORMATS
from retrain.errors import RetrainError

SMALL = Recipe(8, 8)
ORIENTATION = 0x0112


@pytest.fixture(autouse=True)
def _as_extraction_does() -> Iterator[None]:
    with pillow_warnings_ignored():
        yield


def smooth(height: int, width: int) -> np.ndarray:
    """(height, width, 3) uint8 without fine detail, no two corners alike."""
    y, x = np.mgrid[0:height, 0:width]
    waves = np.sin(x / width * 5), np.cos(y / height * 4), np.sin((x + 2 * y) / (width + height))
    return np.stack([127 + 120 * wave for wave in waves], axis=-1).astype(np.uint8)


def noisy(height: int, width: int, seed: int = 0) -> Image.Image:
    rng = np.random.default_rng(seed)
    return Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8))


def content_of(image: Image.Image, file_format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def plain(mode: str, colour: object) -> Image.Image:
    return Image.new(mode, (20, 10), colour)  # type: ignore[arg-type]


def colour_of(content: bytes) -> list[int]:
    """The colour of a picture that has only one."""
    pixels = decode(content, SMALL)
    assert (pixels == pixels[0, 0]).all()
    return pixels[0, 0].tolist()


def reason(content: bytes) -> str:
    with pytest.raises(BadPhoto) as caught:
        decode(content, SMALL)
    text = str(caught.value)
    assert text.splitlines() == [text]
    return text


@pytest.mark.parametrize("file_format", FORMATS)
def test_decode_format(file_format: str) -> None:
    pixels = decode(content_of(Image.fromarray(smooth(60, 90)), file_format), Recipe(20, 30))
    assert pixels.shape == (20, 30, 3)
    assert pixels.dtype == np.uint8
    expected = Image.fromarray(smooth(60, 90)).resize((30, 20), Image.Resampling.BILINEAR)
    difference = np.abs(pixels.astype(int) - np.asarray(expected))
    assert difference.mean() < (12 if file_format == "GIF" else 4)  # GIF has 256 colours


@pytest.mark.parametrize("file_format", ["PNG", "BMP", "TIFF"])
def test_decode_lossless_is_a_plain_resize(file_format: str) -> None:
    image = noisy(37, 53)
    expected = np.asarray(image.resize((16, 24), Image.Resampling.BILINEAR))
    assert np.array_equal(decode(content_of(image, file_format), Recipe(24, 16)), expected)


@pytest.mark.parametrize("file_format", ["GIF", "PNG", "WEBP", "TIFF", "MPO"])
def test_decode_animation_gives_first_frame(file_format: str) -> None:
    red, blue = plain("RGB", (250, 0, 0)), plain("RGB", (0, 0, 250))
    pixels = decode(content_of(red, file_format, save_all=True, append_images=[blue]), SMALL)
    assert pixels[..., 0].min() > 240 and pixels[..., 2].max() < 10


@pytest.mark.parametrize(
    ("mode", "colour", "expected"),
    [
        ("1", 1, [255, 255, 255]),
        ("L", 77, [77, 77, 77]),
        ("LA", (100, 255), [100, 100, 100]),
        ("LA", (100, 0), [255, 255, 255]),
        ("LA", (55, 51), [215, 215, 215]),
        ("RGB", (1, 2, 3), [1, 2, 3]),
        ("RGBA", (200, 100, 0, 255), [200, 100, 0]),
        ("RGBA", (200, 100, 0, 0), [255, 255, 255]),
        ("RGBA", (255, 55, 0, 51), [255, 215, 204]),
        ("I;16", 0x12FF, [0x12] * 3),
        ("I;16", 0xFF00, [0xFF] * 3),
    ],
)
@pytest.mark.parametrize("file_format", ["PNG", "TIFF"])
def test_decode_mode(mode: str, colour: object, expected: list[int], file_format: str) -> None:
    content = content_of(plain(mode, colour), file_format)
    with Image.open(io.BytesIO(content)) as image:
        assert image.mode == mode
    assert colour_of(content) == pytest.approx(expected, abs=1)


def test_decode_cmyk() -> None:
    expected = [255, 128, 0]
    tiff = content_of(plain("CMYK", (0, 127, 255, 0)), "TIFF")
    assert colour_of(tiff) == pytest.approx(expected, abs=1)
    jpeg = content_of(plain("CMYK", (0, 127, 255, 0)), "JPEG", quality=100)
    assert colour_of(jpeg) == pytest.approx(expected, abs=4)


def test_decode_palette() -> None:
    image = plain("P", 1)
    image.putpalette([9, 9, 9, 10, 20, 30])
    for file_format in ("PNG", "GIF", "BMP", "TIFF"):
        assert colour_of(content_of(image, file_format)) == [10, 20, 30]


def test_decode_palette_with_transparency() -> None:
    image = plain("P", 1)
    image.paste(0, (10, 0, 20, 10))
    image.putpalette([0, 200, 0, 10, 20, 30])
    half = content_of(image, "PNG", transparency=bytes([51, 255]))
    for content in (content_of(image, "PNG", transparency=0), content_of(image, "GIF"), half):
        pixels = decode(content, Recipe(10, 20))
        assert (pixels[:, :9] == [10, 20, 30]).all()
    whole = decode(content_of(image, "GIF", transparency=0), Recipe(10, 20))
    assert (whole[:, 11:] == 255).all()
    assert np.abs(decode(half, Recipe(10, 20))[:, 11:].astype(int) - [204, 244, 204]).max() <= 1


def test_decode_one_transparent_colour() -> None:
    assert colour_of(content_of(plain("L", 7), "PNG", transparency=7)) == [255, 255, 255]
    rgb = content_of(plain("RGB", (1, 2, 3)), "PNG", transparency=(1, 2, 3))
    assert colour_of(rgb) == [255, 255, 255]


def test_decode_float_pixels_are_refused() -> None:
    assert reason(content_of(plain("F", 0.5), "TIFF")).startswith("floating-point pixels")


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("file_format", ["PNG", "TIFF"])
def test_decode_exif_orientation(orientation: int, file_format: str) -> None:
    turned = {
        2: [Image.Transpose.FLIP_LEFT_RIGHT],
        3: [Image.Transpose.ROTATE_180],
        4: [Image.Transpose.FLIP_TOP_BOTTOM],
        5: [Image.Transpose.TRANSPOSE],
        6: [Image.Transpose.ROTATE_270],
        7: [Image.Transpose.TRANSVERSE],
        8: [Image.Transpose.ROTATE_90],
    }
    stored = upright = noisy(30, 50)
    for method in turned.get(orientation, []):
        upright = stored.transpose(method)
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    recipe = Recipe(12, 18)
    content = content_of(stored, file_format, exif=exif)
    assert np.array_equal(decode(content, recipe), decode(content_of(upright, "PNG"), recipe))


@pytest.mark.parametrize("recipe", [Recipe(64, 64), Recipe(50, 200), Recipe(200, 50)])
def test_decode_turned_large_jpeg_stays_sharp(recipe: Recipe) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    stored = noisy(250, 800).resize((1600, 500), Image.Resampling.BICUBIC)
    content = content_of(stored, "JPEG", exif=exif)
    with Image.open(io.BytesIO(content)) as image:
        upright = image.transpose(Image.Transpose.ROTATE_270)
    full = upright.resize((recipe.width, recipe.height), Image.Resampling.BILINEAR)
    assert np.abs(decode(content, recipe).astype(int) - np.asarray(full)).mean() < 2


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("exif", [b"Exif\0\0garbage", b"Exif\0\0MM\0*\0\0\0\xff\xff"])
def test_decode_odd_metadata_is_usable(file_format: str, exif: bytes) -> None:
    content = content_of(noisy(16, 16), file_format, exif=exif)
    assert decode(content, SMALL).shape == (8, 8, 3)


def test_decode_large_jpeg_is_close_to_a_full_decode() -> None:
    content = content_of(Image.fromarray(smooth(2000, 3000)), "JPEG", quality=90)
    with Image.open(io.BytesIO(content)) as image:
        full = image.resize((224, 160), Image.Resampling.BILINEAR)
    pixels = decode(content, Recipe(160, 224))
    assert np.abs(pixels.astype(int) - np.asarray(full)).mean() < 1


def test_decode_smaller_than_the_input_is_enlarged() -> None:
    assert decode(content_of(noisy(1, 1), "PNG"), SMALL).shape == (8, 8, 3)


@pytest.mark.parametrize("content", [b"", b"just text\n", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"])
def test_decode_not_a_picture(content: bytes) -> None:
    assert reason(content)


def test_decode_reason_names_empty_and_foreign_files() -> None:
    assert "empty" in reason(b"")
    assert "JPEG, PNG, WebP" in reason(b"%PDF-1.7 and so on")


@pytest.mark.parametrize("file_format", FORMATS)
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_decode_cut_file(file_format: str, share: float) -> None:
    content = content_of(noisy(80, 80), file_format)
    assert reason(content[: int(len(content) * share)])


@pytest.mark.parametrize("cut", [lambda c: c[: len(c) // 2], lambda c: c[:-200]])
def test_decode_cut_large_jpeg(cut: Callable[[bytes], bytes]) -> None:
    for progressive in (False, True):
        content = content_of(noisy(400, 600), "JPEG", progressive=progressive)
        assert reason(cut(content))


def test_decode_decompression_bomb(monkeypatch: pytest.MonkeyPatch) -> None:
    content = content_of(noisy(30, 30), "PNG")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 800)  # Pillow warns above it, refuses above 2 x
    assert decode(content, SMALL).shape == (8, 8, 3)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 400)
    assert "pixels" in reason(content)


def test_recipe_text_round_trip() -> None:
    recipe = Recipe(224, 192)
    assert recipe.text == "rgb8,exif,alpha=white|squash:224x192,bilinear,reduce=2"
    assert Recipe.parse(recipe.text) == recipe
    assert Recipe.parse(Recipe(1, 2).text) != recipe


@pytest.mark.parametrize(
    "change", [("bilinear", "lanczos"), ("224", "x"), ("rgb8,", ""), ("2", "")]
)
def test_recipe_parse_unknown_text(change: tuple[str, str]) -> None:
    text = Recipe(224, 224).text.replace(*change)
    with pytest.raises(RetrainError) as caught:
        Recipe.parse(text)
    assert repr(text) in str(caught.value)
    assert "install" in str(caught.value)
