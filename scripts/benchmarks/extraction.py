"""Photos to features: against the bound, retrain.py's way, Keras' way, full decoding."""

import io
import os
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.alternatives import KerasWay, RetrainPy
from benchmarks.bench import Bench, median, timed
from benchmarks.table import Row
from retrain.backbones.backbone import FEATURE_NODE, Backbone
from retrain.backbones.engines.engine import Engine, choose_engine
from retrain.backbones.engines.openvino import import_openvino
from retrain.data.decoding.decode import Recipe, decode
from retrain.features.extractor import Extractor, Work
from retrain.utils.prefetch import map_ahead

TARGETS = {  # against retrain.py's way, against Keras' way
    ("MobileNet v1", "f32"): (1.8, 2.0),
    ("MobileNet v1", "bf16"): (2.8, 3.5),
    ("Inception-v3-shaped", "f32"): (1.4, None),
    ("Inception-v3-shaped", "bf16"): (2.8, None),
}


def matrix_peak(precision: str) -> float:
    """GFLOP/s of a large matrix product: the best of OpenVINO's and, in f32, NumPy's."""
    ov = import_openvino()
    from openvino import opset13 as ops

    best = 0.0
    for size in (2048, 4096):
        values = np.random.default_rng(0).random((size, size), np.float32)
        given = ops.parameter([size, size], np.float32)
        product = ops.matmul(given, ops.constant(values), False, False)
        settings = {"INFERENCE_PRECISION_HINT": precision, "PERFORMANCE_HINT": "LATENCY"}
        compiled = ov.Core().compile_model(ov.Model([product], [given]), "CPU", settings)
        request = compiled.create_infer_request()
        ways: list[Callable[[], object]] = [partial(request.infer, {0: values}, share_inputs=True)]
        if precision == "f32":
            ways.append(partial(np.matmul, values, values))
        for way in ways:
            way()
            best = max(best, 2e-9 * size**3 / min(timed(way) for _ in range(5)))
    return best


def gflop_per_photo(backbone: Backbone) -> float:
    """Counted from the graph's convolutions and products; a multiply-add is two."""
    ov = import_openvino()
    model = ov.Core().read_model(backbone.graph_path)
    model = ov.Model([model.output(f"{FEATURE_NODE}:0")], model.get_parameters())
    model.reshape([1, backbone.info.height, backbone.info.width, 3])
    total = 0
    for node in model.get_ordered_ops():
        kind = node.get_type_name()
        if kind in ("Convolution", "GroupConvolution"):
            kernel = list(node.input(1).get_shape())
            taps = int(np.prod(kernel[-3:]))  # input channels of a group, height, width
            total += 2 * taps * int(np.prod(list(node.output(0).get_shape())))
        elif kind == "MatMul":
            total += 2 * int(np.prod(list(node.input(1).get_shape())))
    return total / 1e9


def peaks(bench: Bench) -> Iterator[Row]:
    """The engine on ready arrays against the machine's own peak."""
    backbone = bench.backbones["Inception-v3-shaped"]
    work = gflop_per_photo(backbone)
    pixels = ready_pixels(backbone, bench.some(20, 40))
    for precision in ("f32", "bf16"):
        engine = choose_engine("openvino", backbone, precision)
        run_all(engine, pixels[:4])
        found, machine = [], []
        for _ in range(bench.repeats):
            found.append(work * len(pixels) / timed(run_all, engine, pixels))
            machine.append(matrix_peak(precision))
        share = median([f / m for f, m in zip(found, machine, strict=True)])
        yield Row(
            f"engine on ready arrays, Inception-v3-shaped, {precision}",
            f"{median(found):.0f} GFLOP/s",
            f"large matrix product: {median(machine):.0f} GFLOP/s",
            f"{share:.0%}",
            ">= 90 %",
            share >= 0.9,
        )


def ready_pixels(backbone: Backbone, count: int) -> list[np.ndarray]:
    shape = (count, backbone.info.height, backbone.info.width, 3)
    return list(np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8))


def run_all(engine: Engine, pixels: list[np.ndarray]) -> None:
    for _ in engine.run(enumerate(pixels)):
        pass


def decode_all(photos: list[Path], recipe: Recipe) -> None:
    for _ in map_ahead(lambda photo: decode(photo.read_bytes(), recipe), photos):
        pass


def extract_all(photos: list[Path], warm: Extractor, folder: Path) -> None:
    """The whole path, from files to published shards, with an engine that has started."""
    extractor = Extractor(warm.backbone, folder, engine=warm.engine, precision=warm.precision)
    extractor._engine = warm._engine
    extractor.do(Work(tuple(map(str, photos))))


