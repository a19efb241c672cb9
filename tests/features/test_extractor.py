"""The extractor: one opening of each photo, and work that runs the same anywhere."""

import io
import pickle
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import TINY, age, write_colour_tree
from PIL import Image
from run_commands import PATIENCE_S

import retrain
from retrain.data.decoding.decode import Recipe, decode
from retrain.data.digests import digest_of
from retrain.data.looks import look_at
from retrain.data.read import Wanted, read_once
from retrain.features.extractor import UNIT, Extractor, Receipt, Work

pytestmark = pytest.mark.slow


@pytest.fixture
def paths(tmp_path: Path) -> tuple[str, ...]:
    """Nine photos of which two are the same, one is broken, and one is not there."""
    root = write_colour_tree(tmp_path / "colours", photos=3)
    photos = sorted(root.rglob("*.png"))
    photos[1].write_bytes(photos[0].read_bytes())
    photos[2].write_bytes(photos[2].read_bytes()[:300])
    photos[3].unlink()
    age(root)
    return tuple(map(str, photos))


def vectors(extractor: Extractor, keys: list[bytes]) -> bytes:
    return extractor.store.matrix(keys).take(np.arange(len(keys))).tobytes()


def looks(receipt: Receipt) -> dict[bytes, tuple[object, ...]]:
    return {
        key: (o.format, o.width, o.height, o.spread, o.small) for key, o in receipt.looks.items()
    }


def test_a_receipt_says_what_came_of_each_photo(paths: tuple[str, ...], tmp_path: Path) -> None:
    extractor = Extractor(TINY, tmp_path / "b")
    receipt = extractor.do(Work(paths, looks=True))
    contents = {path: Path(path).read_bytes() for path in paths if path != paths[3]}
    digests = {path: digest_of(content) for path, content in contents.items()}
    broken = digests[paths[2]]
    usable = [key for key in dict.fromkeys(digests.values()) if key != broken]
    assert receipt.digests == digests
    assert sorted(receipt.computed) == sorted(usable) and len(usable) == 6
    assert list(receipt.failed) == [broken] and receipt.failed[broken].startswith("broken: ")
    assert receipt.unread == {paths[3]: "cannot be read: No such file or directory"}
    assert sorted(receipt.looks) == sorted(usable)
    assert receipt.seconds > 0
    again = Extractor(TINY, tmp_path / "b").do(Work(paths))
    assert again.digests == digests and again.unread == receipt.unread
    assert not again.computed and not again.failed and not again.looks


ELSEWHERE = """
import pickle, sys
extractor, work = pickle.load(sys.stdin.buffer)
receipt = extractor.do(work)
assert "tensorflow" not in sys.modules
pickle.dump(receipt, sys.stdout.buffer)
"""


