"""Fine-tuning: what it changes, what it refuses, and that a killed one ends as if undisturbed."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import COLOURS, REPO, TINY, write_colour_tree
from small_networks import SIDE, SMALL_WIDTH

from retrain.backbones.backbone import Backbone, read_backbone
from retrain.backbones.bundled import BUNDLED_FOLDER
from retrain.backbones.engines.engine import choose_engine
from retrain.data.decoding.augment import Distortion
from retrain.data.decoding.decode import Recipe, decode
from retrain.data.digests import digest_of
from retrain.errors import RetrainError, UsageFault
from retrain.training.checkpoint import FILE
from retrain.training.config import parse_depth
from retrain.training.finetune.checks import check_can_be_tuned
from retrain.training.finetune.config import (
    TuningPhotos,
    TuningSettings,
    usual_rate,
)
from retrain.training.finetune.fine_tune import fine_tune
from retrain.training.finetune.input_pipeline import PhotoSource
from retrain.training.finetune.model import TrainableModel
from retrain.training.head import Head, accuracy, cross_entropy
from retrain.utils.logs import console
from retrain.utils.tensorflow import bfloat16_operations, import_tensorflow

pytestmark = pytest.mark.slow

MODULE = BUNDLED_FOLDER / TINY

SETTINGS = TuningSettings(epochs=15, batch_size=4, learning_rate=3e-2, patience=0, seed=5)
BF16_OPTION = "auto_mixed_precision_onednn_bfloat16"
NO_HEAD = Head(np.zeros((SMALL_WIDTH, 3), np.float32), np.zeros(3, np.float32))


@pytest.fixture(autouse=True)
def _console() -> Iterator[None]:
    """What is said goes to stderr, as in the commands."""
    with console():
        yield


def photos_of(tree: Path) -> TuningPhotos:
    """Every fourth photo of a class is for validation."""
    files = [path for name in sorted(COLOURS) for path in sorted((tree / name).iterdir())]
    rows = np.arange(len(files))
    return TuningPhotos(
        [str(path) for path in files],
        [digest_of(path.read_bytes()) for path in files],
        np.repeat(np.arange(3), len(files) // 3),
        rows[rows % 4 != 0],
        rows[rows % 4 == 0],
    )


def tune(
    module: Path, tree: Path, folder: Path, settings: TuningSettings = SETTINGS
) -> tuple[Backbone, Head]:
    original = read_backbone(module / "assets.extra")
    return fine_tune(
        module, original, NO_HEAD, photos=photos_of(tree), settings=settings, folder=folder
    )


def features(backbone: Backbone, photos: TuningPhotos, rows: np.ndarray) -> np.ndarray:
    """By OpenVINO, (n, D), after its comparison with TensorFlow's answers."""
    recipe = Recipe(backbone.info.height, backbone.info.width)
    pixels = [decode(Path(photos.paths[row]).read_bytes(), recipe) for row in rows]
    found = dict(choose_engine("openvino", backbone, "f32").run(enumerate(pixels)))
    return np.stack([found[number] for number in range(len(rows))])


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_colour_tree(tmp_path_factory.mktemp("tuning") / "colours", photos=8)


@pytest.fixture(scope="module")
def module(small_module: Path) -> Path:
    """The README's own command tunes a bundled one (whole/test_docs.py)."""
    return small_module


@pytest.fixture(scope="module")
def undisturbed(
    module: Path, tree: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Backbone, Head]:
    folder = tmp_path_factory.mktemp("undisturbed")
    return folder, *tune(module, tree, folder)


def test_the_frozen_result_says_what_was_trained(
    module: Path, tree: Path, undisturbed: tuple[Path, Backbone, Head]
) -> None:
    folder, backbone, head = undisturbed
    original = read_backbone(module / "assets.extra")
    photos = photos_of(tree)
    truth = photos.labels[photos.validation]
    found = features(backbone, photos, photos.validation)
    before = features(original, photos, photos.validation)
    assert np.abs(found - before).max() > 0.01
    assert backbone.info.fingerprint != original.info.fingerprint
    probabilities = head.probabilities(found)
    assert accuracy(probabilities, truth) == 1.0
    with np.load(folder / FILE) as stored:
        standing = json.loads(str(stored["facts"]))["standing"]
    assert standing["best_epoch"] > 0
    assert standing["least"] < np.log(3)  # what the head without weights started with
    assert cross_entropy(probabilities, truth) == pytest.approx(standing["least"], rel=1e-3)


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import test_finetuning as tests
from retrain.training.finetune import fine_tune
fine_tune.CHECKPOINT_SECONDS = 0.0
module, tree, folder = map(Path, sys.argv[2:])

