"""Decoding in the graph: the same pixels as in training, within the tolerance that is promised."""

import io
import struct
import zlib
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from conftest import EXAMPLE_FLOWERS
from PIL import Image
from png_files import chunk

from retrain.data.decoding.decode import Recipe, decode, pillow_warnings_ignored
from retrain.export.tf_decode import pixels_of
from retrain.utils.tensorflow import import_tensorflow

pytestmark = pytest.mark.slow

RECIPE = Recipe(96, 128)
LARGEST, MEAN = 1, 0.25  # of 255
ORIENTATION = 0x0112

Decoder = Callable[[bytes], np.ndarray]


@pytest.fixture(scope="module")
def in_graph() -> Decoder:
    """`pixels_of` as it runs in a SavedModel: traced."""
    tf = import_tensorflow()
    traced = tf.function(lambda content: pixels_of(content, RECIPE), autograph=False)
    decoder = traced.get_concrete_function(tf.TensorSpec([], tf.string))
    return lambda content: decoder(tf.constant(content)).numpy()


@pytest.fixture(autouse=True)
def _as_extraction_does() -> Iterator[None]:
    with pillow_warnings_ignored():
        yield


def picture(height: int = 300, width: int = 500) -> Image.Image:
    """Slopes with noise on them, no two corners alike."""
    y, x = np.mgrid[0:height, 0:width]
    slopes = np.stack([x / width, y / height, (x + y) / (width + height)], axis=-1) * 200
    noise = np.random.default_rng(0).integers(0, 56, (height, width, 3))
    return Image.fromarray((slopes + noise).astype(np.uint8))


def content_of(image: Image.Image, file_format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def assert_as_in_training(found: np.ndarray, content: bytes) -> None:
    expected = decode(content, RECIPE).astype(float)
    assert found.shape == expected.shape and np.array_equal(found, found.round())
    difference = np.abs(found - expected)
    assert difference.max() <= LARGEST
    assert difference.mean() <= MEAN


def with_alpha(mode: str) -> Image.Image:
    """All degrees of transparency from left to right."""
    image = picture().convert(mode)
    image.putalpha(Image.fromarray(np.tile(np.arange(500) // 2, (300, 1)).astype(np.uint8)))
    return image


def png_of(bits: int, colour_type: int, channels: int) -> bytes:
    """Kinds of PNG that Pillow cannot write: random samples of `bits` bits."""
    high, wide = 40, 64
    samples = np.random.default_rng(bits).integers(0, 2**bits, (high, wide * channels))
    rows = b""
    for row in samples.tolist():
        digits = "".join(f"{sample:0{bits}b}" for sample in row)
        rows += b"\0" + int(digits, 2).to_bytes(len(digits) // 8, "big")

    header = struct.pack(">IIBBBBB", wide, high, bits, colour_type, 0, 0, 0)
    parts = chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def turned(orientation: int, file_format: str, size: tuple[int, int] = (300, 500)) -> bytes:
    exif = Image.Exif()
    exif[0x010F] = "a camera with a name that does not fit into four bytes"
    exif[ORIENTATION] = orientation
    return content_of(picture(*size), file_format, exif=exif)


PALETTE = picture().quantize(200)
CASES = {
    "jpeg": content_of(picture(), "JPEG"),
    "jpeg 4:4:4": content_of(picture(), "JPEG", quality=95, subsampling=0),
    "jpeg progressive": content_of(picture(), "JPEG", progressive=True),
    "jpeg reduced by 2": content_of(picture(600, 640), "JPEG"),
    "jpeg reduced by 8": content_of(picture(1700, 2300), "JPEG"),
    "jpeg grey": content_of(picture().convert("L"), "JPEG"),
    "jpeg cmyk": content_of(picture().convert("CMYK"), "JPEG"),
    "png": content_of(picture(), "PNG"),
    "png of one pixel": content_of(picture(1, 1), "PNG"),
    "png grey": content_of(picture().convert("L"), "PNG"),
    "png 1 bit": content_of(picture().convert("1"), "PNG"),
    "png 2 bits": png_of(2, 0, 1),
    "png 16 bits grey": png_of(16, 0, 1),
    "png 16 bits grey with alpha": png_of(16, 4, 2),
    "png 16 bits": png_of(16, 2, 3),
    "png 16 bits with alpha": png_of(16, 6, 4),
    "png with alpha": content_of(with_alpha("RGB"), "PNG"),
    "png grey with alpha": content_of(with_alpha("L"), "PNG"),
    "png palette": content_of(PALETTE, "PNG"),
    "png small palette": content_of(picture().quantize(4), "PNG"),
    "png palette, one colour transparent": content_of(PALETTE, "PNG", transparency=7),
}


@pytest.mark.parametrize("kind", CASES)
def test_pixels_are_those_of_training(kind: str, in_graph: Decoder) -> None:
    assert_as_in_training(in_graph(CASES[kind]), CASES[kind])


@pytest.mark.parametrize("file_format", ["JPEG", "PNG"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation: int, file_format: str, in_graph: Decoder) -> None:
    content = turned(orientation, file_format)
    assert_as_in_training(in_graph(content), content)


def test_a_turned_jpeg_is_reduced_for_its_upright_size(in_graph: Decoder) -> None:
    content = turned(6, "JPEG", (230, 1000))
    assert_as_in_training(in_graph(content), content)


@pytest.mark.parametrize(
    "exif",
    [
        b"Exif\0\0garbage",
        b"Exif\0\0MM\0*\0\0\0\xff\xff",
        b"Exif\0\0II*\0\xff\xff\xff\xff",
        b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0",  # 6, big-endian
        b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x09\0\0",  # 9 is no orientation
    ],
)
def test_odd_metadata_is_usable(exif: bytes, in_graph: Decoder) -> None:
    content = content_of(picture(), "JPEG", exif=exif)
    assert_as_in_training(in_graph(content), content)


def test_example_photos_are_within_the_tolerance(in_graph: Decoder) -> None:
    photos = sorted(EXAMPLE_FLOWERS.glob("*/*.jpg"))
    assert len(photos) == 175
    for photo in photos:
        assert_as_in_training(in_graph(photo.read_bytes()), photo.read_bytes())


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "neither a JPEG nor a PNG"),
        (b"no picture", "neither a JPEG nor a PNG"),
        (content_of(PALETTE, "GIF"), "neither a JPEG nor a PNG"),
        (content_of(picture(), "WEBP"), "neither a JPEG nor a PNG"),
        (CASES["jpeg"][:2000], "Invalid JPEG data"),
        (CASES["png"][:2000], "Invalid PNG data"),
    ],
)
def test_what_cannot_be_decoded_is_refused(content: bytes, reason: str, in_graph: Decoder) -> None:
    with pytest.raises(import_tensorflow().errors.InvalidArgumentError, match=reason):
        in_graph(content)
