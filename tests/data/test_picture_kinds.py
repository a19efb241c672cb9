"""PNG's texts and transparent colours, files of other kinds, and large pictures in bands."""

import io
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from png_files import chunk

from retrain.data.decoding import picture
from retrain.data.decoding.decode import Recipe, decode, pillow_warnings_ignored
from retrain.data.decoding.faults import BadPhoto
from retrain.data.decoding.picture import Picture
from retrain.data.photo_file import content_of
from retrain.data.read import read_photo
from retrain.export.tf_decode import pixels_of
from retrain.inference.inputs import may_be_photo
from retrain.utils.tensorflow import import_tensorflow

SIDE = 16
SAME = Recipe(SIDE, SIDE)
GREY, RGB, PALETTE = 0, 2, 3


@pytest.fixture(autouse=True)
def _as_extraction_does() -> Iterator[None]:
    with pillow_warnings_ignored():
        yield


def png(samples: np.ndarray, bits: int, colour: int, before: bytes = b"") -> bytes:
    """A PNG of samples (h, w, channels); `before`: chunks in front of the pixels."""
    high, wide, channels = samples.shape
    rows = b""
    for row in samples.reshape(high, -1).tolist():
        digits = "".join(f"{sample:0{bits}b}" for sample in row)
        rows += b"\0" + int(digits, 2).to_bytes(len(digits) // 8, "big")
    header = struct.pack(">IIBBBBB", wide, high, bits, colour, 0, 0, 0)
    parts = chunk(b"IHDR", header), before, chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def samples(channels: int, bits: int) -> np.ndarray:
    rng = np.random.default_rng(bits)
    values = rng.integers(0, 1 << bits, (SIDE, SIDE, channels))
    values[: SIDE // 2] = values[0, 0]  # the key is there more than once
    return values


def keyed(bits: int, colour: int) -> tuple[bytes, np.ndarray]:
    """A PNG with one transparent colour, and the pixels (h, w, 3) that are to be seen."""
    values = samples(3 if colour == RGB else 1, bits)
    if bits == 16:  # alike in the high byte, but not the key
        values[-2:] = values[0, 0] ^ 1
    seen = values >> 8 if bits == 16 else values * 255 // ((1 << bits) - 1)
    seen = np.broadcast_to(seen, (SIDE, SIDE, 3)).copy()
    seen[(values == values[0, 0]).all(axis=2)] = 255
    key = struct.pack(f">{values.shape[2]}H", *values[0, 0].tolist())
    return png(values, bits, colour, chunk(b"tRNS", key)), seen


KEYED = [(bits, GREY) for bits in (1, 2, 4, 8, 16)] + [(8, RGB), (16, RGB)]


@pytest.mark.parametrize(("bits", "colour"), KEYED)
def test_one_transparent_colour_at_every_depth(bits: int, colour: int) -> None:
    content, seen = keyed(bits, colour)
    assert np.array_equal(decode(content, SAME), seen)


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_a_palette_with_transparency_at_every_depth(bits: int) -> None:
    rng = np.random.default_rng(bits)
    colours, alpha = rng.integers(0, 256, (1 << bits, 3)), rng.integers(0, 256, 1 << bits)
    values = samples(1, bits)
    before = chunk(b"PLTE", bytes(colours.ravel().tolist()))
    content = png(values, bits, PALETTE, before + chunk(b"tRNS", bytes(alpha.tolist())))
    index = values[..., 0]
    seen = (colours[index] * alpha[index][..., None] + 255 * (255 - alpha[index][..., None])) / 255
    assert np.abs(decode(content, SAME) - seen).max() <= 1


@pytest.fixture(scope="module")
def in_graph() -> Callable[[bytes], np.ndarray]:
    tf = import_tensorflow()
    traced = tf.function(lambda content: pixels_of(content, SAME), autograph=False)
    decoder = traced.get_concrete_function(tf.TensorSpec([], tf.string))
    return lambda content: decoder(tf.constant(content)).numpy()


@pytest.mark.slow
@pytest.mark.parametrize(("bits", "colour"), KEYED)
def test_the_exported_decoder_sees_the_same_transparent_colour(
    bits: int, colour: int, in_graph: Callable[[bytes], np.ndarray]
) -> None:
    content, seen = keyed(bits, colour)
    assert np.abs(in_graph(content) - seen).max() <= 1


LARGE = zlib.compress(b"x" * 2_000_000)
TEXTS = {
    "ztxt": chunk(b"zTXt", b"workflow\0\0" + LARGE),
    "itxt": chunk(b"iTXt", b"workflow\0\1\0\0\0" + LARGE),
    "xmp": chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + LARGE),
    "exif as text": chunk(b"zTXt", b"Raw profile type exif\0\0" + LARGE),
    "text": chunk(b"tEXt", b"prompt\0" + b"x" * 70_000_000),
    "profile": chunk(b"iCCP", b"profile\0\0" + LARGE),
    "many": b"".join(chunk(b"zTXt", b"k%d\0\0" % n + LARGE[:900]) for n in range(500)),
    "many xmp": chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + LARGE) * 500,
    "broken": chunk(b"zTXt", b"k\0\0not packed") + chunk(b"iCCP", b"p") + chunk(b"iTXt", b""),
    "wrong sum": chunk(b"zTXt", b"k\0\0" + LARGE)[:-1] + b"?",
}


