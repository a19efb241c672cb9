"""TIFF: the samples of every layout come out right, or the photo is set aside with the reason."""

import io
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image
from tiff_files import DEFLATE, LZW, PACKBITS, RAW, directory, tiff, tiff_of

from retrain.data.decoding import formats, tiff_samples
from retrain.data.decoding import open as opening
from retrain.data.decoding.decode import (
    Recipe,
    decode,
    pillow_warnings_ignored,
    pixels_of,
    size_for,
)
from retrain.data.decoding.faults import BadPhoto

HEIGHT, WIDTH = 21, 37
SAME = Recipe(HEIGHT, WIDTH)  # no resampling: pixels are compared one by one
WHITE_IS_ZERO, GREY, RGB, PALETTE, CMYK = 0, 1, 2, 3, 5


@pytest.fixture(autouse=True)
def _as_extraction_does() -> Iterator[None]:
    with pillow_warnings_ignored():
        yield


def samples(count: int, bits: int) -> np.ndarray:
    rng = np.random.default_rng(bits)
    return rng.integers(0, 1 << bits, (HEIGHT, WIDTH, count), dtype=np.uint16)


def eight(values: np.ndarray, bits: int) -> np.ndarray:
    """The highest 8 bits; fewer are spread over the range."""
    values = values.astype(int)
    return values >> (bits - 8) if bits >= 8 else values * 255 // ((1 << bits) - 1)


