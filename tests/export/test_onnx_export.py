"""ONNX files that are made of a frozen graph."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import EXAMPLE_FLOWERS, TINY, Run

from retrain.artifacts.graphdef import read_graph
from retrain.artifacts.manifest import Manifest, find_manifest
from retrain.artifacts.onnx import read_onnx
from retrain.backbones.bundled import bundled_backbone
from retrain.errors import RetrainError
from retrain.export.frozen_graph import graph_bytes
from retrain.export.onnx import onnx_from_graph
from retrain.inference.spec.resolve import onnx_manifest
from retrain.training.head import Head

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def manifest(trained: Path) -> Manifest:
    found = find_manifest(read_graph(trained / "output_graph.pb"))
    assert found is not None
    return found


@pytest.fixture(scope="module")
def made(trained: Path, manifest: Manifest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("onnx") / "model.onnx"
    path.write_bytes(onnx_from_graph((trained / "output_graph.pb").read_bytes(), manifest))
    return path


def test_ends_and_manifest_are_the_graphs(made: Path, manifest: Manifest) -> None:
    model = read_onnx(made)
    (source,), (result,) = model.graph.input, model.graph.output

    def shape(value: object) -> list[object]:
        return [each.dim_value or each.dim_param for each in value.type.tensor_type.shape.dim]  # type: ignore[attr-defined]

    assert (source.name, shape(source)) == ("Placeholder", ["n", 128, 128, 3])
    assert (result.name, shape(result)) == ("final_result", ["n", 5])
    assert onnx_manifest(made) == manifest


def test_the_same_graph_gives_the_same_bytes(made: Path, trained: Path, manifest: Manifest) -> None:
    again = onnx_from_graph((trained / "output_graph.pb").read_bytes(), manifest)
    assert again == made.read_bytes()


def test_label_image_reads_it(made: Path, trained: Path, run: Run) -> None:
    photo = sorted(EXAMPLE_FLOWERS.glob("tulips/*.jpg"))[0]
    of_graph = run("label-image", "--graph", trained / "output_graph.pb", photo)
    of_onnx = run("label-image", "--graph", made, photo)
    assert of_onnx.returncode == 0, of_onnx.stderr
    assert of_onnx.stdout.splitlines()[0].split(" (")[0] == "tulips"
    scores = [
        [float(line.split("score=")[1][:-1]) for line in done.stdout.splitlines()]
        for done in (of_graph, of_onnx)
    ]
    assert scores[0] == pytest.approx(scores[1], abs=1e-4)


def test_another_output_name_is_kept(trained: Path, manifest: Manifest, tmp_path: Path) -> None:
    backbone = read_graph(bundled_backbone(TINY).graph_path)
    head = Head(np.zeros((256, 5), np.float32), np.zeros(5, np.float32))
    named = replace(manifest, output_node="my/answer")
    path = tmp_path / "named.onnx"
    path.write_bytes(onnx_from_graph(graph_bytes(backbone, head, named), named))
    assert [each.name for each in read_onnx(path).graph.output] == ["my/answer"]


def test_a_missing_converter_is_named(
    trained: Path, manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "tf2onnx.convert", raising=False)
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    with pytest.raises(RetrainError, match=r'pip install "retrain\[onnx\]"'):
        onnx_from_graph((trained / "output_graph.pb").read_bytes(), manifest)
