"""The small network that is trained from scratch."""

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
from conftest import REPO, write_colour_tree

from retrain.artifacts.graphdef import read_graph
from retrain.artifacts.manifest import Manifest
from retrain.backbones.backbone import Backbone
from retrain.data.decoding.decode import Recipe
from retrain.data.digests import DigestMemo
from retrain.data.folder import read_tree
from retrain.errors import RetrainError, UsageFault
from retrain.export.frozen_graph import graph_bytes
from retrain.inference.classifier import open_classifier
from retrain.inference.spec.resolve import describe_graph
from retrain.training.checkpoint import FILE
from retrain.training.head import Head, accuracy
from retrain.training.scratch import simple_cnn
from retrain.training.scratch.network import check_size
from retrain.training.scratch.pixels import features_of_pixels, read_pixels
from retrain.training.scratch.simple_cnn import CnnPhotos, CnnSettings, train_simple_cnn
from retrain.training.sgd import StepResult
from retrain.utils.logs import console
from retrain.utils.numerics import softmax

pytestmark = pytest.mark.slow

FAST = CnnSettings(epochs=6, batch_size=8, seed=1)
NONE = np.arange(0)


Colours = tuple[np.ndarray, np.ndarray]


@pytest.fixture(autouse=True)
def _console() -> Iterator[None]:
    """What is said goes to stderr, as in the commands."""
    with console():
        yield


def read_colours(tree: Path) -> Colours:
    index = read_tree(str(tree), ignore=[])
    memo = DigestMemo(index, tree.parent / "digests")
    pixels, broken = read_pixels(index, memo, Recipe(20, 24))
    assert broken == {}
    return pixels, np.array([photo.label for photo in index.photos], np.int32)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_colour_tree(tmp_path_factory.mktemp("few"), photos=5)


@pytest.fixture(scope="module")
def photos(tree: Path) -> Colours:
    """Fifteen photos of three colours: pixels (15, 20, 24, 3) and labels (15,)."""
    return read_colours(tree)


def train(
    photos: Colours, folder: Path, settings: CnnSettings = FAST, validated: np.ndarray = NONE
) -> tuple[Backbone, Head, list[StepResult]]:
    """The checkpoint is kept in `folder`, the network below it."""
    pixels, labels = photos
    seen: list[StepResult] = []
    rows = np.setdiff1d(np.arange(len(labels)), validated)
    below = folder / "below"
    below.mkdir(parents=True, exist_ok=True)
    backbone, head = train_simple_cnn(
        CnnPhotos(pixels, labels, 3, rows, validated),
        settings,
        below,
        checkpoints=folder,
        on_epoch=seen.append,
    )
    return backbone, head, seen


@pytest.fixture(scope="module")
def undisturbed(
    photos: Colours, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Backbone, Head, list[StepResult]]:
    """A training without validation photos."""
    return train(photos, tmp_path_factory.mktemp("undisturbed"))


def test_fifteen_photos_are_enough_to_learn_three_colours(photos: Colours, tmp_path: Path) -> None:
    validated = np.array([0, 5, 10])
    settings = replace(FAST, epochs=25)
    backbone, head, seen = train(photos, tmp_path / "cnn", settings, validated)
    info = backbone.info
    assert (info.height, info.width, info.channels, info.feature_width) == (20, 24, 3, 256)
    features = features_of_pixels(backbone, photos[0], "openvino", precision="f32")
    found = head.probabilities(features.take(np.arange(15)))
    assert accuracy(found, photos[1]) == 1
    assert [result.step for result in seen] == list(range(1, 26))
    last = seen[-1].validation
    assert last is not None and last.count == 3 and seen[-1].train.count == 12
    # Keras' own answers, dropout off, against those of the frozen network with the head.
    np.testing.assert_allclose(softmax(last.logits), found[validated], atol=1e-4)