@pytest.mark.parametrize("kind", TEXTS)
@pytest.mark.parametrize("behind", [False, True])
def test_large_texts_and_profiles_are_passed_over(kind: str, behind: bool) -> None:
    values = samples(3, 8)
    content = png(values, 8, RGB, b"" if behind else TEXTS[kind])
    if behind:
        content = content[:-12] + TEXTS[kind] + content[-12:]
    assert np.array_equal(decode(content, SAME), values)


@pytest.mark.parametrize(
    "text",
    [
        chunk(b"iTXt", b'XML:com.adobe.xmp\0\0\0\0\0<x tiff:Orientation="6"/>'),
        chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0"
              + zlib.compress(b'<x tiff:Orientation="6"/>' + "ü".encode() * 1_000_000)),
    ],
)  # fmt: skip
def test_a_text_with_the_orientation_is_obeyed(text: bytes) -> None:
    values = samples(3, 8)
    assert np.array_equal(decode(png(values, 8, RGB, text), SAME), np.rot90(values, -1))


def box(brand: bytes, *more: bytes) -> bytes:
    return struct.pack(">I", 16 + 4 * len(more)) + b"ftyp" + brand + bytes(4) + b"".join(more)


FOREIGN = {
    "HEIC": (box(b"heic", b"mif1"), box(b"mif1", b"heic"), box(b"msf1")),
    "AVIF": (box(b"avif", b"mif1"), box(b"mif1", b"avif"), box(b"avis")),
    "JPEG 2000": (b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51\0\x2f", box(b"jp2 ")),
    "JPEG XL": (b"\xff\x0a\xfa\x1f", b"\0\0\0\x0cJXL \r\n\x87\n"),
    "SVG": (b'<svg xmlns="', b'<?xml version="1.0"?>\n<svg width="1"'),
    "camera": (b"FUJIFILMCCD-RAW 0201", b"IIRO\x08\0\0\0", box(b"crx "), b"IIU\0\x18\0"),
    "Photoshop": (b"8BPS\0\1",),
    "PDF": (b"%PDF-1.7\n",),
    "video": (box(b"isom", b"mp41"), box(b"qt  "), b"\x1aE\xdf\xa3\x01", b"RIFF\0\0\0\0AVI LIST"),
    "web page": (b"\n<!DOCTYPE html><html>", b"<HTML><body>404"),
    "archive": (b"PK\x03\x04\x14\0", b"Rar!\x1a\x07"),
    "LFS": (b"version https://git-lfs.github.com/spec/v1\noid",),
}


@pytest.mark.parametrize("kind", FOREIGN)
@pytest.mark.parametrize("size", [0, 5_000_000], ids=["small", "large"])
def test_other_files_are_named_with_what_to_do(kind: str, size: int, tmp_path: Path) -> None:
    for number, head in enumerate(FOREIGN[kind]):
        path = tmp_path / f"{number}.jpg"
        path.write_bytes(head + bytes(size))
        said = read_photo(path, SAME)
        assert isinstance(said, str) and kind in said
        assert len(said.splitlines()) == 1 and ": " in said


@pytest.mark.parametrize("head", [b"BMW and Audi\n" * 9, b"RIFF\0\0\0\0WAVEfmt ", b"hello"])
def test_what_only_begins_like_a_photo_is_none(head: bytes, tmp_path: Path) -> None:
    (tmp_path / "notes").write_bytes(head)
    assert not may_be_photo(tmp_path / "notes")
    assert "not a JPEG" in str(read_photo(tmp_path / "notes", SAME))


def test_a_file_too_large_for_a_photo_is_not_read(tmp_path: Path) -> None:
    with open(tmp_path / "huge.bmp", "wb") as file:
        file.write(b"BM" + bytes(12) + struct.pack("<I", 40))
        file.truncate(3_000_000_000)  # takes no room on the disk
    with pytest.raises(BadPhoto, match="3.0 GB is too large"), content_of(tmp_path / "huge.bmp"):
        pass


def plain(mode: str) -> Image.Image:
    values = np.random.default_rng(1).integers(0, 256, (61, 47, 4), dtype=np.uint8)
    if mode.startswith("I"):
        return Image.fromarray(values[..., :2].copy().view("<u2")[..., 0])
    image = Image.fromarray(values)
    image = image.convert("RGB") if mode not in ("RGBA", "LA") else image
    return image.convert(mode)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "CMYK", "1", "I;16"])
