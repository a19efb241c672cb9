"""`retrain inspect`: what any artefact says about itself."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import graph_kinds
import pytest
from conftest import Run
from graph_kinds import LABELS, SIZE

from retrain.artifacts.inspect.inspect import inspect_artefact
from retrain.artifacts.manifest import Manifest, manifest_text
from retrain.artifacts.tflite_metadata import TfliteMetadata, with_metadata
from retrain.data.decoding.decode import Recipe

WEIGHTS = graph_kinds.KERNEL.size + graph_kinds.BIAS.size + graph_kinds.HEAD.size


def facts(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.dumps(inspect_artefact(path).as_json()))
    return found


def test_our_own_graph(trained: Path, run: Run) -> None:
    graph = trained / "output_graph.pb"
    done = run("retrain", "inspect", graph)
    assert (done.returncode, done.stderr) == (0, "")
    rows = [line.split("  ", 1) for line in done.stdout.splitlines()]
    said = {word: text.strip() for word, text in rows}
    assert said["file"] == str(graph)
    assert said["format"] == "frozen TensorFlow graph"
    assert said["size"] == f"{graph.stat().st_size:,} bytes"
    assert said["input"] == "Placeholder: float32 [?, 128, 128, 3]"
    assert said["labels"] == "5: daisy, dandelion, roses, sunflowers, tulips"
    assert "mobilenet_v1_025_128" in said["backbone: name"]
    assert any(word.startswith("metrics: ") for word in said)
    assert any(word.startswith("training: ") for word in said)


def test_all_labels_when_asked(trained: Path, run: Run) -> None:
    done = run("retrain", "inspect", trained / "output_graph.pb", "--labels")
    assert "\nlabel 4" in done.stdout and "tulips\n" in done.stdout


def test_json_is_for_programs(trained: Path, run: Run) -> None:
    done = run("retrain", "inspect", "--json", trained / "output_graph.pb")
    found = json.loads(done.stdout)
    assert found["inputs"][0]["shape"] == [-1, 128, 128, 3]
    assert found["manifest"]["labels"] == found["labels"]
    assert found["signatures"] == []


def test_a_frozen_graph_of_another_tool(tmp_path: Path) -> None:
    graph_kinds.hub_script_graph(tmp_path / "hub.pb")
    found = facts(tmp_path / "hub.pb")
    assert found["parameters"] == WEIGHTS
    assert [port["name"] for port in found["inputs"]] == ["Placeholder"]
    assert found["outputs"] == [{"name": "final_result", "type": "float32", "shape": None}]
    assert found["labels"] is None and found["manifest"] is None


def test_saved_models(tmp_path: Path) -> None:
    graph_kinds.saved_model_tf1(tmp_path / "tf1")
    old = facts(tmp_path / "tf1")
    assert (old["format"], old["parameters"]) == ("SavedModel", WEIGHTS)
    assert old["bytes"] == sum(p.stat().st_size for p in (tmp_path / "tf1").rglob("*.*"))
    assert old["inputs"] == [{"name": "image", "type": "float32", "shape": [-1, SIZE, SIZE, 3]}]
    assert [port["name"] for port in old["outputs"]] == ["classes", "logits", "prediction"]
    graph_kinds.saved_model_two_signatures(tmp_path / "two" / "1")
    two = facts(tmp_path / "two")
    assert two["parameters"] == WEIGHTS  # of one signature, though both have them
    assert two["path"] == str(tmp_path / "two" / "1")
    by_name = {signature["name"]: signature for signature in two["signatures"]}
    assert set(by_name) == {"serving_default", "serving_bytes"}
    assert by_name["serving_bytes"]["inputs"] == [
        {"name": "image_bytes", "type": "string", "shape": [-1]}
    ]
    graph_kinds.keras_model().export(tmp_path / "keras", verbose=False)
    assert facts(tmp_path / "keras")["parameters"] == WEIGHTS + 5  # it has biases


@pytest.mark.parametrize("quantized", [False, True])
def test_tensorflow_lite(quantized: bool, tmp_path: Path) -> None:
    graph_kinds.saved_model_two_signatures(tmp_path / "two")
    plain = tmp_path / "plain.tflite"
    graph_kinds.tflite_file(plain, tmp_path / "two", quantized)
    found = facts(plain)
    kind = "uint8" if quantized else "float32"
    assert [port["type"] for port in found["inputs"] + found["outputs"]] == [kind, kind]
    assert found["inputs"][0]["shape"][1:] == [SIZE, SIZE, 3]
    assert found["parameters"] - WEIGHTS in ((0, 5) if quantized else (0,))  # zeros for biases
    assert found["labels"] is None
    manifest = Manifest(LABELS, "Placeholder", SIZE, SIZE, Recipe(SIZE, SIZE).text, "final_result")
    files = {"labels.txt": b"a\nb", "manifest.json": manifest_text(manifest).encode()}
    (tmp_path / "own.tflite").write_bytes(
        with_metadata(plain.read_bytes(), TfliteMetadata("m", 0, 255, files))
    )
    own = facts(tmp_path / "own.tflite")
    assert own["labels"] == list(LABELS) and own["manifest"]["input_node"] == "Placeholder"
    assert own["parameters"] == found["parameters"]


def test_onnx(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    make = onnx.helper
    weights = onnx.numpy_helper.from_array(graph_kinds.HEAD, "head")
    ends = [
        make.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
        for name, shape in (("features", ["n", 8]), ("scores", ["n", 5]))
    ]
    node = make.make_node("MatMul", ["features", "head"], ["scores"])
    graph = make.make_graph([node], "g", ends[:1], ends[1:], [weights])
    onnx.save(make.make_model(graph), tmp_path / "m.onnx")
    found = facts(tmp_path / "m.onnx")
    assert (found["format"], found["parameters"]) == ("ONNX", 40)
    assert found["inputs"] == [{"name": "features", "type": "float32", "shape": [-1, 8]}]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("labels.txt", b"daisy\nroses\n", "is not a frozen TensorFlow graph"),
        ("cut.tflite", b"\x20\0\0\0TFL3", "is cut off or damaged"),
        ("bad.onnx", b"no model", "is not a usable ONNX model"),
        ("missing.pb", None, "cannot read graph"),
        (".", None, "is no SavedModel: it holds no saved_model.pb"),
    ],
)
def test_what_is_no_artefact_is_said_in_one_line(
    name: str, content: bytes | None, said: str, run: Run, tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    done = run("retrain", "inspect", tmp_path / name)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("retrain inspect: ") and said in done.stderr, done.stderr
    assert done.stderr.count("\n") == 1


def test_neither_tensorflow_nor_openvino_is_imported(trained: Path) -> None:
    script = (
        "import sys; from retrain.artifacts.inspect.inspect import inspect_artefact as look; "
        "from pathlib import Path; look(Path(sys.argv[1])); "
        "print({'tensorflow', 'openvino'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, trained / "output_graph.pb"], capture_output=True, text=True
    )
    assert done.stdout == "set()\n", done.stderr