@pytest.mark.parametrize("grayscale", [False, True])
def test_the_exported_graph_gives_keras_own_probabilities(
    grayscale: bool, photos: Colours, tmp_path: Path
) -> None:
    validated = np.array([1, 6, 11])
    settings = replace(FAST, grayscale=grayscale)
    backbone, head, seen = train(photos, tmp_path / "cnn", settings, validated)
    assert backbone.info.channels == (1 if grayscale else 3)
    path, labels = tmp_path / "graph.pb", ("blue", "green", "red")
    manifest = Manifest(labels, "Placeholder", 20, 24, Recipe(20, 24).text, "final_result")
    path.write_bytes(graph_bytes(read_graph(backbone.graph_path), head, manifest))
    classifier = open_classifier(path, describe_graph(path))
    found = np.stack([s for _, s in classifier.scores(enumerate(photos[0][validated]))])
    last = seen[-1].validation
    assert last is not None
    np.testing.assert_allclose(found, softmax(last.logits), atol=1e-4)
    assert np.ptp(found, axis=0).max() > 1e-3  # photos do not all get the same answer
    if not grayscale:
        return
    # Without colour two photos of equal brightness are the same.
    coloured = np.empty((1, 20, 24, 3), np.uint8)
    coloured[:] = (100, 100, 100)
    tinted = coloured.copy()
    tinted[:] = (159, 70, 100)  # 0.2989 R + 0.5870 G + 0.1140 B is the same within 0.1 %
    pair = features_of_pixels(
        backbone, np.concatenate([coloured, tinted]), "openvino", precision="f32"
    ).take(np.arange(2))
    assert pair.max() > 0
    np.testing.assert_allclose(pair[0], pair[1], atol=0.01 * pair.max())


def test_the_same_seed_gives_the_same_graph(
    photos: Colours, undisturbed: tuple[Backbone, Head, list[StepResult]], tmp_path: Path
) -> None:
    first, head, seen = undisturbed
    again, same_head, _ = train(photos, tmp_path / "b")
    other, _, _ = train(photos, tmp_path / "c", replace(FAST, seed=2))
    assert first.info == again.info != other.info
    np.testing.assert_array_equal(head.weights, same_head.weights)
    assert [result.validation for result in seen] == [None] * FAST.epochs


def test_some_epochs_are_said(
    photos: Colours,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(simple_cnn, "LINES", 2)
    train(photos, tmp_path, validated=np.arange(3))
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("Epoch")]
    assert [line.split(":")[0] for line in said] == ["Epoch 3 of 6", "Epoch 6 of 6"]
    assert "train accuracy" in said[0] and "validation accuracy" in said[0] and "(N=3)" in said[0]


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import test_simple_cnn as tests
tests.simple_cnn.CHECKPOINT_SECONDS = 0.0
folder = Path(sys.argv[3])

