"""A run that misses a gate replaces nothing: its files lie beside those of the earlier run."""

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import TINY, write_colour_tree

import retrain
from retrain.commands.verdict import verdict_of_run
from retrain.config import TrainConfig
from retrain.errors import GateFault, UsageFault
from retrain.export.config import rejected

QUICK: dict[str, Any] = {
    "tfhub_module": TINY, "how_many_training_steps": 30, "testing_percentage": 40,
    "summaries_dir": None, "report": False,
}  # fmt: skip
UNTRAINED = {**QUICK, "how_many_training_steps": 0}


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_colour_tree(tmp_path_factory.mktemp("release") / "colours")


@pytest.fixture(scope="module")
def yesterday(
    tree: Path, tmp_path_factory: pytest.TempPathFactory, session_cache: Path
) -> dict[str, bytes]:
    """The files of a good run, by name."""
    folder = tmp_path_factory.mktemp("yesterday")
    result = retrain.train(tree, **QUICK, output_dir=folder,
                           bottleneck_dir=session_cache / "bottlenecks")  # fmt: skip
    assert result.fault is None and result.assessment.metrics.accuracy == 1.0
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize(
    ("gate", "said"),
    [
        ({"assert_accuracy": 0.9, "assert_recall": [("red", 0.9), ("blue", 0.9), ("green", 0.9)]},
         r"accuracy is 0\.\d+ \(N=\d+\), --assert_accuracy 0.9; recall of "),
        ({"compare_with": "output_graph.pb", "assert_not_worse": True},
         r"worse than .*output_graph.pb on the same \d+ test photos "
         r"\(\d\d.\d% instead of 100.0%, p = .*\), --assert_not_worse"),
    ],
)  # fmt: skip
def test_a_missed_gate_replaces_nothing(
    gate: dict[str, Any], said: str, tree: Path, yesterday: dict[str, bytes], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    for name, content in yesterday.items():
        (tmp_path / name).write_bytes(content)
    monkeypatch.chdir(tmp_path)
    result = retrain.train(tree, **UNTRAINED, **gate)
    assert {name: (tmp_path / name).read_bytes() for name in yesterday} == yesterday
    made = {path.name for path in tmp_path.iterdir()} - yesterday.keys()
    assert made == {str(rejected(Path(name))) for name in yesterday}
    assert isinstance(result.fault, GateFault)
    with pytest.raises(GateFault, match=said):
        raise result.fault
    assert str(result.fault).endswith(
        f"; nothing was replaced, the new files have names like {tmp_path}/output_graph.rejected.pb"
    )
    facts = json.loads((tmp_path / "evaluation.rejected.json").read_text())
    assert facts["missed"] == str(result.fault)
    assert not any(
        "label-image" in step.command for step in verdict_of_run(result.places, result).steps
    )
    assert caplog.records[-1].message == str(result.fault)  # Python's users are told, too
    assert retrain.load("output_graph.rejected.pb").label([tree / "red/000.png"])


def test_a_run_as_good_as_the_earlier_passes(
    tree: Path, yesterday: dict[str, bytes], tmp_path: Path
) -> None:
    """The earlier graph stands where the new one goes, as in a job that runs each night."""
    graph = tmp_path / "output_graph.pb"
    graph.write_bytes(yesterday["output_graph.pb"])
    result = retrain.train(tree, **{**QUICK, "seed": 1}, output_graph=graph,
                           compare_with=graph, assert_not_worse=True)  # fmt: skip
    assert result.fault is None and result.comparison is not None
    assert graph.read_bytes() != yesterday["output_graph.pb"]
    assert not list(tmp_path.glob("*rejected*"))


def test_every_file_of_a_run_has_a_name_beside() -> None:
    config = TrainConfig.from_flat(
        "photos", output_graph="deep/x.pb", report_file="r.html", saved_model_dir="serving",
        tflite_output_file="phone/f.tflite", onnx_output_file="f.onnx",
    ).rejected()  # fmt: skip
    found = [config.graph.output_graph, config.graph.output_labels, config.page,
             config.graph.beside("run.json"), config.exports.tflite_output_file,
             config.exports.onnx_output_file]  # fmt: skip
    assert list(map(str, found)) == [
        "deep/x.rejected.pb", "deep/x_labels.rejected.txt", "r.rejected.html",
        "deep/x_run.rejected.json", "phone/f.rejected.tflite", "f.rejected.onnx",
    ]  # fmt: skip
    # A server takes whatever lies among the versions of a SavedModel.
    assert config.exports.saved_model_dir == Path("serving_rejected").absolute()
    bare = TrainConfig.from_flat("photos", output_graph="g").rejected().graph
    assert [bare.output_graph, bare.beside("run.json")] == [
        Path("g_rejected"), Path("g_run.rejected.json")
    ]  # fmt: skip
    version = TrainConfig.from_flat("photos", saved_model_dir="serving/7").rejected()
    assert version.exports.saved_model_dir == Path("serving_rejected").absolute()


def test_a_comparison_needs_the_earlier_graph() -> None:
    with pytest.raises(UsageFault, match="--assert_not_worse needs --compare_with"):
        TrainConfig.from_flat("photos", assert_not_worse=True)
