"""Memory: huge photos are reduced, wait for one another or are set aside; a batch stays bounded."""

import io
import os
import struct
import subprocess
import sys
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from conftest import TINY, Run, age
from PIL import Image
from png_files import chunk

from retrain.data.decoding import memory
from retrain.data.decoding.decode import Recipe, decode, pillow_warnings_ignored
from retrain.data.decoding.faults import BadPhoto, TooLittleMemory
from retrain.data.decoding.memory import Allowance
from retrain.data.decoding.upright import read_upright
from retrain.data.looks import look_at
from retrain.data.read import read_photo
from retrain.reporting.thumbnails import draw_photos

pytestmark = pytest.mark.slow

SMALL = Recipe(32, 32)


@pytest.fixture(autouse=True)
def _as_extraction_does() -> Iterator[None]:
    with pillow_warnings_ignored():
        yield


def empty_png(width: int, height: int, bits: int = 8, colour: int = 2) -> bytes:
    """A few bytes that claim to be a huge picture."""
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    pixels = chunk(b"IDAT", zlib.compress(bytes(1000)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + pixels + chunk(b"IEND", b"")


def content_of(image: Image.Image, file_format: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, file_format, **options)
    return file.getvalue()


def enlarged(content: bytes, at: int, form: str, width: int, height: int) -> bytes:
    """The header changed so that it claims another size."""
    return content[:at] + struct.pack(form, width, height) + content[at + struct.calcsize(form) :]


RED = Image.new("RGB", (64, 64), "red")
TIFF_HEAD = struct.pack("<4sIH", b"II*\0", 8, 8)
BOMBS = {
    "png": empty_png(30000, 30000),
    "png 16 bits": empty_png(30000, 30000, 16),
    "png alpha": empty_png(30000, 30000, 8, 6),
    "gif": enlarged(content_of(RED, "GIF"), 6, "<HH", 65000, 65000),
    "bmp": enlarged(content_of(RED, "BMP"), 18, "<ii", 40000, 40000),
    "webp": content_of(RED, "WEBP", lossless=True)[:20]
    + b"\x2f" + (16382 | 16382 << 14).to_bytes(4, "little") + bytes(50),
    "tiff": TIFF_HEAD + b"".join(
        struct.pack("<HHII", tag, 4, 1, value)
        for tag, value in ((256, 60000), (257, 60000), (258, 12), (259, 1), (262, 1), (273, 8),
                           (278, 60000), (279, 100))
    ) + bytes(4),
    "jpeg": content_of(Image.new("RGB", (16, 16)), "JPEG", progressive=True, subsampling=0),
}  # fmt: skip


@pytest.mark.parametrize("kind", BOMBS)
def test_few_bytes_of_a_huge_picture_are_refused_with_the_megapixels(kind: str) -> None:
    content = BOMBS[kind]
    if kind == "jpeg":
        content = enlarged(content, content.index(b"\xff\xc2") + 5, ">HH", 60000, 60000)
    with pytest.raises(BadPhoto, match=r"[\d,]+ megapixels"):
        decode(content, SMALL)


def test_a_huge_jpeg_is_reduced_while_it_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    content = content_of(Image.new("RGB", (4000, 3000), "red"), "JPEG")
    monkeypatch.setattr(memory, "ONE", 4_000_000)
    assert (decode(content, SMALL)[..., 0] > 250).all()
    with pytest.raises(BadPhoto, match=r"12 megapixels \(4000 x 3000\)"):
        decode(content, Recipe(1000, 1000))


def wanted_together(amounts: list[int], total: int) -> int:
    """The most bytes that were taken at the same time."""
    allowance, lock = Allowance(total), threading.Lock()
    now = most = 0

    def take(amount: int) -> None:
        nonlocal now, most
        with allowance.taken(amount):
            with lock:
                now += amount
                most = max(most, now)
            threading.Event().wait(0.001)
            with lock:
                now -= amount

    threads = [threading.Thread(target=take, args=(amount,)) for amount in amounts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    return most


def test_threads_share_an_allowance() -> None:
    assert wanted_together([10] * 40, 50) <= 50
    assert wanted_together([10, 50, 10, 50, 10, 50] * 5, 50) <= 50


def test_one_that_wants_more_than_all_comes_alone() -> None:
    allowance = Allowance(50)
    with allowance.taken(500):
        other = threading.Thread(target=lambda: allowance.taken(1).__enter__())
        other.start()
        other.join(0.05)
        assert other.is_alive()
    other.join(60)
    assert not other.is_alive()


def test_a_fault_gives_the_memory_back() -> None:
    allowance = Allowance(50)
    for _ in range(3):
        with pytest.raises(KeyError), allowance.taken(50):
            raise KeyError


@pytest.fixture
def three_photos(tmp_path: Path) -> list[Path]:
    for name, side in (("a", 40), ("large", 4200), ("z", 40)):
        Image.new("RGB", (side, side), "red").save(tmp_path / f"{name}.png", compress_level=1)
    return [tmp_path / f"{name}.png" for name in ("a", "large", "z")]


@pytest.mark.parametrize("how", ["the system says so", "Python says so"])
def test_a_photo_that_needs_more_than_is_left_is_set_aside(
    how: str, three_photos: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    if how == "the system says so":
        monkeypatch.setattr(memory, "bytes_left", lambda: 120_000_000)
    else:
        real = Image.Image.resize

        def resize(image: Image.Image, *arguments: object, **more: object) -> Image.Image:
            if image.width > 1000:
                raise MemoryError
            return real(image, *arguments, **more)  # type: ignore[arg-type]

        monkeypatch.setattr(Image.Image, "resize", resize)
    found = [read_photo(path, SMALL) for path in three_photos]
    assert isinstance(found[0], np.ndarray) and isinstance(found[2], np.ndarray)
    assert isinstance(found[1], str) and "needs 71 MB of memory" in found[1]
    with pytest.raises(TooLittleMemory):
        decode(three_photos[1].read_bytes(), SMALL)


def test_memory_left_is_read_from_the_system() -> None:
    left = memory.bytes_left()
    if sys.platform == "linux":
        assert left is not None and 0 < left < 1 << 50


def test_a_run_goes_on_without_it_and_tries_it_again(
    colour_tree: Path, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("RGB", (4200, 4200), "red").save(colour_tree / "red" / "large.png", compress_level=1)
    age(colour_tree)
    fast = ("--tfhub_module", TINY, "--how_many_training_steps", 20, "--summaries_dir=")
    fast = (*fast, "--no-report", "--bottleneck_dir", tmp_path / "b")
    monkeypatch.setattr(memory, "bytes_left", lambda: 120_000_000)
    done = run("retrain", "--image_dir", colour_tree, *fast)
    assert done.returncode == 0, done.stderr
    assert "set aside red/large.png: needs 71 MB of memory, and 120 MB are left" in done.stderr
    monkeypatch.undo()
    monkeypatch.setenv("RETRAIN_CACHE_DIR", str(tmp_path / "cache"))
    again = run("retrain", "--image_dir", colour_tree, *fast)
    assert "1 feature computed, 72 cached" in again.stderr
    assert "set aside" not in again.stderr


def test_deep_photos_of_little_range_are_counted_in_one_line(
    colour_tree: Path, run: Run, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    for number in range(3):  # 12 bits of data, as cameras of microscopes write them
        values = rng.integers(0, 4096, (40, 40), dtype=np.uint16)
        Image.fromarray(values).save(colour_tree / "red" / f"deep{number}.png")
    age(colour_tree)
    fast = ("--tfhub_module", TINY, "--how_many_training_steps", 20, "--summaries_dir=")
    for computed in ("75 features computed", "0 features computed"):
        done = run("retrain", "--image_dir", colour_tree, *fast, "--no-report",
                   "--bottleneck_dir", tmp_path / "b")  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert computed in done.stderr
        said = {line.strip() for line in done.stderr.splitlines() if "16-bit" in line}
        assert {line.removeprefix("warning: ")[:45] for line in said} == {
            "3 16-bit photos whose values fill less than a"
        }


def test_thumbnails_and_looks_of_large_photos(three_photos: list[Path]) -> None:
    paths = [str(path) for path in three_photos]
    assert read_upright(paths[1], 100).size == (200, 200)
    assert all(draw_photos(paths, lambda _, photo: photo.inside(64)))
    assert [look_at(path.read_bytes()).width for path in three_photos] == [40, 4200, 40]


PEAK = """
import resource, sys
from concurrent.futures import ThreadPoolExecutor
import numpy as np
from retrain.data.decoding import memory
from retrain.data.read import read_photo
from retrain.data.decoding.decode import Recipe, pillow_warnings_ignored
memory.PIXELS = memory.Allowance(memory.TOGETHER // 4)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
with pillow_warnings_ignored(), ThreadPoolExecutor(16) as pool:
    found = list(pool.map(lambda path: read_photo(path, Recipe(32, 32)), sys.argv[1:]))
assert all(isinstance(one, np.ndarray) for one in found), found
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1000)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in kilobytes on Linux")
def test_a_batch_of_large_photos_stays_below_the_bound(tmp_path: Path) -> None:
    names = []
    for number in range(16):
        names.append(str(tmp_path / f"{number}.png"))
        if number:
            os.link(names[0], names[-1])
        else:  # more than 36 MB each when decoded, which malloc gives back at once
            Image.new("RGBA", (3000, 3000)).save(names[0], compress_level=1)
    done = subprocess.run(
        [sys.executable, "-c", PEAK, *names], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 550
