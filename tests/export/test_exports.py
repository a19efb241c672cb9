"""Exports of a run and of a finished graph: made, checked by their own runtimes, described."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import EXAMPLE_FLOWERS, REPO, TINY, Run
from run_commands import run_command

from retrain.artifacts.graphdef import read_graph
from retrain.artifacts.manifest import Manifest, find_manifest, parse_manifest
from retrain.data.decoding.decode import Recipe, decode
from retrain.errors import ParityFault, UsageFault
from retrain.export.config import ExportConfig, rejected
from retrain.export.export import Export, check_agreement
from retrain.export.formats import FLOAT16, INT8
from retrain.export.model_card import model_card
from retrain.export.parity import Parity
from retrain.inference.classifier import open_classifier
from retrain.inference.spec.resolve import describe_graph

pytestmark = pytest.mark.slow

FAST = ("--tfhub_module", TINY, "--how_many_training_steps", 200, "--summaries_dir", "")

# What somebody else's program does with a file, knowing nothing of retrain: from `path` and
# `pixels` to `scores`.
RUNTIMES = {
    "saved_model": """
import tensorflow as tf
serve = tf.saved_model.load(path).signatures["serving_default"]
scores = serve(image=tf.constant(pixels))["prediction"].numpy()
""",
    "tflite": """
from ai_edge_litert.interpreter import Interpreter
interpreter = Interpreter(path)
interpreter.allocate_tensors()
(source,), (result,) = interpreter.get_input_details(), interpreter.get_output_details()
scores = []
for picture in pixels:
    interpreter.set_tensor(source["index"], picture[None])
    interpreter.invoke()
    scores.append(interpreter.get_tensor(result["index"])[0])
scores = np.array(scores)
""",
    "onnx": """
