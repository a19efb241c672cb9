"""Whole runs of `retrain` when features are cached, and how their time grows with the work."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.alternatives import RetrainPy, retrain_py_steps
from benchmarks.bench import Bench, Finished, make_old, median, timed, write_tiny_tree
from benchmarks.table import Row
from retrain.features.matrix import FeatureMatrix
from retrain.training.head import Head
from retrain.training.sgd import SgdSettings, train_head

STEPS = 4000
TINY = ("--tfhub_module", "mobilenet_v1_025_128")


def train_on(features: np.ndarray, classes: int, steps: int, interval: int = 10) -> float:
    """Seconds for the steps, evaluations included."""
    rows = np.arange(len(features))
    labels = (rows % classes).astype(np.int32)
    matrix = FeatureMatrix([features], np.zeros_like(rows), rows, width=features.shape[1])
    settings = SgdSettings(steps, 0.01, 100, 100, interval, "balanced", 0)
    cut = len(rows) // 10
    seconds = timed(
        train_head,
        matrix,
        labels,
        rows[cut:],
        rows[:cut],
        classes,
        settings,
        _ignore,
        _ignore,
    )
    return seconds


def _ignore(*_: object) -> None:
    pass


def second_run(bench: Bench) -> Iterator[Row]:
    with_page = ("--image_dir", bench.photos, "--output_graph", "second.pb")
    arguments = (*with_page, "--no-report")
    audited = bench.run("retrain", *with_page).seconds
    plain, reported = [], []
    for _ in range(bench.repeats + 1):
        plain.append(bench.run("retrain", *arguments).seconds)
        reported.append(bench.run("retrain", *with_page).seconds)
        plain.append(bench.run("retrain", *arguments).seconds)
    seconds, added = median(plain), median(reported) - median(plain)
    yield Row(
        f"second run, {len(bench.files)} photos cached, {STEPS} steps, export, parity check",
        f"{seconds:.2f} s whole process",
        "",
        "",
        "<= 2.0 s (reach for 1.5)",
        seconds <= 2.0,
    )
    yield Row(
        "the same with its report",
        f"{median(reported):.2f} s whole process",
        f"first run of all: {audited:.1f} s",
        f"+{added:.2f} s",
        "<= +3 s",
        added <= 3.0,
    )
    features = np.random.default_rng(0).random((1000, 1024), np.float32)
    retrain_py = RetrainPy(bench.backbones["MobileNet v1"])
    files = retrain_py.extract(bench.spread(100), bench.folder / "steps-text")
    labels = (np.arange(len(files)) % 5).astype(np.int32)
    steps = bench.some(10, 20)
    ours, theirs = [], []
    for _ in range(bench.repeats):
        ours.append(train_on(features, 5, STEPS) / STEPS)
        head = Head(np.zeros((1024, 5), np.float32), np.zeros(5, np.float32))
        theirs.append(timed(retrain_py_steps, files, labels, head, steps, 100, 0.01) / steps)
    ratio = median([b / a for a, b in zip(ours, theirs, strict=True)])
    yield Row(
        "a step of 100 on 1024 features, 5 classes, evaluation every 10",
        f"{median(ours) * 1e3:.3f} ms",
        f"retrain.py's way: {median(theirs) * 1e3:.1f} ms",
        f"{ratio:.0f}x",
        ">= 50x",
        ratio >= 50,
    )


def many_classes(bench: Bench) -> Iterator[Row]:
    features = np.random.default_rng(0).random((20_000, 2048), np.float32)
    weights = np.random.default_rng(1).random((2048, 257), np.float32)
    gradient = np.random.default_rng(2).random((100, 257), np.float32)
    batch = features[:100]
    steps = bench.some(100, 400)

    def products() -> None:
        for _ in range(steps):
            np.matmul(batch, weights)
            np.matmul(batch.T, gradient)

    products()
    ours, peak = [], []
    for _ in range(bench.repeats):
        peak.append(timed(products))
        ours.append(train_on(features, 257, steps, interval=steps))
    share = median([p / o for p, o in zip(peak, ours, strict=True)])
    yield Row(
        "a step of 100 on 2048 features, 257 classes, 20,000 vectors",
        f"{median(ours) / steps * 1e3:.2f} ms",
        f"its two matrix products alone: {median(peak) / steps * 1e3:.2f} ms",
        f"{share:.0%}",
        ">= 60 %",
        share >= 0.6,
    )


def added_photos(bench: Bench) -> Iterator[Row]:
    """New photos beside 1,000 cached ones."""
    count = bench.some(200, 1000)
    tree = bench.subset("growing", count)
    arguments = ("--image_dir", tree, "--output_graph", "growing.pb", "--no-report")
    bench.run("retrain", *arguments)
    base = median([bench.run("retrain", *arguments).seconds for _ in range(bench.repeats)])
    for added in (1, 10, 100):
        made = _changed_copies(bench, tree, added)
        seconds = bench.run("retrain", *arguments).seconds
        yield Row(
            f"{added} new among {count} cached photos",
            f"{seconds:.2f} s whole process",
            f"none new: {base:.2f} s",
            f"+{seconds - base:.2f} s",
            "",
            None,
        )
        for path in made:
            path.unlink()
    shutil.rmtree(tree)


ALL_DISTORTIONS = (
    "--flip_left_right", "--random_crop", 10, "--random_scale", 10, "--random_brightness", 10,
    "--random_rotation", 10, "--random_erase", 10, "--color_jitter", 10, "--distortion_copies", 4,
)  # fmt: skip


def distorted(bench: Bench) -> Iterator[Row]:
    """Four distorted copies of each photo against a tree with five times the photos."""
    count = bench.some(200, 1000)
    tree, larger = bench.subset("once", count), bench.subset("five-times", count)
    for turn in range(4):
        _changed_copies(bench, larger, count, f"turn {turn}")
    fast = (*TINY, "--no-report", "--summaries_dir", "", "--testing_percentage", 0,
            "--validation_percentage", 0)  # fmt: skip
    with_copies = ("--image_dir", tree, *fast, *ALL_DISTORTIONS, "--output_graph", "copies.pb")
    plain = ("--image_dir", larger, *fast, "--output_graph", "larger.pb")
    first = bench.run("retrain", *with_copies).seconds
    bench.run("retrain", *plain)
    ours, theirs = [], []
    for _ in range(bench.repeats):
        ours.append(bench.run("retrain", *with_copies).seconds)
        theirs.append(bench.run("retrain", *plain).seconds)
    ratio = median([a / b for a, b in zip(ours, theirs, strict=True)])
    yield Row(
        f"second run with all distortions, 4 copies of {count} photos",
        f"{median(ours):.2f} s whole process; the first: {first:.1f} s",
        f"{5 * count} photos, undistorted: {median(theirs):.2f} s",
        f"{ratio:.2f}x the time",
        "<= 1.1x",
        ratio <= 1.1,
    )
    shutil.rmtree(tree)
    shutil.rmtree(larger)


def _changed_copies(bench: Bench, tree: Path, count: int, mark: str = "") -> list[Path]:
    """Photos with other bytes: JPEG ignores what follows its end."""
    made = []
    for number, photo in enumerate(bench.spread(count)):
        path = tree / photo.parent.name / f"new-{count}-{mark}-{photo.name}"
        path.write_bytes(photo.read_bytes() + f"{count} {number} {mark}".encode())
        made.append(path)
    make_old(tree)
    return made


def growth(bench: Bench) -> Iterator[Row]:
    """First and second runs on trees ten times larger each time; memory of the first runs."""
    sizes = (1000, 3000) if bench.quick else (1000, 10_000, 100_000)
    first: list[Finished] = []
    for size in sizes:
        tree = write_tiny_tree(bench.folder / f"tiny-{size}", size)
        arguments = ("--image_dir", tree, *TINY, "--output_graph", "tiny.pb", "--no-report")
        first.append(bench.run("retrain", *arguments, "--how_many_training_steps", 100))
        seconds = median([bench.run("retrain", *arguments).seconds for _ in range(bench.repeats)])
        yield Row(
            f"second run, {size:,} vectors of 256",
            f"{seconds:.2f} s whole process",
            f"first run: {first[-1].seconds:.1f} s",
            "",
            "",
            None,
        )
    growth_mb = first[-1].peak_mb - first[0].peak_mb
    per_photo = growth_mb * 1024 / (sizes[-1] - sizes[0])
    yield Row(
        f"a first run of {sizes[0]:,} and of {sizes[-1]:,} photos, memory beyond the page cache",
        f"{first[0].peak_mb:.0f} and {first[-1].peak_mb:.0f} MB",
        "a photo's feature vector: 1 KB; its name, digest and time: the rest",
        f"{per_photo:.1f} KB a photo",
        "flat (<= 4 KB a photo)",
        per_photo <= 4,
    )
