"""The whole main job, and each engine's answers, with every kind of module."""

import shutil
import tarfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import EXAMPLE_FLOWERS, Run
from hub_server import HubServer
from small_networks import small_network

from retrain.artifacts.graphdef import read_graph
from retrain.backbones.backbone import Backbone
from retrain.backbones.engines.engine import choose_engine
from retrain.backbones.freeze.input_config import InputConfig
from retrain.backbones.sources.resolve import resolve
from retrain.data.decoding.decode import Recipe, decode
from retrain.utils.logs import console
from retrain.utils.tensorflow import import_tensorflow

# Keras writes files in a way that NumPy 2 warns of.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]

Kind = tuple[str, tuple[int, int], tuple[float, float], Callable[[np.ndarray], np.ndarray]]


@pytest.fixture(scope="module")
def tf() -> Any:
    return import_tensorflow()


@pytest.fixture(scope="module")
def model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shared by the tests, so that each module is frozen once."""
    return tmp_path_factory.mktemp("modules")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("made")


@pytest.fixture(scope="module")
def small() -> Any:
    return small_network(96, 96)


def network_answers(network: Any) -> Callable[[np.ndarray], np.ndarray]:
    return lambda images: np.asarray(network(images, training=False))


def tf1_answers(tf: Any, folder: Path) -> Callable[[np.ndarray], np.ndarray]:
    def answers(images: np.ndarray) -> np.ndarray:
        with tf.Graph().as_default() as graph, tf.compat.v1.Session(graph=graph) as session:
            meta = tf.compat.v1.saved_model.loader.load(session, [], str(folder))
            signature = meta.signature_def["default"]
            output, source = signature.outputs["default"].name, signature.inputs["images"].name
            found: np.ndarray = session.run(output, {source: images})
        return found

    return answers


# The two bundled modules, EfficientNet-Lite and a whole MobileNetV2 have their own files.
KINDS = ("tf1", "saved", "exported", "free size", "keras", "h5", "scaled h5", "archive", "grey",
         "map", "one at a time")  # fmt: skip


@pytest.fixture(scope="module")
def kinds(request: pytest.FixtureRequest, tf: Any, made: Path) -> Callable[[str], Kind]:
    """A module's handle, the size and range of its input, and its own answers."""
    small = request.getfixturevalue("small")

    @cache
    def kind(which: str) -> Kind:
        if which == "tf1":
            shared: Path = request.getfixturevalue("shared")
            (path,) = (shared / "legacy" / "tf1_hub_module").iterdir()
            return str(path), (128, 128), (0.0, 1.0), tf1_answers(tf, path)
        return make_kind(tf, which, small, made / which.replace(" ", "_"))

    return kind


def make_kind(tf: Any, which: str, small: Any, path: Path) -> Kind:
    network, size, low_high = small, (96, 96), (0.0, 1.0)
    if which == "saved":
        tf.saved_model.save(network, str(path))
    elif which == "free size":
        network, size = small_network(None, None), (64, 80)
        tf.saved_model.save(network, str(path))
    elif which == "grey":
        network = tf.keras.Sequential(
            [tf.keras.Input((96, 96, 1)), tf.keras.layers.Conv2D(8, 5, activation="relu"),
             tf.keras.layers.GlobalAveragePooling2D()]
        )  # fmt: skip
        tf.saved_model.save(network, str(path))
    elif which == "map":
        network = tf.keras.Model(small.input, small.layers[-2].output)
        tf.saved_model.save(network, str(path))
    elif which == "one at a time":
        holder = tf.Module()
        holder.network = network
        spec = tf.TensorSpec([1, 96, 96, 3], tf.float32, name="photo")
        call = tf.function(lambda photo: {"vector": network(photo, training=False)},
                           input_signature=[spec], autograph=False)  # fmt: skip
        tf.saved_model.save(holder, str(path), signatures=call)
    elif which == "scaled h5":
        network = tf.keras.Sequential(
            [tf.keras.Input((96, 96, 3)), tf.keras.layers.Rescaling(1 / 255),
             tf.keras.layers.Conv2D(8, 5, activation="relu"),
             tf.keras.layers.GlobalAveragePooling2D()]
        )  # fmt: skip
        path, low_high = path.with_suffix(".h5"), (0.0, 255.0)
        network.save(path)
    elif which in ("keras", "h5"):
        path, low_high = path.with_suffix(f".{which}"), (-1.0, 1.0)
        network.save(path)
    else:
        network.export(path, verbose=False)
    if which == "archive":
        packed = path.with_suffix(".tar.gz")
        with tarfile.open(packed, "w:gz") as tar:
            tar.add(path, "module")
        shutil.rmtree(path)
        path = packed
    return str(path), size, low_high, network_answers(network)


def real_pixels(size: tuple[int, int]) -> np.ndarray:
    photos = sorted(EXAMPLE_FLOWERS.glob("*/*.jpg"))[::40]
    return np.stack([decode(photo.read_bytes(), Recipe(*size)) for photo in photos])


def features(backbone: Backbone, engine: str, pixels: np.ndarray) -> np.ndarray:
    running = choose_engine(engine, backbone, "f32")
    return np.stack([vector for _, vector in running.run(enumerate(pixels))])