def on_white(colours: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    return (colours * alpha + 255 * (255 - alpha)) / 255


def assert_pixels(content: bytes, expected: np.ndarray, within: float = 0) -> None:
    found = decode(content, SAME).astype(int)
    assert np.abs(found - np.broadcast_to(expected, found.shape)).max() <= within


PACKED = {
    "raw": dict(compression=RAW),
    "deflate": dict(compression=DEFLATE),
    "lzw": dict(compression=LZW),
    "packbits": dict(compression=PACKBITS),
    "tiles": dict(tile=(16, 16)),
    "tiles, deflate": dict(tile=(16, 16), compression=DEFLATE),
    "one strip": dict(rows=HEIGHT),
}
DEPTHS = (1, 2, 3, 4, 6, 8, 9, 10, 11, 12, 13, 14, 15, 16)


@pytest.mark.parametrize("little", [True, False], ids=["II", "MM"])
@pytest.mark.parametrize("photometric", [WHITE_IS_ZERO, GREY])
@pytest.mark.parametrize("bits", DEPTHS)
def test_grey_of_every_depth(bits: int, photometric: int, little: bool) -> None:
    values = samples(1, bits)
    shown = eight(values if photometric == GREY else (1 << bits) - 1 - values, bits)
    for how in PACKED.values():
        assert_pixels(tiff(values, bits, photometric, little=little, **how), shown)


@pytest.mark.parametrize("little", [True, False], ids=["II", "MM"])
@pytest.mark.parametrize("planar", [False, True], ids=["chunky", "planar"])
@pytest.mark.parametrize("bits", [4, 8, 10, 12, 14, 16])
def test_rgb_of_every_depth(bits: int, planar: bool, little: bool) -> None:
    values = samples(3, bits)
    for how in PACKED.values():
        content = tiff(values, bits, RGB, planar=planar, little=little, **how)
        assert_pixels(content, eight(values, bits))


@pytest.mark.parametrize("fill_order", [1, 2])
@pytest.mark.parametrize("compression", [RAW, DEFLATE])
@pytest.mark.parametrize(("photometric", "count"), [(WHITE_IS_ZERO, 1), (GREY, 1), (RGB, 3)])
@pytest.mark.parametrize("bits", [1, 8, 12, 16])
def test_fill_order(
    bits: int, photometric: int, count: int, compression: int, fill_order: int
) -> None:
    if bits == 1 and count == 3:
        pytest.skip("nobody has written such a file")
    values = samples(count, bits)
    shown = eight((1 << bits) - 1 - values if photometric == WHITE_IS_ZERO else values, bits)
    content = tiff(values, bits, photometric, compression=compression, fill_order=fill_order)
    assert_pixels(content, shown)


@pytest.mark.parametrize("little", [True, False], ids=["II", "MM"])
@pytest.mark.parametrize("planar", [False, True], ids=["chunky", "planar"])
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize(
    ("photometric", "count"), [(WHITE_IS_ZERO, 1), (GREY, 1), (RGB, 3), (CMYK, 4)]
)
def test_predictor(photometric: int, count: int, bits: int, planar: bool, little: bool) -> None:
    values = samples(count, bits)
    plain = decode(tiff(values, bits, photometric), SAME)
    for how in (dict(), dict(tile=(16, 16))):
        for compression in (LZW, DEFLATE):
            content = tiff(
                values, bits, photometric, predictor=True, compression=compression,
                planar=planar, little=little, **how,
            )  # fmt: skip
            assert_pixels(content, plain)


@pytest.mark.parametrize("planar", [False, True], ids=["chunky", "planar"])
@pytest.mark.parametrize("extra", [(0,), (1,), (2,), (0, 2)])
@pytest.mark.parametrize("bits", [8, 12, 16])
@pytest.mark.parametrize("photometric", [WHITE_IS_ZERO, GREY, RGB])
def test_extra_samples(photometric: int, bits: int, extra: tuple[int, ...], planar: bool) -> None:
    count = 3 if photometric == RGB else 1
    values = samples(count + len(extra), bits)
    if 1 in extra:  # colours multiplied by alpha are never larger
        values[..., :count] = np.minimum(values[..., :count], values[..., count:])
    content = tiff(values, bits, photometric, extra=extra, planar=planar)
    most = (1 << bits) - 1
    colours = values[..., :count] / most * 255
    if photometric == WHITE_IS_ZERO:
        colours = 255 - colours
    if extra == (0,):
        expected = colours
    else:
        alpha = values[..., -1:] / most * 255
        if 1 in extra and photometric == WHITE_IS_ZERO:
            return  # nobody can say what is multiplied
        expected = (
            on_white(255 * colours / np.maximum(alpha, 1e-9), alpha)
            if 1 in extra
            else (on_white(colours, alpha))
        )
    assert_pixels(content, expected, within=2.01)


@pytest.mark.parametrize("planar", [False, True], ids=["chunky", "planar"])
@pytest.mark.parametrize("bits", [8, 12, 16])
def test_cmyk(bits: int, planar: bool) -> None:
    values = samples(4, bits)
    inks = Image.frombytes("CMYK", (WIDTH, HEIGHT), eight(values, bits).astype(np.uint8).tobytes())
    assert_pixels(tiff(values, bits, CMYK, planar=planar), np.asarray(inks.convert("RGB")))


@pytest.mark.parametrize("largest", [0xFFFF, 0xFF], ids=["16-bit colormap", "8-bit colormap"])
@pytest.mark.parametrize("bits", [1, 2, 4, 8, 12, 16])
def test_palette(bits: int, largest: int) -> None:
    colours = np.random.default_rng(0).integers(0, largest + 1, (3, 1 << bits))
    colours[0, 0] = largest
    values = samples(1, bits)
    shown = (colours >> 8 if largest > 255 else colours).T[values[..., 0]]
    for how in PACKED.values():
        assert_pixels(tiff(values, bits, PALETTE, colormap=colours.ravel().tolist(), **how), shown)


@pytest.mark.parametrize(
    ("values", "bits", "photometric", "how", "said"),
    [
        (samples(1, 8), 8, GREY, dict(sample_format=2), "signed pixels of 8 bits"),
        (samples(1, 16), 16, GREY, dict(sample_format=2), "signed pixels of 16 bits"),
        (samples(1, 16), 32, GREY, dict(sample_format=3), "floating-point pixels"),
        (samples(3, 16), 32, RGB, dict(), "32 bits"),
        (samples(3, 12), 12, 6, dict(), "12 bits a sample in YCbCr"),
        (samples(3, 16), 16, 8, dict(), "16 bits a sample in CIELAB"),
        (samples(3, 12), 12, GREY, dict(), "3 samples of 12 bits a pixel"),
        (samples(1, 12), 12, GREY, dict(predictor=True, compression=DEFLATE), "12 bits"),
        (samples(1, 8), 8, PALETTE, dict(colormap=[1, 2, 3]), "palette has not 256 colours"),
        (samples(1, 16), 16, 32803, dict(), "raw data of a camera"),
    ],
)  # fmt: skip
def test_what_has_no_meaning_is_refused_by_name(
    values: np.ndarray, bits: int, photometric: int, how: dict[str, object], said: str
) -> None:
    with pytest.raises(BadPhoto, match=said) as caught:
        decode(tiff(values, bits, photometric, **how), SAME)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("planar", [False, True], ids=["chunky", "planar"])
def test_a_large_picture_is_read_in_pieces(planar: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    values = samples(3, 12)
    monkeypatch.setattr(tiff_samples, "BAND", 5 * 3 * WIDTH)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1400)  # bytes at once, as Pillow sees it
    for how in PACKED.values():
        if how == PACKED["one strip"]:
            continue
        monkeypatch.setattr(formats, "PILLOWS_OWN", 0)
        assert_pixels(tiff(values, 12, RGB, planar=planar, **how), eight(values, 12))


def page(side: int, colour: int, reduced: bool = False, photometric: int = RGB) -> tuple:  # type: ignore[type-arg]
    values = np.full((side, side, 3 if photometric == RGB else 1), colour, np.uint16)
    return directory(values, 8, photometric, more=[(254, 4, [int(reduced)])])


@pytest.mark.parametrize(
    ("content", "colour"),
    [
        (tiff_of([page(300, 10), page(300, 20)]), 10),  # a document: the first page
        (tiff_of([page(300, 10), page(301, 20)]), 10),
        (tiff_of([page(300, 10), page(40, 20)]), 10),
        (tiff_of([page(40, 10, reduced=True), page(60, 20)]), 20),
        (tiff_of([page(40, 10), page(300, 20), page(200, 30)]), 20),  # a thumbnail, unmarked
        (tiff_of([page(40, 10, reduced=True)], [page(300, 20), page(200, 30, True)]), 20),
        (tiff_of([page(40, 10)], [page(30, 20, True), page(400, 30)]), 30),
        (tiff_of([page(40, 10, True)], [page(300, 20, True), page(500, 30, False, 32803)]), 20),
        (tiff_of([page(300, 10)], [page(150, 20, True), page(75, 30, True)]), 10),  # a pyramid
    ],
)
def test_the_largest_page_where_the_first_is_a_thumbnail(content: bytes, colour: int) -> None:
    assert (decode(content, Recipe(4, 4)) == colour).all()


def test_raw_data_with_nothing_but_a_thumbnail_is_refused() -> None:
    content = tiff_of([page(40, 10, True)], [page(500, 30, False, 32803)])
    with pytest.raises(BadPhoto, match="raw data of a camera"):
        decode(content, SAME)


def test_a_directory_that_names_itself_ends() -> None:
    content = bytearray(tiff_of([page(40, 10)]))
    content[-4:] = content[4:8]
    assert (decode(bytes(content), SAME) == 10).all()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("bits", [8, 12])
def test_orientation(bits: int, orientation: int) -> None:
    values = samples(1, bits)
    content = tiff(values, bits, GREY, more=[(274, 3, [orientation])])
    grey = Image.fromarray(eight(values[..., 0], bits).astype(np.uint8))
    exif = Image.Exif()
    exif[0x0112] = orientation
    plain = io.BytesIO()
    grey.save(plain, "PNG", exif=exif)
    recipe = Recipe(16, 24)
    assert np.array_equal(decode(content, recipe), decode(plain.getvalue(), recipe))


@pytest.mark.parametrize("share", [0.2, 0.6, 0.95])
@pytest.mark.parametrize("compression", [RAW, DEFLATE, LZW, PACKBITS])
def test_cut_files_are_refused(compression: int, share: float) -> None:
    whole = tiff(samples(3, 12), 12, RGB, compression=compression)
    with pytest.raises(BadPhoto):
        decode(whole[: int(share * len(whole))], SAME)


@pytest.mark.parametrize(
    ("values", "narrow"),
    [
        (np.array([0, 4095]), True),
        (np.array([40000, 44000]), True),
        (np.array([0, 65535]), False),
        (np.array([100, 40000]), False),
    ],
)
@pytest.mark.parametrize("how", [dict(), dict(planar=True), dict(extra=[0])])
@pytest.mark.parametrize("photometric", [GREY, WHITE_IS_ZERO, RGB])
def test_a_deep_photo_of_little_range_is_known(
    values: np.ndarray, narrow: bool, how: dict[str, object], photometric: int
) -> None:
    count = (3 if photometric == RGB else 1) + ("extra" in how)
    picture = np.resize(values, (HEIGHT, WIDTH, 1)).repeat(count, axis=2)
    content = tiff(picture, 16, photometric, **how)
    with opening.opened(content, *size_for(SAME)) as photo:
        pixels_of(photo, SAME, content)
        assert photo.narrow is narrow
