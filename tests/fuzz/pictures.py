"""Batches of damaged pictures through train, audit and label-image."""

import csv
import io
import random
import struct
from functools import cache
from pathlib import Path

import numpy as np
from conftest import TINY, age, write_picture
from PIL import Image

from fuzz.judge import Command, faults_of, files_and_reasons
from fuzz.mutations import mutated

BATCH = 20  # pictures in one


@cache
def originals() -> dict[str, bytes]:
    """Whole pictures of all formats that are read, by name."""
    rng = np.random.default_rng(5)
    smooth = np.linspace(0, 255, 48 * 40 * 3).reshape(40, 48, 3)
    colour = Image.fromarray((smooth + rng.normal(0, 9, smooth.shape)).clip(0, 255).astype("u1"))
    grey, clear = colour.convert("L"), colour.convert("RGBA")
    clear.putalpha(grey)
    deep = Image.fromarray(np.asarray(grey).astype("u2") * 257)
    exif = Image.Exif()
    exif[0x0112] = 6
    wanted: dict[str, tuple[Image.Image, dict[str, object]]] = {
        "baseline.jpg": (colour, {"exif": exif}),
        "progressive.jpg": (colour, {"progressive": True, "subsampling": 0}),
        "grey.jpg": (grey, {}),
        "cmyk.jpg": (colour.convert("CMYK"), {}),
        "colour.png": (colour, {}),
        "clear.png": (clear, {}),
        "palette.png": (colour.quantize(32), {"transparency": 3}),
        "bits.png": (grey.convert("1"), {}),
        "deep.png": (deep, {}),
        "still.gif": (colour.quantize(64), {}),
        "moving.gif": (colour.quantize(16),
                       {"save_all": True, "append_images": [grey.quantize(16)]}),
        "colour.bmp": (colour, {}),
        "palette.bmp": (colour.quantize(16), {}),
        "lossy.webp": (colour, {"quality": 70}),
        "lossless.webp": (clear, {"lossless": True}),
        "plain.tif": (colour, {}),
        "lzw.tif": (colour, {"compression": "tiff_lzw"}),
        "deflate.tif": (deep, {"compression": "tiff_adobe_deflate"}),
        "jpeg.tif": (colour, {"compression": "jpeg"}),
        "fax.tif": (grey.convert("1"), {"compression": "group4"}),
    }  # fmt: skip
    found = {}
    for name, (picture, options) in wanted.items():
        packed = io.BytesIO()
        kind = {"jpg": "JPEG", "tif": "TIFF"}.get(name[-3:], name.split(".")[1].upper())
        picture.save(packed, kind, **options)
        found[name] = packed.getvalue()
    return found


def damaged(seed: int) -> tuple[str, bytes]:
    """A name that says what was done, and the bytes."""
    rng = random.Random(seed)
    name, content = rng.choice(sorted(originals().items()))
    suffix = Path(name).suffix
    draw = rng.random()
    if draw < 0.1:
        other, second = rng.choice(sorted(originals().items()))
        cut = rng.randrange(1, len(content))
        content, done = content[:cut] + second[rng.randrange(len(second)) :], f"then-{other}"
    elif draw < 0.2:
        content, done = swapped_dimensions(content, rng), "dimensions"
    elif draw < 0.25:
        suffix, done = rng.choice((".jpg", ".png", ".bmp", ".gif", ".tif", ".webp")), "suffix"
    else:
        content, done = mutated(content, rng)
    return f"{seed:05}-{name}-{done}{suffix}", content


def swapped_dimensions(content: bytes, rng: random.Random) -> bytes:
    """Width and height (48, 40) change places, or one of them its value, wherever they stand."""
    values = rng.choice(((40, 48), (0, 40), (48, 0), (65535, 65535), (30000, 20000), (47, 41)))
    for form in (">HH", "<HH", ">II", "<II"):
        for pair, new in (((48, 40), values), ((40, 48), values[::-1])):
            content = content.replace(struct.pack(form, *pair), struct.pack(form, *new))
    return content


def hunt(batch: int, folder: Path, command: Command, *, audits: bool = True) -> list[str]:
    """What is wrong with how a batch of damaged pictures is taken."""
    tree = folder / "tree"
    for number, name in enumerate(("first", "second")):
        for photo in range(4):
            write_picture(tree / name / f"good{photo}.png", (60 + 120 * number, 90, 90), photo)
    made = dict(damaged(seed) for seed in range(batch * BATCH, (batch + 1) * BATCH))
    for number, (name, content) in enumerate(made.items()):
        (tree / ("first", "second")[number % 2] / name).write_bytes(content)
    age(tree)
    common = ("--image_dir", tree, "--tfhub_module", TINY, "--bottleneck_dir", folder / "kept")
    report = () if audits else ("--no-report",)  # it has an audit, too
    train = command("retrain", *common, "--how_many_training_steps", 3, "--summaries_dir", "",
                    *report)  # fmt: skip
    faults = faults_of("train", train, codes=(0,))
    labels = command("label-image", "--graph", "output_graph.pb", "--format", "csv", tree)
    faults += faults_of("label-image", labels, codes=(0, 1))
    if audits:
        faults += faults_of("audit", command("retrain", "audit", *common), codes=(0, 3))
    if faults:
        return faults
    listed = folder / "set_aside.csv"
    aside = files_and_reasons(listed.read_text()) if listed.exists() else {}
    rows = {Path(row["path"]).relative_to(tree).as_posix(): row
            for row in csv.DictReader(io.StringIO(labels.stdout))}  # fmt: skip
    for path in sorted(tree.rglob("*.*")):
        name = path.relative_to(tree).as_posix()
        row = rows.pop(name, None)
        if row is None:
            faults.append(f"label-image: no row for {name}")
        elif bool(row["error"]) == bool(row["label"]):
            faults.append(f"label-image: neither label nor reason, or both: {row}")
        elif (name in aside) != bool(row["error"]):
            faults.append(f"{name}: {aside.get(name, 'trained on')!r}, but {row['error']!r}")
        elif name in aside and not aside[name].strip():
            faults.append(f"train: set aside without a reason: {name}")
    return faults + [f"label-image: a row for {name}" for name in rows]
