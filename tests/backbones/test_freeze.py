"""Local SavedModel folders as --tfhub_module."""

from pathlib import Path
from typing import Any

import pytest
from conftest import TINY, Run

from retrain.backbones.bundled import BUNDLED_FOLDER
from retrain.utils.tensorflow import import_tensorflow

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def tf() -> Any:
    return import_tensorflow()


def colour_module(tf: Any) -> Any:
    """A network of a few bytes: the mean colour, through one trained matrix."""
    module = tf.Module()
    module.matrix = tf.Variable(tf.eye(3, 8), name="matrix")

    @tf.function(input_signature=[tf.TensorSpec([None, 24, 32, 3], tf.float32)])
    def call(images: Any) -> Any:
        return tf.reduce_mean(images, [1, 2]) @ module.matrix

    module.__call__ = call
    return module


def test_a_saved_model_folder_is_a_module(
    tf: Any, colour_tree: Path, run: Run, tmp_path: Path
) -> None:
    tf.saved_model.save(colour_module(tf), str(tmp_path / "mean colour"))
    command = ("--image_dir", colour_tree, "--tfhub_module", tmp_path / "mean colour",
               "--how_many_training_steps", 200, "--learning_rate", 5,
               "--model_dir", tmp_path / "modules", "--no-report")  # fmt: skip
    done = run("retrain", *command)
    assert done.returncode == 0, done.stderr
    assert "Freezing " in done.stderr
    found = "Module mean colour (TF2 SavedModel): pictures 24x32, 3 channels in [0, 1], 8 features"
    assert found in done.stderr
    assert "mean colour (f32) with OpenVINO" in done.stderr
    assert "Final test accuracy = 100.0%" in done.stdout
    labelled = run("label-image", "--graph", "output_graph.pb", colour_tree / "green/001.png")
    assert labelled.stdout.startswith("green (score=")
    again = run("retrain", *command)
    assert "Freezing" not in again.stderr and "0 features computed" in again.stderr


def test_a_module_with_a_signature_only(
    tf: Any, colour_tree: Path, run: Run, tmp_path: Path
) -> None:
    module = colour_module(tf)
    holder = tf.Module()
    holder.inner = module
    signature = module.__call__.get_concrete_function()
    tf.saved_model.save(holder, str(tmp_path / "m"), signatures=signature)
    done = run("retrain", "--image_dir", colour_tree, "--tfhub_module", tmp_path / "m",
               "--how_many_training_steps", 20, "--model_dir", tmp_path / "modules",
               "--no-report")  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_the_bundled_folder_by_its_path(
    frozen_tiny: Path, colour_tree: Path, run: Run, tmp_path: Path
) -> None:
    """The bundled SavedModel goes the way of any other, and its features are found again."""
    fast = ("--image_dir", colour_tree, "--how_many_training_steps", 5, "--no-report",
            "--model_dir", frozen_tiny, "--bottleneck_dir", tmp_path / "b")  # fmt: skip
    run("retrain", *fast, "--tfhub_module", TINY)
    done = run("retrain", *fast, "--tfhub_module", BUNDLED_FOLDER / TINY)
    assert done.returncode == 0, done.stderr
    assert "0 features computed, 72 cached" in done.stderr


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        ("garbage", "does not load as a TensorFlow module"),
        ("open size", "give --input_size"),
        ("rank 3", "does not give one feature vector for each picture"),
        ("text", "does not take pictures as [batch, height, width, 3]"),
        ("two inputs", "takes one batch of pictures"),
    ],
)
def test_folders_that_are_no_modules_are_refused(
    spoil: str, said: str, tf: Any, colour_tree: Path, run: Run, tmp_path: Path
) -> None:
    folder = tmp_path / "module"
    shape = {"open size": [None, None, None, 3], "text": [None, 8]}.get(spoil, [None, 8, 8, 3])
    spec = tf.TensorSpec(shape, tf.float32, name="a")
    module, holder = tf.Module(), tf.Module()

    @tf.function(input_signature=[spec])
    def call(images: Any) -> Any:
        return tf.reduce_mean(images, 1)

    @tf.function(input_signature=[spec, tf.TensorSpec(shape, tf.float32, name="b")])
    def two(a: Any, b: Any) -> Any:
        return a + b

    module.__call__ = call
    holder.two = two
    if spoil == "garbage":
        folder.mkdir()
        (folder / "saved_model.pb").write_bytes(b"not a protobuf")
    elif spoil == "two inputs":
        tf.saved_model.save(holder, str(folder), signatures=two)
    else:
        tf.saved_model.save(module, str(folder))
    done = run("retrain", "--image_dir", colour_tree, "--tfhub_module", folder,
               "--model_dir", tmp_path / "modules")  # fmt: skip
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"retrain: {folder}") and said in last
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "modules").exists()