@pytest.mark.parametrize("which", KINDS)
def test_features_are_the_modules_own(
    which: str, kinds: Callable[[str], Kind], model_dir: Path
) -> None:
    handle, size, (low, high), answers = kinds(which)
    wanted = InputConfig(size if "free" in handle else None)
    with console() as messages:
        backbone = resolve(handle, wanted, model_dir)
    assert (backbone.info.height, backbone.info.width) == size
    assert backbone.info.input_range == (low, high)
    pixels = real_pixels(size)
    images = (pixels / np.float32(255)) * np.float32(high - low) + np.float32(low)
    if backbone.info.channels == 1:
        images = images @ np.array([[0.299], [0.587], [0.114]], np.float32)
    expected = answers(images)
    if expected.ndim == 4:
        expected = expected.mean(axis=(1, 2))
    assert expected.shape == (len(pixels), backbone.info.feature_width)
    scale = np.abs(expected).max()
    for engine in ("openvino", "tensorflow"):
        given = features(backbone, engine, pixels)
        assert np.abs(given - expected).max() <= 1e-3 * scale, engine
    assert not any("random" in text for text in messages.warnings)
    # The frozen graph is folded.
    graph = read_graph(backbone.graph_path)
    ops = {node.op for node in graph.node}
    assert not [op for op in ops if "Variable" in op or "Call" in op or "BatchNorm" in op]
    assert "Rsqrt" not in ops
    inputs = [node for node in graph.node if node.op == "Placeholder"]
    assert [node.name for node in inputs] == ["Placeholder"]
    assert [dim.size for dim in inputs[0].attr["shape"].shape.dim] == [-1, *size, 3]


@pytest.mark.parametrize("which", ["tf1", "free size", "keras"])
def test_the_whole_main_job(
    which: str, kinds: Callable[[str], Kind], colour_tree: Path, run: Run, model_dir: Path
) -> None:
    handle, size, _, _ = kinds(which)
    sized = ("--input_size", f"{size[0]}x{size[1]}") if "free" in handle else ()
    command = ("--image_dir", colour_tree, "--tfhub_module", handle, *sized, "--model_dir",
               model_dir, "--how_many_training_steps", 300, "--learning_rate", 0.1,
               "--no-report")  # fmt: skip
    resolve(handle, InputConfig(size if sized else None), model_dir)
    done = run("retrain", *command)
    assert done.returncode == 0, done.stderr
    assert f"pictures {size[0]}x{size[1]}, " in done.stderr
    assert "Freezing" not in done.stderr
    assert "get the same answer" in done.stderr
    photo = colour_tree / "green" / "001.png"
    labelled = run("label-image", "--graph", "output_graph.pb", photo)
    assert labelled.returncode == 0, labelled.stderr
    assert len(labelled.stdout.splitlines()) == 3


def test_a_url(kinds: Callable[[str], Kind], colour_tree: Path, run: Run, tmp_path: Path) -> None:
    command = ("--image_dir", colour_tree, "--model_dir", tmp_path / "modules", "--no-report",
               "--solver", "lbfgs")  # fmt: skip
    hub = HubServer()
    hub.module = Path(kinds("archive")[0]).read_bytes()
    with hub.running() as server:
        url = f"{server.url}/hub/google/imagenet/tiny/feature_vector/1"
        done = run(
            "retrain", *command, "--tfhub_module", url, TFHUB_CACHE_DIR=str(tmp_path / "hub")
        )
        assert done.returncode == 0, done.stderr
        assert "Module imagenet-tiny-feature_vector-1 (TF2 SavedModel)" in done.stderr
        assert "Final test accuracy = 100.0%" in done.stdout
    labelled = run("label-image", "--graph", "output_graph.pb", colour_tree / "red" / "002.png")
    assert labelled.stdout.startswith("red (score=")
    # No server and no hub cache: the frozen module is remembered by its URL.
    again = run("retrain", *command, "--tfhub_module", url, TFHUB_CACHE_DIR=str(tmp_path / "gone"))
    assert again.returncode == 0, again.stderr
    assert "0 features computed" in again.stderr and "Downloading" not in again.stderr


def test_the_second_run_imports_no_tensorflow(
    small: Any, colour_tree: Path, run: Run, tmp_path: Path
) -> None:
    small.save(tmp_path / "m.keras")
    command = ("--image_dir", colour_tree, "--tfhub_module", tmp_path / "m.keras",
               "--model_dir", tmp_path / "modules", "--how_many_training_steps", 5,
               "--no-report")  # fmt: skip
    assert run("retrain", *command).returncode == 0
    done = run("retrain", *command, PYTHONPROFILEIMPORTTIME="1")
    assert done.returncode == 0
    assert " openvino\n" in done.stderr and " tensorflow\n" not in done.stderr


def test_an_input_range_makes_other_features(small: Any, model_dir: Path, tmp_path: Path) -> None:
    small.export(tmp_path / "m", verbose=False)
    pixels = real_pixels((96, 96))
    signed = resolve(str(tmp_path / "m"), InputConfig(value_range=(-1.0, 1.0)), model_dir)
    expected = network_answers(small)(pixels / np.float32(127.5) - np.float32(1))
    given = features(signed, "openvino", pixels)
    assert np.abs(given - expected).max() <= 1e-3 * np.abs(expected).max()
    plain = resolve(str(tmp_path / "m"), InputConfig(), model_dir)
    assert plain.info.fingerprint != signed.info.fingerprint
