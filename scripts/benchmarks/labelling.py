"""`label-image`: one photo, and a thousand."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.bench import Bench, median, timed
from benchmarks.extraction import decode_all, ready_pixels, run_all
from benchmarks.table import Row
from retrain.artifacts.graphdef import read_graph
from retrain.artifacts.manifest import Manifest
from retrain.backbones.backbone import INPUT_NODE, Backbone
from retrain.backbones.engines.engine import choose_engine
from retrain.data.decoding.decode import Recipe
from retrain.export.frozen_graph import graph_bytes
from retrain.training.head import Head

LIMITS_S = {"MobileNet v1": 0.6, "Inception-v3-shaped": 1.5}


def write_graph(bench: Bench, name: str, backbone: Backbone) -> Path:
    """An exported graph with a head of random weights for five classes."""
    info = backbone.info
    weights = np.random.default_rng(0).normal(0, 0.01, (info.feature_width, 5))
    head = Head(weights.astype(np.float32), np.zeros(5, np.float32))
    manifest = Manifest(
        labels=tuple("abcde"),
        input_node=INPUT_NODE,
        height=info.height,
        width=info.width,
        recipe=Recipe(info.height, info.width).text,
        output_node="final_result",
    )
    path = bench.folder / f"{name}.pb"
    path.write_bytes(graph_bytes(read_graph(backbone.graph_path), head, manifest))
    return path


def label_one(bench: Bench) -> Iterator[Row]:
    photo = bench.spread(1)[0]
    for name, backbone in bench.backbones.items():
        graph = write_graph(bench, name, backbone)
        new = bench.run("label-image", "--graph", graph, photo).seconds
        runs = [bench.run("label-image", "--graph", graph, photo) for _ in range(7)]
        seconds = median([run.seconds for run in runs])
        yield Row(
            f"label-image, one photo, {name}",
            f"{seconds:.2f} s whole process",
            f"a graph it sees for the first time: {new:.2f} s",
            "",
            f"<= {LIMITS_S[name]} s",
            seconds <= LIMITS_S[name],
        )


def label_folder(bench: Bench) -> Iterator[Row]:
    backbone = bench.backbones["MobileNet v1"]
    graph = write_graph(bench, "folder", backbone)
    photos = bench.spread(bench.some(200, 1000))
    recipe = Recipe(backbone.info.height, backbone.info.width)
    engine = choose_engine("openvino", backbone, "f32")
    pixels = ready_pixels(backbone, len(photos))
    folder = bench.subset("labelled", len(photos))
    shares, rates, bounds, first, tables = [], [], [], [], []
    for _ in range(bench.repeats):
        decoder = len(photos) / timed(decode_all, photos, recipe)
        alone = len(photos) / timed(run_all, engine, pixels)
        run = bench.run("label-image", "--graph", graph, "--top_k", 1, *photos)
        rates.append(len(photos) / (run.seconds - run.first_line_s))
        bounds.append(1 / (1 / alone + 1 / decoder))
        shares.append(rates[-1] / bounds[-1])
        first.append(run.first_line_s)
        table = bench.run("label-image", "--graph", graph, "--format", "csv", folder)
        tables.append(len(photos) / (table.seconds - table.first_line_s))
    share = median(shares)
    yield Row(
        f"label-image, {len(photos)} photos, after the first row",
        f"{median(rates):.0f} photos/s",
        f"bound 1/(1/E + 1/D): {median(bounds):.0f} photos/s",
        f"{share:.0%}",
        ">= 85 %",
        share >= 0.85,
    )
    yield Row(
        f"label-image, {len(photos)} photos, first row",
        f"{median(first):.2f} s after the start",
        "",
        "",
        "<= 1 s",
        median(first) <= 1.0,
    )
    share = median([rate / bound for rate, bound in zip(tables, bounds, strict=True)])
    yield Row(
        f"label-image --format csv, a folder of {len(photos)} photos, after its first line",
        f"{median(tables):.0f} photos/s",
        f"bound 1/(1/E + 1/D): {median(bounds):.0f} photos/s",
        f"{share:.0%}",
        ">= 85 %",
        share >= 0.85,
    )