import onnxruntime
session = onnxruntime.InferenceSession(path)
scores = session.run(["final_result"], {"Placeholder": pixels})[0]
""",
}


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory, session_cache: Path) -> Path:
    """The folder of one run that wrote every format."""
    folder = tmp_path_factory.mktemp("exported")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RETRAIN_CACHE_DIR", str(session_cache))
        done = run_command(
            "retrain", "--image_dir", EXAMPLE_FLOWERS, *FAST, "--saved_model_dir", "serving",
            "--tflite_output_file", "f.tflite", "--onnx_output_file", "onnx/f.onnx", cwd=folder,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (folder / "stdout").write_text(done.stdout)
    (folder / "stderr").write_text(done.stderr)
    return folder


def artefacts_of(folder: Path) -> dict[str, Path]:
    return {
        "saved_model": folder / "serving/1",
        "tflite": folder / "f.tflite",
        "onnx": folder / "onnx/f.onnx",
    }


def test_all_exports_of_a_run_agree_in_their_own_runtimes(exported: Path) -> None:
    photos = sorted(EXAMPLE_FLOWERS.glob("*/*.jpg"))[::12]
    graph = exported / "output_graph.pb"
    spec = describe_graph(graph)
    pictures = [decode(photo.read_bytes(), spec.recipe) for photo in photos]
    pixels = np.stack(pictures).astype(np.float32) / 255
    expected = np.stack([s for _, s in open_classifier(graph, spec).scores(enumerate(pictures))])
    for kind, path in artefacts_of(exported).items():
        names = {"np": np, "path": str(path), "pixels": pixels}
        exec(RUNTIMES[kind], names)
        np.testing.assert_allclose(names["scores"], expected, atol=1e-4)


def test_the_run_says_that_they_agree(exported: Path) -> None:
    said = (exported / "stderr").read_text()
    for kind in ("SavedModel", "TFLite float32", "ONNX"):
        assert f"Checked {kind}: 19 of 19 test photos get the graph's answer" in said, said
    page = (exported / "report.html").read_text()
    assert page.count("test photos get the graph") >= 3
    written = (exported / "stdout").read_text()
    for path in artefacts_of(exported).values():
        assert str(path) in written


def test_labels_manifest_and_model_card_lie_beside_each(exported: Path) -> None:
    graph = find_manifest(read_graph(exported / "output_graph.pb"))
    places = {exported: 1, exported / "onnx": 1, exported / "serving/1/assets.extra": 1}
    for folder, files in places.items():
        labels = (folder / "labels.txt").read_text().splitlines()
        assert labels == ["daisy", "dandelion", "roses", "sunflowers", "tulips"]
        assert parse_manifest((folder / "manifest.json").read_text()) == graph
        card = (folder / "MODEL_CARD.md").read_text()
        assert card.count("get the graph's answer") == files
        assert "Licence of its weights: Apache-2.0" in card
        assert "95 % interval" in card and "\n## Limits\n" in card


def test_a_second_export_adds_a_version(exported: Path, run: Run) -> None:
    serving = exported / "serving"
    done = run("retrain", "export", "--graph", exported / "output_graph.pb", "--to", serving)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"SavedModel: {serving / '2'}\n"
    assert sorted(path.name for path in serving.iterdir()) == ["1", "2"]
    assert (serving / "1/saved_model.pb").is_file() and (serving / "2/saved_model.pb").is_file()


@pytest.mark.parametrize("quantization", [FLOAT16, INT8])  # of all four: test_runtimes.py
def test_a_finished_graph_is_exported(
    quantization: str, exported: Path, run: Run, tmp_path: Path
) -> None:
    done = run("retrain", "export", "--graph", exported / "output_graph.pb", "--to", "a/q.tflite",
               "--tflite_quantization", quantization, "--image_dir", EXAMPLE_FLOWERS)  # fmt: skip
    assert done.returncode == 0, done.stderr
    path = tmp_path / "work/a/q.tflite"
    assert done.stdout == f"TFLite {quantization}: {path}\n"
    assert f"of 88 photos in {EXAMPLE_FLOWERS} get the graph's answer" in done.stderr
    assert quantization in (path.parent / "MODEL_CARD.md").read_text()
    assert (path.parent / "labels.txt").is_file() and (path.parent / "manifest.json").is_file()


def test_several_formats_without_photos(exported: Path, run: Run, tmp_path: Path) -> None:
    done = run("retrain", "export", "--graph", exported / "output_graph.pb", "--to", "x.onnx",
               "--to", "x.tflite", "--to", "x")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("3 of 3 test pictures get the graph's answer") == 3
    assert (tmp_path / "work/x/1/saved_model.pb").is_file()


def test_what_answers_otherwise_ends_with_4(run: Run, tmp_path: Path) -> None:
    # A head that is hardly trained: the scores of all classes are nearly the same, and int8 cannot
    # tell them apart.
    (tmp_path / "work" / "serving").mkdir(parents=True)
    (tmp_path / "work" / "q.tflite").write_bytes(b"yesterday's")
    done = run("retrain", "--image_dir", EXAMPLE_FLOWERS, *FAST, "--how_many_training_steps", 3,
               "--learning_rate", 1e-4, "--no-calibration", "--no-report", "--tflite_output_file",
               "q.tflite", "--tflite_quantization", "int8", "--saved_model_dir", "serving",
               "--parity_min_agreement", 1)  # fmt: skip
    assert done.returncode == 4, done.stderr
    work = tmp_path / "work"
    line = done.stderr.splitlines()[-1]
    assert line.startswith(f"retrain: {work}/q.rejected.tflite (TFLite int8) gives the graph's")
    assert "test photos, --parity_min_agreement 1; nothing was replaced, the new files" in line
    assert (work / "q.tflite").read_bytes() == b"yesterday's"
    assert [path.name for path in (work / "serving").iterdir()] == []
    assert (work / "serving_rejected/1/saved_model.pb").is_file()
    for name in ("q.tflite", "labels.txt", "manifest.json", "MODEL_CARD.md", "output_graph.pb",
                 "output_labels.txt", "evaluation.json"):  # fmt: skip
        assert rejected(work / name).is_file()
        assert (work / name).exists() == (name == "q.tflite")


def test_least_agreement_depends_on_the_numbers() -> None:
    def made(agree: int, least: float) -> Export:
        return Export("ONNX", Path("x.onnx"), 1, "test photos", Parity(100, agree, 0.1), least)

    wanted = ExportConfig(Path("s"), Path("t.tflite"), "int8")
    assert [wanted.least(target) for target in wanted.targets()] == [1.0, 0.97]
    check_agreement([made(100, 1.0), made(97, 0.97)])
    with pytest.raises(ParityFault, match="only 99 of 100.*only 96 of 100"):
        check_agreement([made(99, 1.0), made(100, 1.0), made(96, 0.97)])


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ({"tflite_quantization": "int8"}, "is for TFLite files"),
        ({"parity_min_agreement": 1.5}, "a number from 0 up to 1"),
        ({"tflite_output_file": Path("x.onnx")}, "--tflite_output_file x.onnx: .* ends in .tflite"),
        ({"onnx_output_file": Path("x")}, "--onnx_output_file x: .* ends in .onnx"),
    ],
)
def test_contradictions_are_refused(wanted: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageFault, match=says):
        ExportConfig(**wanted)


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("--to", "q.tflite", "--tflite_quantization", "int8"), 2, "give --image_dir"),
        (("--to", "a.onnx", "--to", "b.onnx"), 2, "are of one format"),
        (("--to", "m.onnx", "--tflite_quantization", "float16"), 2, "is for TFLite files"),
        (("--to", "full"), 2, "full"),
        (("--to", "none/such/f.tflite", "--image_dir", "nowhere"), 1, "nowhere"),
    ],
)
def test_bad_exports_end_before_the_work(
    arguments: tuple[str, ...], code: int, says: str, trained: Path, run: Run, tmp_path: Path
) -> None:
    (tmp_path / "work/full").mkdir(parents=True)
    (tmp_path / "work/full/mine.txt").write_text("mine")
    done = run("retrain", "export", "--graph", trained / "output_graph.pb", *arguments)
    assert done.returncode == code, done.stderr
    assert says in done.stderr and done.stderr.count("\n") == 1
    assert not done.stdout


def test_a_foreign_graph_is_not_exported(run: Run, tmp_path: Path) -> None:
    foreign = REPO / "retrain/backbones/bundled" / TINY / "assets.extra/frozen_graph.pb"
    shutil.copy(foreign, tmp_path / "foreign.pb")
    done = run("retrain", "export", "--graph", tmp_path / "foreign.pb", "--to", "x.tflite")
    assert done.returncode == 1 and "was not made by retrain" in done.stderr


def test_a_model_card_says_what_is_known_and_no_more() -> None:
    bare = Manifest(("a", "b|c"), "Placeholder", 8, 9, Recipe(8, 9).text, "final_result")
    card = model_card(bare, [])
    assert "2 classes" in card and "nobody knows" in card
    assert "## Backbone" not in card and "## Data" not in card
    judged = Manifest(
        **{**bare.__dict__, "unknown_below": 0.5, "backbone": {"handle": "x/y", "name": "y"},
           "metrics": {"test_accuracy": 0.5, "test_accuracy_interval": [0.25, 0.75],
                       "test_photos": 12, "macro_f1": 0.5, "log_loss": 1.0,
                       "calibration_error": 0.1, "support": [2, 10], "right": [1, 5]}}
    )  # fmt: skip
    card = model_card(judged, [])
    assert "50.0% are answered rightly (with 95 % confidence 25.0% to 75.0%)" in card
    assert "| a | 2 | 50.0% | 9.5% to 90.5%, too few to say |" in card
    assert "| b\\|c | 10 | 50.0% |" in card
    assert "below 0.5000 is to be called unknown" in card
    assert "Licence of its weights: not known here" in card
    assert json.loads(json.dumps(judged.metrics))["support"] == [2, 10]
