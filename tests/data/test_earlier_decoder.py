"""Features that the decoder of the versions before made: kept for ordinary photos, made anew for
those that it read wrongly; what it could not read is tried again."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiff_files import directory, tiff, tiff_of

from retrain.data.digests import digest_of
from retrain.features import store as store_module
from retrain.features.runner import look_again, missing
from retrain.features.store import BottleneckStore, StoreIdentity

WIDTH = 4


def encoded(image: Image.Image, file_format: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, file_format, **options)
    return file.getvalue()


RED = Image.new("RGB", (20, 20), "red")
GREY = np.zeros((20, 20, 1), np.uint16)
ORDINARY = {
    "jpeg": encoded(RED, "JPEG"),
    "png": encoded(RED, "PNG"),
    "png, transparent colour": encoded(RED, "PNG", transparency=(255, 0, 0)),
    "png 16 bits": encoded(Image.fromarray(GREY[..., 0]), "PNG"),
    "png palette": encoded(RED.quantize(4), "PNG", transparency=0),
    "webp": encoded(RED, "WEBP"),
    "gif": encoded(RED, "GIF"),
    "bmp": encoded(RED, "BMP"),
    "tiff": encoded(RED, "TIFF"),
    "tiff lzw": encoded(RED, "TIFF", compression="tiff_lzw"),
    "tiff jpeg": encoded(RED, "TIFF", compression="jpeg"),
    "tiff 1 bit": encoded(RED.convert("1"), "TIFF", compression="group4"),
    "tiff 16 bits": tiff(GREY, 16, 1),
    "tiff pages": encoded(RED, "TIFF", save_all=True, append_images=[RED]),
}
MISREAD = {
    "png, transparent deep grey": encoded(Image.fromarray(GREY[..., 0]), "PNG", transparency=0),
    "tiff 12 bits": tiff(GREY, 12, 1),
    "tiff 16 bits planar": tiff(GREY.repeat(3, axis=2), 16, 2, planar=True),
    "tiff 16 bits, white is zero": tiff(GREY, 16, 0),
    "tiff, 8-bit colormap": tiff(GREY, 8, 3, colormap=[200] * 768),
    "tiff, thumbnail first": tiff_of(
        [directory(np.zeros((side, side, 3), np.uint16), 8, 2) for side in (8, 40)]
    ),
}


def opened(root: Path) -> BottleneckStore:
    store = BottleneckStore(root, StoreIdentity("m", "f", "r", "f32"), WIDTH)
    store.refresh()
    return store


@pytest.fixture
def paths(tmp_path: Path) -> dict[bytes, str]:
    """All files by their digests."""
    found = {}
    for number, content in enumerate([*ORDINARY.values(), *MISREAD.values()]):
        path = tmp_path / str(number)
        path.write_bytes(content)
        found[digest_of(content)] = str(path)
    assert len(found) == len(ORDINARY) + len(MISREAD)
    return found


@pytest.fixture
def filled(tmp_path: Path, paths: dict[bytes, str], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store with a feature of each, made by the decoder before, and a failure."""
    with monkeypatch.context() as patch:
        patch.setattr(store_module, "DECODER", 1)
        vectors = np.arange(len(paths) * WIDTH, dtype=np.float32).reshape(-1, WIDTH)
        opened(tmp_path / "b").publish(sorted(paths), vectors, {b"f" * 16: "no picture"})
    return tmp_path / "b"


def test_only_what_was_misread_is_missing(filled: Path, paths: dict[bytes, str]) -> None:
    store = opened(filled)
    assert not missing(list(paths), store)
    look_again(paths, store)
    misread = {digest_of(content) for content in MISREAD.values()}
    assert set(missing(list(paths), store)) == misread
    assert b"f" * 16 not in store.failed
    kept = [key for key in paths if key not in misread]
    row = sorted(paths).index(kept[0])
    assert store.matrix(kept[:1]).take(np.array([0]))[0, 0] == row * WIDTH


def test_no_photo_is_looked_at_twice(filled: Path, paths: dict[bytes, str]) -> None:
    first = opened(filled)
    look_again(paths, first)
    anew = missing(list(paths), first)
    first.publish(anew, np.full((len(anew), WIDTH), 7, np.float32), {})
    second = opened(filled)
    assert not second.doubted(paths)
    assert not missing(list(paths), second)
    assert (second.matrix(anew).take(np.arange(len(anew))) == 7).all()


def test_a_store_that_cannot_be_written_serves_what_was_read_rightly(
    filled: Path, paths: dict[bytes, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(BottleneckStore, "_write", refuse)
    store = opened(filled)
    look_again(paths, store)
    assert len(missing(list(paths), store)) == len(MISREAD)
