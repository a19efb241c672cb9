"""ONNX files as modules: features, export and labelling without TensorFlow."""

import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import Run
from onnx_files import KERNEL, write_onnx

from retrain.backbones.engines.engine import choose_engine
from retrain.backbones.freeze.input_config import InputConfig
from retrain.backbones.sources.resolve import resolve
from retrain.errors import RetrainError, UsageFault

onnx = pytest.importorskip("onnx")


def by_hand(images: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """The network on (n, 32, 32, channels), in NumPy."""
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
    patches = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))[:, ::2, ::2]
    answers: np.ndarray = np.maximum(np.einsum("nhwcij,ocij->nhwo", patches, kernel), 0)
    return answers.mean(axis=(1, 2))


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("pooled", [True, False])
@pytest.mark.parametrize("batch", ["n", 1])
def test_features_are_the_networks(
    first: bool, pooled: bool, batch: int | str, tmp_path: Path
) -> None:
    path = write_onnx(tmp_path / "m.onnx", first=first, pooled=pooled, batch=batch)
    wanted = InputConfig(value_range=(-1.0, 1.0))
    backbone = resolve(str(path), wanted, tmp_path / "modules")
    info = backbone.info
    assert (info.kind, info.height, info.feature_width) == ("ONNX model", 32, 8)
    pixels = np.random.default_rng(1).integers(0, 256, (5, 32, 32, 3), np.uint8)
    engine = choose_engine("auto", backbone, "f32")
    given = np.stack([vector for _, vector in engine.run(enumerate(pixels))])
    expected = by_hand(pixels / np.float32(127.5) - np.float32(1), KERNEL)
    np.testing.assert_allclose(given, expected, atol=1e-5)


def test_one_channel_gets_grey(tmp_path: Path) -> None:
    path = write_onnx(tmp_path / "m.onnx", channels=1)
    backbone = resolve(str(path), InputConfig(), tmp_path / "modules")
    assert backbone.info.channels == 1
    pixels = np.random.default_rng(1).integers(0, 256, (2, 32, 32, 3), np.uint8)
    engine = choose_engine("openvino", backbone, "f32")
    given = np.stack([vector for _, vector in engine.run(enumerate(pixels))])
    grey = (pixels / np.float32(255)) @ np.array([[0.299], [0.587], [0.114]], np.float32)
    np.testing.assert_allclose(given, by_hand(grey, KERNEL[:, :1]), atol=1e-5)


def test_the_whole_main_job_without_tensorflow(colour_tree: Path, run: Run, tmp_path: Path) -> None:
    path = write_onnx(tmp_path / "tiny.onnx")
    done = run("retrain", "--image_dir", colour_tree, "--tfhub_module", path,
               "--how_many_training_steps", 300, "--learning_rate", 1,
               PYTHONPROFILEIMPORTTIME="1")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert " tensorflow\n" not in done.stderr
    assert "it makes ONNX classifiers only, no .pb and no SavedModel" in done.stderr
    assert "Final test accuracy = 100.0%" in done.stdout
    assert "Use it: label-image --graph output_graph.onnx PHOTO" in done.stderr
    photo = colour_tree / "blue" / "003.png"
    for _ in range(2):  # the second time from the cache of compiled graphs
        labelled = run("label-image", "--graph", "output_graph.onnx", photo)
        assert labelled.stdout.startswith("blue (score="), labelled.stderr


def test_what_we_exported_is_a_module_too(colour_tree: Path, run: Run, tmp_path: Path) -> None:
    module = write_onnx(tmp_path / "tiny.onnx")
    short = ("--image_dir", colour_tree, "--how_many_training_steps", 50, "--no-report",
             "--summaries_dir", "")  # fmt: skip
    for name in ("first.onnx", "second.onnx"):
        done = run("retrain", *short, "--tfhub_module", module, "--output_graph", tmp_path / name)
        assert done.returncode == 0, done.stderr
        module = tmp_path / name
    photo = next((colour_tree / "red").glob("*.png"))
    done = run("label-image", "--graph", module, photo)
    assert done.stdout.startswith("red"), done.stderr


def test_what_cannot_be_made_is_said_before_the_work(
    colour_tree: Path, run: Run, tmp_path: Path
) -> None:
    start = ("--image_dir", colour_tree, "--tfhub_module", write_onnx(tmp_path / "tiny.onnx"))
    for more, said in (
        (("--output_graph", "a.pb"), "give --output_graph a.onnx"),
        (("--saved_model_dir", "s"), "leave out --saved_model_dir"),
        (("--engine", "tensorflow"), "leave out --engine tensorflow"),
    ):
        done = run("retrain", *start, *more, "--bottleneck_dir", tmp_path / "b")
        assert done.returncode == 2
        assert said in done.stderr.splitlines()[-1]


def test_files_that_are_no_modules_are_refused(tmp_path: Path) -> None:
    (tmp_path / "no.onnx").write_bytes(b"not a model")
    missing = tmp_path / "missing.onnx"
    two = onnx.load(str(write_onnx(tmp_path / "two.onnx")))
    two.graph.input.append(onnx.helper.make_tensor_value_info("more", 1, [1]))
    two.graph.node.append(onnx.helper.make_node("Identity", ["more"], ["unused"]))
    onnx.save(two, str(tmp_path / "two.onnx"))
    for path, said in (
        (tmp_path / "no.onnx", "is not a usable ONNX model"),
        (tmp_path / "two.onnx", "has 2 inputs"),
    ):
        with pytest.raises(RetrainError, match=said):
            resolve(str(path), InputConfig(), tmp_path / "modules")
    with pytest.raises(UsageFault, match="no module is called"):
        resolve(str(missing), InputConfig(), tmp_path / "modules")


def test_label_image_refuses_an_onnx_file_of_others(run: Run, tmp_path: Path) -> None:
    done = run("label-image", "--graph", write_onnx(tmp_path / "tiny.onnx"), "x.jpg")
    assert done.returncode == 1
    assert "was not made by retrain" in done.stderr


def test_without_the_package_the_pip_line_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_onnx(tmp_path / "tiny.onnx")
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(RetrainError, match=r'pip install "retrain\[onnx\]"'):
        resolve(str(path), InputConfig(), tmp_path / "modules")


@pytest.mark.parametrize("declared", [7, 2**31])
def test_an_output_of_another_width_than_declared(declared: int, tmp_path: Path) -> None:
    path = write_onnx(tmp_path / "tiny.onnx")
    model = onnx.load(str(path))
    model.graph.output[0].type.tensor_type.shape.dim[1].dim_value = declared
    onnx.save(model, str(path))
    with pytest.raises(RetrainError) as caught:
        resolve(str(path), InputConfig(), tmp_path / "modules")
    assert f"holds {declared} numbers for a picture, and gives 8: export it again" in str(
        caught.value
    )