def test_work_that_is_sent_elsewhere_gives_the_same_to_the_bit(
    paths: tuple[str, ...], tmp_path: Path
) -> None:
    work = Work(paths, looks=True)
    here = Extractor(TINY, tmp_path / "here")
    expected = here.do(work)
    away = Extractor(here.backbone, tmp_path / "away")
    done = subprocess.run(
        [sys.executable, "-c", ELSEWHERE],
        input=pickle.dumps((away, work)),
        capture_output=True,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 0, done.stderr.decode()
    receipt: Receipt = pickle.loads(done.stdout)
    assert looks(receipt) == looks(expected)
    assert replace(receipt, looks={}, seconds=0) == replace(expected, looks={}, seconds=0)
    away.store.refresh()
    assert vectors(away, list(receipt.computed)) == vectors(here, list(receipt.computed))


def test_units_in_a_row_share_what_they_find(paths: tuple[str, ...], tmp_path: Path) -> None:
    extractor = Extractor(TINY, tmp_path / "b")
    receipts: list[Receipt] = []
    counted: list[bool] = []
    units = [Work(()), Work(paths[:1]), Work(paths[1:3]), Work(paths[3:])]
    extractor.run(units, receipts.append, counted.append)
    assert sorted(len(receipt.digests) for receipt in receipts) == [0, 1, 2, 5]
    assert sorted(len(receipt.computed) for receipt in receipts) == [0, 0, 1, 5]
    assert sorted(counted) == [False] * 7 + [True] * 2
    one = Extractor(TINY, tmp_path / "one")
    keys = list(one.do(Work(paths)).computed)
    assert vectors(extractor, keys) == vectors(one, keys)


def test_a_photo_that_is_not_the_one_meant(paths: tuple[str, ...], tmp_path: Path) -> None:
    meant = digest_of(b"another photo")
    receipt = Extractor(TINY, tmp_path / "b").do(Work(paths[:1], {paths[0]: meant}))
    assert receipt.failed == {meant: "changed while this run was working; run again"}
    assert not receipt.digests and not receipt.computed and not receipt.unread
    later = Extractor(TINY, tmp_path / "b")
    later.store.refresh()
    assert not later.store.failed  # it may be that photo again


def test_a_look_is_taken_of_a_photo_whose_features_are_there(
    paths: tuple[str, ...], tmp_path: Path
) -> None:
    extractor = Extractor(TINY, tmp_path / "b")
    extractor.do(Work(paths))
    receipt = extractor.do(Work(paths, looks=True))
    assert not receipt.computed and len(receipt.looks) == 6


def pictures() -> Iterator[bytes]:
    rng = np.random.default_rng(0)
    for width, height in ((60, 90), (200, 140), (700, 500), (1200, 1600)):
        noise = rng.integers(0, 256, (height // 4, width // 4, 3), dtype=np.uint8)
        image = Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC)
        exif = Image.Exif()
        exif[0x0112] = 6
        for kind, more in (("PNG", {}), ("JPEG", {}), ("JPEG", {"exif": exif}), ("WEBP", {})):
            file = io.BytesIO()
            image.save(file, kind, **more)
            yield file.getvalue()


@pytest.mark.parametrize("side", [32, 64, 224])
def test_one_reading_gives_what_two_would(side: int, tmp_path: Path) -> None:
    for content in pictures():
        (tmp_path / "photo").write_bytes(content)
        reading = read_once(tmp_path / "photo", None, lambda *_: Wanted(Recipe(side, side), True))
        assert reading.digest == digest_of(content)
        assert reading.pixels is not None and reading.look is not None
        assert np.array_equal(reading.pixels, decode(content, Recipe(side, side)))
        alone = look_at(content)
        assert reading.look == alone


COUNTED = """
import collections, json, os, sys

root, opened = sys.argv.pop(1), collections.Counter()

def hook(event, arguments):
    if event == "open" and str(arguments[0]).startswith(root):
        frame = sys._getframe(1)
        while frame.f_code.co_filename.endswith(("photo_file.py", "files.py", "contextlib.py")):
            frame = frame.f_back
        opened[f"{frame.f_code.co_name} {arguments[0]}"] += 1

sys.addaudithook(hook)
from retrain.cli.main import main
try:
    main()
finally:
    with open("opened.json", "w") as file:
        json.dump(opened, file)
"""


def openings(root: Path, folder: Path) -> dict[str, Counter[str]]:
    """How often each photo was opened in a run with report and audit, by who opened it."""
    import json

    folder.mkdir(exist_ok=True)
    flags = ["--image_dir", str(root), "--tfhub_module", TINY, "--how_many_training_steps", "20",
             "--bottleneck_dir", str(folder / "b"), "--max_leaks", "99",
             "--summaries_dir="]  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", COUNTED, str(root), *flags], cwd=folder, capture_output=True
    )
    assert done.returncode == 0, done.stderr.decode()
    assert (folder / "report.html").exists()
    found: dict[str, Counter[str]] = {}
    for name, count in json.loads((folder / "opened.json").read_text()).items():
        who, path = name.split(" ", 1)
        found.setdefault(who, Counter())[path] = count
    return found


def test_a_run_with_report_and_audit_opens_each_photo_once(tmp_path: Path) -> None:
    root = write_colour_tree(tmp_path / "colours", photos=12)
    (root / "red" / "copy.png").write_bytes((root / "red" / "000.png").read_bytes())
    (root / "red" / "broken.png").write_bytes((root / "red" / "000.png").read_bytes()[:99])
    age(root)
    photos = {str(path): 1 for path in root.rglob("*.png")}
    first = openings(root, tmp_path / "work")
    assert first.pop("read_once") == photos  # digest, features and the audit's look
    # What is known at the end only: the photos that parity is checked with, the mistakes that are
    # explained, and those that the report shows. Each opens a photo once, whatever it shows of it.
    assert set(first) <= {"read_photo_again", "read_photo", "draw_photo"}, set(first)
    assert "draw_photo" in first and all(max(c.values()) == 1 for c in first.values())
    second = openings(root, tmp_path / "work")
    assert "read_once" not in second and "look" not in second


def test_it_is_public_and_light() -> None:
    assert retrain.Extractor is Extractor and retrain.Work is Work and retrain.Receipt is Receipt
    script = (
        "import sys, retrain; retrain.Extractor; "
        "print(sorted({'tensorflow', 'openvino', 'click'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr
    assert UNIT == 512