def test_bands_give_the_same_pixels(
    mode: str, orientation: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = plain(mode)
    if mode == "P":
        image.info["transparency"] = 3
    sizes = [(20, 10), (47, 30), (90, 61), (200, 150), (61, 47)]

    def shrunk(size: tuple[int, int]) -> np.ndarray:
        shown = Picture(image, "PNG", image.size, orientation=orientation)
        return np.asarray(shown.resize(size, Image.Resampling.BILINEAR))

    whole = [shrunk(size) for size in sizes]
    monkeypatch.setattr(picture, "WHOLE", 100)
    monkeypatch.setattr(picture, "BAND", 300)
    for size, expected in zip(sizes, whole, strict=True):
        assert np.array_equal(shrunk(size), expected)


def jpeg(image: Image.Image, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", **options)
    return file.getvalue()


def with_scans(content: bytes, count: int) -> bytes:
    """A progressive JPEG whose last scan comes `count` times more."""
    last = content.rfind(b"\xff\xc4", 0, content.rfind(b"\xff\xda"))
    return content[:-2] + content[last:-2] * count + b"\xff\xd9"


def test_a_jpeg_of_very_many_scans_is_refused() -> None:
    content = jpeg(Image.new("RGB", (2000, 1500)), progressive=True)
    assert decode(content, SAME).shape == (SIDE, SIDE, 3)
    assert decode(with_scans(content, 5), SAME).shape == (SIDE, SIDE, 3)
    with pytest.raises(BadPhoto, match=r"2,010 scans over 3\.0 megapixels"):
        decode(with_scans(content, 2000), SAME)


def test_what_only_looks_like_scans_is_not_counted() -> None:
    content = jpeg(Image.new("RGB", (8000, 6000), "red"), progressive=True)
    film = b"\xff\xda" * 5000  # behind the photo, as phones put it
    comment = chunk(b"", b"")[:0] + b"\xff\xfe\xff\x00" + b"\xff\xda" * ((0xFF00 - 2) // 2)
    assert (decode(content[:2] + comment + content[2:] + film, SAME)[..., 0] > 250).all()


def test_twelve_bit_jpeg_is_named() -> None:
    content = jpeg(Image.new("RGB", (32, 32)))
    at = content.index(b"\xff\xc0")
    with pytest.raises(BadPhoto, match="a JPEG of 12 bits a sample"):
        decode(content[: at + 4] + b"\x0c" + content[at + 5 :], SAME)