def die_in_mid_epoch(event, arguments):
    # Before a checkpoint takes the place of one within the second epoch or a later one.
    if event == "os.rename" and str(arguments[1]).endswith(tests.FILE):
        standing = tests.standing_in(folder)
        if standing is not None and standing["epoch"] >= 2 and standing["done"]:
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(die_in_mid_epoch)
tests.tune(module, tree, folder)
"""


def test_killed_in_mid_epoch_it_resumes_to_the_same_weights(
    module: Path, tree: Path, undisturbed: tuple[Path, Backbone, Head], tmp_path: Path
) -> None:
    folder = tmp_path / "killed"
    tests = str(REPO / "tests" / "training")
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, tests, str(module), str(tree), str(folder)],
        env={**os.environ, "PYTHONPATH": f"{REPO}:{REPO / 'tests'}"},
        stderr=subprocess.DEVNULL,
    )
    assert killed.returncode == -signal.SIGKILL
    standing = standing_in(folder)
    assert standing is not None and standing["epoch"] == 2 and standing["done"]
    backbone, head = tune(module, tree, folder, replace(SETTINGS, resume=True))
    _, expected_backbone, expected = undisturbed
    np.testing.assert_allclose(head.weights, expected.weights, atol=1e-5)
    photos = photos_of(tree)
    np.testing.assert_allclose(
        features(backbone, photos, photos.validation),
        features(expected_backbone, photos, photos.validation),
        atol=1e-3,
    )


def standing_in(folder: Path) -> dict[str, float] | None:
    path = folder / FILE
    if not path.is_file():
        return None
    with np.load(path) as stored:
        found: dict[str, float] = json.loads(str(stored["facts"]))["standing"]
    return found


def test_a_finished_one_resumes_to_its_result_without_training(
    module: Path, tree: Path, undisturbed: tuple[Path, Backbone, Head]
) -> None:
    folder, backbone, head = undisturbed
    written = (folder / FILE).stat().st_mtime_ns
    again, same = tune(module, tree, folder, replace(SETTINGS, resume=True))
    assert again == backbone
    np.testing.assert_array_equal(same.weights, head.weights)
    assert (folder / FILE).stat().st_mtime_ns == written


def test_a_checkpoint_of_another_training_is_refused(
    module: Path, tree: Path, undisturbed: tuple[Path, Backbone, Head]
) -> None:
    folder, _, _ = undisturbed
    with pytest.raises(RetrainError, match="other settings: give the same ones again"):
        tune(module, tree, folder, replace(SETTINGS, seed=6, resume=True))


def test_bf16_trains_as_well_as_f32(module: Path, tree: Path, tmp_path: Path) -> None:
    backbone, head = tune(module, tree, tmp_path, replace(SETTINGS, precision="bf16"))
    photos = photos_of(tree)
    probabilities = head.probabilities(features(backbone, photos, photos.validation))
    assert accuracy(probabilities, photos.labels[photos.validation]) == 1.0


def test_bf16_rounds_what_is_computed_and_not_the_weights(module: Path, tree: Path) -> None:
    photos = photos_of(tree)
    source = PhotoSource(photos, SIDE, SIDE, distortion=Distortion(), seed=0)

    def one_step() -> tuple[float, TrainableModel]:
        trainable = trainable_of_all_layers(module, [])
        batches = trainable.batches(source.training(photos.train, 1, 7))
        return trainable.step(batches, 1e-4, 1), trainable

    exact, _ = one_step()
    with bfloat16_operations():
        rounded, trainable = one_step()
    assert rounded == pytest.approx(exact, rel=0.2)
    assert {values.dtype for values in trainable.values()} == {np.dtype(np.float32)}
    if "avx512_bf16" in Path("/proc/cpuinfo").read_text():  # TensorFlow asks for it
        assert rounded != exact


def test_bf16_ends_with_the_training() -> None:
    tf = import_tensorflow()
    with bfloat16_operations():
        assert tf.config.optimizer.get_experimental_options()[BF16_OPTION]
    assert not tf.config.optimizer.get_experimental_options()[BF16_OPTION]


def test_last_n_leaves_the_variables_before_them_alone(module: Path, tree: Path) -> None:
    info = read_backbone(module / "assets.extra").info
    trainable = TrainableModel(
        module,
        info,
        NO_HEAD,
        last=2,
        class_weights=np.ones(3, np.float32),
        batch_size=4,
        devices=[],
    )
    before = [variable.numpy() for variable in trainable.loaded.variables]
    photos = photos_of(tree)
    source = PhotoSource(photos, SIDE, SIDE, distortion=Distortion(), seed=0)
    batches = trainable.batches(source.training(photos.train, 1, 4))
    trainable.step(batches, 0.001, 1)  # moves the head off zero: no gradient passes it before
    trainable.step(batches, 0.001, 2)
    tuned = {id(variable) for variable in trainable.loaded.trainable_variables[-5:]}
    changed = 0
    for variable, old in zip(trainable.loaded.variables, before, strict=True):
        if id(variable) in tuned:
            changed += not np.array_equal(variable.numpy(), old)
        else:
            np.testing.assert_array_equal(variable.numpy(), old)
    assert changed == 5  # the last depthwise kernel, gamma and beta; the last pointwise one, beta


DEVICES = """
import sys
import numpy as np
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import test_finetuning as tests
tf = tests.import_tensorflow()
(cpu,) = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
photos = tests.photos_of(Path(sys.argv[2]))
source = tests.PhotoSource(photos, tests.SIDE, tests.SIDE, distortion=tests.Distortion(), seed=0)
found = []
for devices in ([], ["CPU:0", "CPU:1"]):
    trainable = tests.trainable_of_all_layers(Path(sys.argv[3]), devices)
    batches = trainable.batches(source.training(photos.train, 1, 7))  # 7, 7 and 4 photos
    losses = [trainable.step(batches, 1e-4, step) for step in (1, 2, 3)]
    found.append((losses, trainable.logits(source.plain(photos.validation, 4))))
