"""The commands as functions of Python, and how notebooks show what they return."""

import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from conftest import TINY, write_colour_tree

import retrain
from retrain.commands.result import TrainResult
from retrain.errors import RetrainError, UsageFault

pytestmark = pytest.mark.slow  # one run for all


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tree = write_colour_tree(tmp_path_factory.mktemp("python") / "colours", 12)
    (tree / "red").rename(tree / "red <b>")
    (tree / "red <b>" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    return tree


@pytest.fixture(scope="module")
def result(tree: Path) -> TrainResult:
    return retrain.train(
        tree, tfhub_module=TINY, how_many_training_steps=50, summaries_dir=None,
        output_graph=tree.parent / "run/output_graph.pb", bottleneck_dir=tree.parent / "features",
    )  # fmt: skip


def looks_right(shown: Any, start: str) -> None:
    assert repr(shown).startswith(start) and len(repr(shown)) < 300 and "\n" not in repr(shown)
    html = shown._repr_html_()
    assert "<table>" in html and "<b>" not in html and "&lt;b&gt;" in html
    assert len(re.findall("<(?:table|tr|td|th|p)[ >]", html)) < 400


def test_a_result_is_short_and_a_notebook_shows_the_verdict(result: TrainResult) -> None:
    looks_right(result, f"<trained {result.places.graph.output_graph}: 100.0 % of ")
    html = result._repr_html_()
    assert "Use it: <code>label-image --graph" in html and 'href="file:///' in html


def test_evaluate_returns_and_writes_where_it_is_told(
    result: TrainResult, tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    graph = result.places.graph.output_graph
    judged = retrain.evaluate(graph, tree)
    looks_right(judged, "<evaluation: 100.0 % of ")
    assert judged.metrics.accuracy == 1.0 and not list(tmp_path.iterdir())
    retrain.evaluate(graph, tree, output_dir="judged")
    files = {path.name for path in (tmp_path / "judged").iterdir()}
    assert {"evaluation.json", "predictions.csv", "report.html"} <= files
    with pytest.raises(TypeError, match=r"input_widht \(did you mean width\?\)"):
        retrain.evaluate(graph, tree, input_widht=5)
    with pytest.raises(RetrainError, match="name another"):
        retrain.evaluate(graph, tree, output_dir=graph.parent)  # where the run's own files lie


def test_audit_returns_and_writes_where_it_is_told(
    result: TrainResult, tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = {"tfhub_module": TINY, "bottleneck_dir": tree.parent / "features"}
    audit = retrain.audit(tree, **settings)
    looks_right(audit, "<audit of 36 photos: ")
    assert not list(tmp_path.iterdir())
    assert retrain.audit(str(tree), output_dir="found", **settings) == audit
    assert {path.name for path in (tmp_path / "found").iterdir()} == {"audit.csv", "audit.json"}
    with pytest.raises(TypeError, match=r"bottleneck_dirs \(did you mean bottleneck_dir\?\)"):
        retrain.audit(tree, bottleneck_dirs="x")


def test_export_is_a_function_and_a_package(
    result: TrainResult, tree: Path, tmp_path: Path
) -> None:
    assert isinstance(retrain.export, ModuleType) and callable(retrain.export)
    graph = result.places.graph.output_graph
    (made,) = retrain.export(graph, tmp_path / "serving", image_dir=tree)
    assert made.kind == "SavedModel" and made.agrees
    assert (tmp_path / "serving/1/saved_model.pb").exists()
    with pytest.raises(UsageFault, match="int8 needs photos"):
        retrain.export(graph, [tmp_path / "a.tflite"], tflite_quantization="int8")
    with pytest.raises(UsageFault, match="are of one format"):
        retrain.export(graph, ["a.onnx", "b.onnx"])
