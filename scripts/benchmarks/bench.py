"""What the measurements share: a place to work in, inputs made once, repeats."""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from PIL import Image

from retrain.backbones.backbone import Backbone
from retrain.backbones.bundled import DEFAULT_MODULE
from retrain.backbones.freeze.input_config import InputConfig
from retrain.backbones.sources.resolve import resolve

# A command as a process; its last word is the most memory it had beyond the page cache, in KB.
PROCESS = """
import importlib, sys, threading, time
def own():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("RssAnon"))
peak = [0]
def watch():
    while True:
        peak[0] = max(peak[0], own())
        time.sleep(0.05)
threading.Thread(target=watch, daemon=True).start()
try:
    importlib.import_module(sys.argv.pop(1)).main()
finally:
    print("PEAK", max(peak[0], own()), file=sys.stderr)
"""


@dataclass(frozen=True)
class Finished:
    """A whole process: wall seconds, peak memory beyond the page cache, what it printed."""

    seconds: float
    peak_mb: float
    stdout: str
    first_line_s: float


@dataclass
class Bench:
    folder: Path
    photos: Path
    quick: bool

    def __post_init__(self) -> None:
        os.environ["RETRAIN_CACHE_DIR"] = str(self.folder / "cache")

    @property
    def repeats(self) -> int:
        return 2 if self.quick else 3

    def some(self, quick: int, full: int) -> int:
        return quick if self.quick else full

    @cached_property
    def files(self) -> list[Path]:
        return sorted(self.photos.glob("*/*.jpg"))

    def spread(self, count: int) -> list[Path]:
        """`count` photos from all over the tree (fewer if it has fewer)."""
        step = max(len(self.files) / count, 1)
        return [self.files[int(n * step)] for n in range(min(count, len(self.files)))]

    def subset(self, name: str, count: int) -> Path:
        """A tree with copies of some photos, an hour old."""
        root = self.folder / name
        for photo in self.spread(count):
            target = root / photo.parent.name / photo.name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(photo, target)
        make_old(root)
        return root

    @cached_property
    def inception_folder(self) -> Path:
        """A SavedModel with Inception v3's layers and random weights."""
        from retrain.utils.tensorflow import import_tensorflow

        tf = import_tensorflow()
        tf.keras.utils.set_random_seed(0)
        network = tf.keras.applications.InceptionV3(
            weights=None, include_top=False, pooling="avg", input_shape=(299, 299, 3)
        )
        module = tf.Module()
        module.network = network
        spec = tf.TensorSpec([None, 299, 299, 3], tf.float32)
        module.__call__ = tf.function(
            lambda images: network(2 * images - 1, training=False), input_signature=[spec]
        )
        folder = self.folder / "inception_v3_shaped"
        tf.saved_model.save(module, str(folder))
        return folder

    @cached_property
    def backbones(self) -> dict[str, Backbone]:
        handles = {
            "MobileNet v1": DEFAULT_MODULE,
            "Inception-v3-shaped": str(self.inception_folder),
        }
        cache = self.folder / "cache" / "modules"
        return {name: resolve(handle, InputConfig(), cache) for name, handle in handles.items()}

    def run(self, command: str, *arguments: object) -> Finished:
        """Runs `retrain` or `label-image` as a process. Raises if it fails."""
        module = {"retrain": "retrain.cli.main", "label-image": "retrain.cli.label_image"}[command]
        words = [sys.executable, "-c", PROCESS, module, *map(str, arguments)]
        started = time.perf_counter()
        with tempfile.TemporaryFile() as errors:
            process = subprocess.Popen(
                words, cwd=self.folder, stdout=subprocess.PIPE, stderr=errors, text=True
            )
            assert process.stdout is not None
            first = process.stdout.readline()
            first_line_s = time.perf_counter() - started
            rest, _ = process.communicate()
            seconds = time.perf_counter() - started
            errors.seek(0)
            said = errors.read().decode()
        if process.returncode:
            raise RuntimeError(f"{words[3:]}: {said[-2000:]}")
        peak_kb = int(said.rsplit("PEAK ", 1)[1])
        return Finished(seconds, peak_kb / 1024, first + rest, first_line_s)


def timed(work: Callable[..., object], *arguments: object) -> float:
    """Wall seconds of one call."""
    started = time.perf_counter()
    work(*arguments)
    return time.perf_counter() - started


def median(values: Sequence[float]) -> float:
    return float(statistics.median(values))


def make_old(root: Path) -> None:
    then = time.time() - 3600
    for path in root.rglob("*"):
        if path.is_file():
            os.utime(path, (then, then))


def write_tiny_tree(root: Path, photos: int, classes: int = 4) -> Path:
    """Small pictures, no two alike, an hour old."""
    rng = np.random.default_rng(photos)
    for number in range(photos):
        folder = root / f"class{number % classes}"
        if number < classes:
            folder.mkdir(parents=True)
        pixels = rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:07}.bmp")
    make_old(root)
    return root