def die(event, arguments):
    # Before a checkpoint takes the place of the one after the second epoch.
    if event == "os.rename" and str(arguments[1]).endswith(tests.FILE):
        if tests.epoch_in(folder) == 3:
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(die)
tests.train(tests.read_colours(Path(sys.argv[2])), folder)
"""


def test_killed_it_resumes_to_the_same_bits(
    tree: Path,
    photos: Colours,
    undisturbed: tuple[Backbone, Head, list[StepResult]],
    tmp_path: Path,
) -> None:
    expected, expected_head, seen = undisturbed
    assert len(seen) == FAST.epochs
    folder = tmp_path / "killed"
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(REPO / "tests" / "training"), str(tree), str(folder)],
        env={**os.environ, "PYTHONPATH": f"{REPO}:{REPO / 'tests'}"},
        stderr=subprocess.DEVNULL,
    )
    assert killed.returncode == -signal.SIGKILL
    done = epoch_in(folder) - 1
    assert done == 2 < FAST.epochs
    backbone, head, seen = train(photos, folder, replace(FAST, resume=True))
    assert [result.step for result in seen] == list(range(done + 1, FAST.epochs + 1))
    np.testing.assert_array_equal(head.weights, expected_head.weights)
    assert backbone.info == expected.info  # with a digest of the weights
    again, same_head, seen = train(photos, folder, replace(FAST, resume=True))
    assert (again, seen) == (backbone, [])
    np.testing.assert_array_equal(same_head.weights, head.weights)


def epoch_in(folder: Path) -> int:
    """The epoch that comes next."""
    path = folder / FILE
    if not path.is_file():
        return 0
    with np.load(path) as stored:
        return int(json.loads(str(stored["facts"]))["standing"]["epoch"])


def test_a_checkpoint_of_another_training_is_left_alone_or_refused(
    photos: Colours, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    short = replace(FAST, epochs=1)
    train(photos, tmp_path, replace(short, resume=True))
    assert f"No checkpoint in {tmp_path}: training starts" in capsys.readouterr().err
    with pytest.raises(RetrainError, match="of a training with other settings"):
        train(photos, tmp_path, replace(short, seed=2, resume=True))
    with pytest.raises(RetrainError, match="of a training with other photos"):
        train((photos[0][::-1], photos[1]), tmp_path, replace(short, resume=True))
    _, _, seen = train(photos, tmp_path, replace(short, seed=2))  # starts anew
    assert len(seen) == 1


def test_early_stopping_keeps_the_best_weights_and_resumes_to_them(
    photos: Colours, tmp_path: Path
) -> None:
    """Validation photos whose labels are wrong, so that their loss rises soon."""
    wrong = (photos[0], np.where(np.arange(15) < 12, photos[1], 0))
    settings, validated = replace(FAST, epochs=40, patience=2), np.array([12, 13, 14])
    backbone, head, seen = train(wrong, tmp_path, settings, validated)
    checked = [one.validation for one in seen if one.validation is not None]
    best = int(np.argmin([one.cross_entropy for one in checked]))
    assert len(seen) == best + 1 + 2 < 40 and seen[-1].best.number == best + 1
    features = features_of_pixels(backbone, photos[0][validated], "openvino", precision="f32")
    found = head.probabilities(features.take(np.arange(3)))
    np.testing.assert_allclose(found, softmax(checked[best].logits), atol=1e-4)
    again, _, seen = train(wrong, tmp_path, replace(settings, resume=True), validated)
    assert (again, seen) == (backbone, [])


def test_smoothed_labels_and_class_weights_reach_the_loss(photos: Colours, tmp_path: Path) -> None:
    surest, rows = [], np.arange(15)
    for smoothing in (0.0, 0.4):
        settings = replace(FAST, epochs=25, label_smoothing=smoothing)
        _, _, seen = train(photos, tmp_path / str(smoothing), settings)
        surest.append(softmax(seen[-1].train.logits).max(axis=1).mean())
    assert surest[1] < surest[0] - 0.1
    few = np.concatenate([rows[:5], rows[5:6], rows[10:11]])  # five photos, one and one
    pixels, labels = photos
    mean = {}
    for rule in ("none", "balanced"):
        seen = []
        settings = replace(FAST, epochs=8, class_weight=rule)
        (tmp_path / rule).mkdir()
        train_simple_cnn(
            CnnPhotos(pixels, labels, 3, few, rows), settings, tmp_path / rule,
            checkpoints=tmp_path / rule / "kept", on_epoch=seen.append)  # fmt: skip
        assert seen[-1].validation is not None
        mean[rule] = softmax(seen[-1].validation.logits)[:, 0].mean()
    assert mean["balanced"] < mean["none"] - 0.1  # of the large class


def test_a_diverging_training_is_said_in_one_line(photos: Colours, tmp_path: Path) -> None:
    with pytest.raises(RetrainError, match="diverged in epoch .* --learning_rate 1e[+]30"):
        train(photos, tmp_path / "cnn", replace(FAST, learning_rate=1e30))


def test_pictures_too_small_are_refused() -> None:
    check_size(16, 16)
    with pytest.raises(UsageFault, match="--input_size 15x40 is too small for simple_cnn"):
        check_size(15, 40)


def test_what_cannot_be_read_is_set_aside(tmp_path: Path) -> None:
    index = read_tree(str(write_colour_tree(tmp_path / "few", photos=2)), ignore=[])
    paths = [index.full_path(photo) for photo in index.photos]
    Path(paths[2]).write_bytes(b"no picture")
    Path(paths[4]).unlink()
    memo = DigestMemo(index, tmp_path / "digests")
    pixels, broken = read_pixels(index, memo, Recipe(16, 16))
    bad, gone = (index.photos[row].path for row in (2, 4))
    assert broken.keys() == {bad, gone} and "not a JPEG" in broken[bad]
    assert memo.known.keys() == {photo.path for photo in index.photos} - {gone}
    assert (pixels[[2, 4]] == 0).all() and all(pixels[row].any() for row in (0, 1, 3, 5))