assert trainable.strategy.num_replicas_in_sync == 2
np.testing.assert_allclose(found[0][0], found[1][0], rtol=1e-3)
np.testing.assert_allclose(found[0][1], found[1][1], atol=1e-4)
"""


def trainable_of_all_layers(module: Path, devices: list[str]) -> TrainableModel:
    head = Head(
        np.random.default_rng(0).normal(0, 0.1, (SMALL_WIDTH, 3)).astype(np.float32),
        NO_HEAD.biases,
    )
    info = read_backbone(module / "assets.extra").info
    return TrainableModel(
        module,
        info,
        head,
        last=None,
        class_weights=np.ones(3, np.float32),
        batch_size=7,
        devices=devices,
    )


def test_two_devices_train_as_one_does(module: Path, tree: Path) -> None:
    subprocess.run(
        [sys.executable, "-c", DEVICES, str(REPO / "tests" / "training"), str(tree), str(module)],
        env={**os.environ, "PYTHONPATH": f"{REPO}:{REPO / 'tests'}"},
        check=True,
    )


def test_distortions_follow_from_photo_epoch_and_seed(tree: Path) -> None:
    photos = photos_of(tree)

    def seen(rows: np.ndarray, epoch: int, seed: int = 0) -> np.ndarray:
        source = PhotoSource(photos, 32, 32, distortion=Distortion(True, 10, 25, 20), seed=seed)
        return np.concatenate([pixels.numpy() for pixels, _ in source.training(rows, epoch, 5)])

    rows = photos.train
    first = seen(rows, 1)
    np.testing.assert_array_equal(first, seen(rows, 1))
    np.testing.assert_array_equal(first[7:], seen(rows[7:], 1))  # resumed in mid-epoch
    assert not np.array_equal(first, seen(rows, 2))
    assert not np.array_equal(first, seen(rows, 1, seed=1))


def test_validation_photos_are_the_pixels_that_engines_see(tree: Path) -> None:
    photos = photos_of(tree)
    source = PhotoSource(photos, 32, 32, distortion=Distortion(True, 10, 25, 20), seed=0)
    (pixels, labels), *_ = source.plain(photos.validation, 4)
    for row, given in zip(photos.validation, pixels.numpy(), strict=False):
        expected = decode(Path(photos.paths[row]).read_bytes(), Recipe(32, 32))
        np.testing.assert_array_equal(given, expected)
    np.testing.assert_array_equal(labels.numpy(), photos.labels[photos.validation[:4]])


def test_a_photo_that_changed_is_named(tmp_path: Path) -> None:
    photos = photos_of(write_colour_tree(tmp_path, photos=2))
    changed = Path(photos.paths[1])
    changed.write_bytes(Path(photos.paths[2]).read_bytes())
    source = PhotoSource(photos, 32, 32, distortion=Distortion(), seed=0)
    with pytest.raises(RetrainError, match=f"{changed.name} could be read before"):
        with source.faults():
            list(source.training(photos.train, 1, 4))


def test_modules_in_folders_are_told_apart_without_tensorflow() -> None:
    script = (
        "import sys; from pathlib import Path; from retrain.training.finetune.checks import *; "
        f"check_can_be_tuned(Path({str(MODULE)!r})); assert 'tensorflow' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], cwd=REPO, check=True)


def test_modules_that_cannot_be_trained_are_refused_in_one_line(tmp_path: Path) -> None:
    tf = import_tensorflow()
    pictures = tf.TensorSpec([None, 8, 8, 3], tf.float32)

    class Plain(tf.Module):
        @tf.function(input_signature=[pictures])
        def __call__(self, images):
            return tf.reduce_mean(images, [1, 2])

    class Served(tf.Module):
        @tf.function(input_signature=[pictures])
        def serve(self, images):
            return tf.reduce_mean(images, [1, 2])

    served = Served()
    tf.saved_model.save(Plain(), str(tmp_path / "plain"))
    tf.saved_model.save(served, str(tmp_path / "served"), signatures=served.serve)
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        images = tf.compat.v1.placeholder(tf.float32, [None, 8, 8, 3])
        builder = tf.compat.v1.saved_model.Builder(str(tmp_path / "tf1"))
        signature = tf.compat.v1.saved_model.predict_signature_def(
            {"images": images}, {"default": tf.reduce_mean(images, [1, 2])}
        )
        builder.add_meta_graph_and_variables(session, ["serve"], {"default": signature})
        builder.save()
    (tmp_path / "network.keras").write_bytes(b"")
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "saved_model.pb").write_bytes(b"\x12\xff\xff")
    reasons = {
        "plain": "it has no trainable variables",
        "served": "it has signatures only",
        "tf1": "it is in the TF1 format",
        "network.keras": "it is one file",
        "damaged": "its saved_model.pb is damaged",
    }
    for name, reason in reasons.items():
        with pytest.raises(RetrainError, match=f"{name} cannot be fine-tuned, {reason}") as fault:
            check_can_be_tuned(tmp_path / name)
        assert "\n" not in str(fault.value)
    with pytest.raises(RetrainError, match="No such file"):
        check_can_be_tuned(tmp_path)


def test_the_usual_rate_keeps_the_sum_of_what_a_step_moves() -> None:
    assert usual_rate(1000) == usual_rate(220_000) == 1e-3
    assert usual_rate(3_000_000) * 3_000_000 == pytest.approx(220)


def test_a_rate_that_is_not_given_is_the_usual_one_of_what_is_trained(
    module: Path,
    tree: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("retrain.training.finetune.config.SMALL", 20)
    settings = TuningSettings(last=1, epochs=1, warm_up=0, batch_size=18)
    tune(module, tree, tmp_path, settings)
    last = 16 * SMALL_WIDTH + SMALL_WIDTH  # a pointwise kernel and beta
    assert f"learning rate {usual_rate(last):.1e}" in capsys.readouterr().err


def test_depth_is_all_or_the_last_layers() -> None:
    assert parse_depth("all") is None
    assert parse_depth("LAST_3") == parse_depth("last_3") == parse_depth("3") == 3
    for wrong in ("", "0", "LAST_", "first", "-1", "LAST_0"):
        with pytest.raises(UsageFault, match="give all, or LAST_3"):
            parse_depth(wrong)