def extraction(bench: Bench) -> Iterator[Row]:
    keras = KerasWay(224)
    for name, backbone in bench.backbones.items():
        mobile = name == "MobileNet v1"
        photos = bench.spread(bench.some(150, 600) if mobile else bench.some(40, 120))
        some = photos[: max(len(photos) // 4, 20)]
        recipe = Recipe(backbone.info.height, backbone.info.width)
        tree = bench.subset("keras", len(photos))
        retrain_py = RetrainPy(backbone)
        retrain_py.extract(some[:3], bench.folder / "warm")
        if mobile:
            keras.extract(tree)
        extractors = {
            precision: Extractor(
                backbone, bench.folder / "warm", engine="openvino", precision=precision
            )
            for precision in ("f32", "bf16")
        }
        pixels = ready_pixels(backbone, len(photos))
        old: list[float] = []
        kept: list[float] = []
        ours: dict[str, list[float]] = {"f32": [], "bf16": []}
        bound: dict[str, list[float]] = {"f32": [], "bf16": []}
        for repeat in range(bench.repeats):
            text = bench.folder / f"text-{name}-{repeat}"
            old.append(len(some) / timed(retrain_py.extract, some, text))
            if mobile:
                kept.append(len(photos) / timed(keras.extract, tree))
            decoder = len(photos) / timed(decode_all, photos, recipe)
            for precision, extractor in extractors.items():
                store = bench.folder / f"store-{name}-{precision}-{repeat}"
                alone = len(photos) / timed(run_all, extractor._engine.get(), pixels)
                taken = timed(extract_all, photos, extractor, store)
                ours[precision].append(len(photos) / taken)
                bound[precision].append(1 / (1 / alone + 1 / decoder))
        shutil.rmtree(tree)
        for precision in ours:
            yield from _extraction_rows(name, precision, ours, bound, old, kept)


def _extraction_rows(
    name: str,
    precision: str,
    ours: dict[str, list[float]],
    bound: dict[str, list[float]],
    old: list[float],
    kept: list[float],
) -> Iterator[Row]:
    what = f"extraction, {name}, {precision}"
    found = f"{median(ours[precision]):.0f} photos/s"
    if name != "MobileNet v1":
        found = f"{median(ours[precision]):.1f} photos/s"
    against = [
        ("bound 1/(1/E + 1/D)", bound[precision], 0.85),
        ("retrain.py's way", old, TARGETS[name, precision][0]),
        ("Keras' way, f32", kept, TARGETS[name, precision][1]),
    ]
    for other, rates, target in against:
        if rates and target:
            ratio = median([a / b for a, b in zip(ours[precision], rates, strict=True)])
            said = f"{ratio:.0%}" if target < 1 else f"{ratio:.2f}x"
            wanted = f">= {target:.0%}" if target < 1 else f">= {target}x"
            alternative = f"{other}: {median(rates):.1f} photos/s"
            yield Row(what, found, alternative, said, wanted, ratio >= target)


def large_photos(bench: Bench) -> Iterator[Row]:
    """12 megapixels, as phones take them."""
    recipe = Recipe(224, 224)
    contents = []
    for photo in bench.spread(bench.some(6, 16)):
        with Image.open(photo) as image:
            large = image.convert("RGB").resize((4000, 3000), Image.Resampling.BICUBIC)
        buffer = io.BytesIO()
        large.save(buffer, "JPEG", quality=90)
        contents.append(buffer.getvalue())

    def full(content: bytes) -> np.ndarray:
        with Image.open(io.BytesIO(content)) as image:
            return np.asarray(image.convert("RGB").resize((224, 224), Image.Resampling.BILINEAR))

    def ours_of(content: bytes) -> np.ndarray:
        return decode(content, recipe)

    def each(work: Callable[[bytes], np.ndarray], contents: list[bytes]) -> None:
        for _ in map_ahead(work, contents):
            pass

    ours, theirs = [], []
    for _ in range(bench.repeats):
        theirs.append(len(contents) / timed(each, full, contents))
        ours.append(len(contents) / timed(each, ours_of, contents))
    ratio = median([a / b for a, b in zip(ours, theirs, strict=True)])
    yield Row(
        f"decoding 12-megapixel photos, {os.cpu_count()} threads",
        f"{median(ours):.0f} photos/s",
        f"full decoding: {median(theirs):.1f} photos/s",
        f"{ratio:.1f}x",
        ">= 3.5x",
        ratio >= 3.5,
    )
    engine = choose_engine("openvino", bench.backbones["MobileNet v1"], "f32")
    pairs = [(decode(content, recipe), full(content)) for content in contents]
    reduced = np.stack([v for _, v in engine.run(enumerate(pair[0] for pair in pairs))])
    whole = np.stack([v for _, v in engine.run(enumerate(pair[1] for pair in pairs))])
    norms = np.linalg.norm(reduced, axis=1) * np.linalg.norm(whole, axis=1)
    cosine = float(((reduced * whole).sum(axis=1) / norms).min())
    yield Row(
        "features of 12-megapixel photos, smallest cosine",
        f"{cosine:.4f}",
        "full decode's features",
        "",
        ">= 0.995",
        cosine >= 0.995,
    )
