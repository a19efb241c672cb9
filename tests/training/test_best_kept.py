"""Every training that goes in epochs or steps keeps its best weights, and says which and why."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import write_colour_tree
from test_finetuning import NO_HEAD, photos_of
from test_finetuning import SETTINGS as TUNING
from test_hidden import FAST as HIDDEN
from test_hidden import rings
from test_simple_cnn import FAST, Colours, read_colours, train

from retrain.backbones.backbone import read_backbone
from retrain.features.matrix import FeatureMatrix
from retrain.training.early_stopping import BestWeights, SelectionSet
from retrain.training.finetune.fine_tune import fine_tune
from retrain.training.hidden_layer import train_hidden
from retrain.training.loss import log_loss
from retrain.training.scratch import simple_cnn
from retrain.training.scratch.pixels import features_of_pixels
from retrain.training.sgd import StepResult
from retrain.utils.logs import console
from retrain.utils.progress import Meter

pytestmark = pytest.mark.slow

EPOCHS, SPIKE = 20, 19
PLAIN = np.ones(3, np.float32)


@pytest.fixture(autouse=True)
def _console() -> Iterator[None]:
    """What is said goes to stderr, as in the commands."""
    with console():
        yield


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_colour_tree(tmp_path_factory.mktemp("best"), photos=5)


@pytest.fixture(scope="module")
def photos(tree: Path) -> Colours:
    return read_colours(tree)


@pytest.fixture
def spike(monkeypatch: pytest.MonkeyPatch) -> None:
    """From epoch SPIKE on, the network of simple_cnn is one whose last layer was thrown far off."""
    epoch = simple_cnn._Training._epoch

    def thrown(self: simple_cnn._Training, meter: Meter) -> None:
        if self.standing.epoch == SPIKE:
            last = self.model.layers[-1]
            last.set_weights([values * -20 for values in last.get_weights()])
        epoch(self, meter)

    monkeypatch.setattr(simple_cnn._Training, "_epoch", thrown)


@pytest.mark.parametrize("validated", [(), (1, 6, 11)], ids=["training", "validation"])
def test_a_simple_cnn_that_ends_in_a_spike_of_the_loss_is_as_it_was_before_it(
    validated: tuple[int, ...],
    spike: None,
    photos: Colours,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    settings, rows = replace(FAST, epochs=EPOCHS), np.array(validated, int)
    judges = SelectionSet.of(np.setdiff1d(np.arange(15), rows), rows)
    backbone, head, seen = train(photos, tmp_path, settings, rows)
    truth = photos[1][judges.rows]
    results = [one.validation or one.train for one in seen]
    losses = [log_loss(one.logits, truth, PLAIN) for one in results]
    best = int(np.argmin(losses))
    assert best < SPIKE - 1 and losses[-1] > 5 * losses[best]
    features = features_of_pixels(backbone, photos[0], "openvino", precision="f32")
    found = head.logits(features.take(judges.rows))
    np.testing.assert_allclose(found, results[best].logits, atol=1e-2)
    why = "is the lowest" + ("" if validated else " (there are no validation photos)")
    said = f"Kept epoch {best + 1} of {EPOCHS}: its {judges.name} loss, {losses[best]:.4g}, {why}\n"
    assert said in capsys.readouterr().err
    assert seen[-1].best == BestWeights(best + 1, losses[best], judges.name)


def test_the_best_epoch_outlives_a_kill(
    spike: None, photos: Colours, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed after the best epoch was left behind, so that only the checkpoint has its weights."""
    settings = replace(FAST, epochs=EPOCHS)
    expected, expected_head, seen = train(photos, tmp_path / "undisturbed", settings)
    assert seen[-1].best is not None and seen[-1].best.number < SPIKE
    monkeypatch.setattr(simple_cnn, "CHECKPOINT_SECONDS", 0.0)

    folder = tmp_path / "killed"
    write = simple_cnn.write_checkpoint

    def killed_after(*arguments: Any) -> None:
        write(*arguments)
        if arguments[1].standing.epoch == SPIKE + 1:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(simple_cnn, "write_checkpoint", killed_after)
        train(photos, folder, settings)
    backbone, head, seen = train(photos, folder, replace(settings, resume=True))
    assert [one.step for one in seen] == [EPOCHS]
    np.testing.assert_array_equal(head.weights, expected_head.weights)
    assert backbone.info == expected.info  # with a digest of the weights


@pytest.mark.parametrize("validated", [0, 100])
@pytest.mark.parametrize("patience", [0, 1000])
def test_a_hidden_layer_is_that_of_the_best_evaluated_step(validated: int, patience: int) -> None:
    """A rate so large that the loss leaps about."""
    features, labels = rings()
    seen: list[StepResult] = []
    rows, checked = np.arange(300), np.arange(300, 300 + validated)
    judges = SelectionSet.of(rows, checked)
    losses: list[float] = []

    def look(result: StepResult) -> None:
        seen.append(result)

    def every_step(step: int, head: object) -> None:
        if seen and seen[-1].step == step:
            logits = head.logits(features[judges.rows])  # type: ignore[attr-defined]
            losses.append(log_loss(logits, labels[judges.rows], PLAIN[:2]))

    settings = replace(
        HIDDEN, learning_rate=0.5, eval_step_interval=10, steps=300, patience=patience
    )
    found = train_hidden(
        FeatureMatrix.of(features),
        labels,
        rows,
        validation_rows=checked,
        classes=2,
        settings=settings,
        on_step=every_step,
        on_evaluation=look,
    )
    best = int(np.argmin(losses))
    assert losses[-1] > losses[best]
    loss = log_loss(found.logits(features[judges.rows]), labels[judges.rows], PLAIN[:2])
    assert loss == pytest.approx(losses[best])
    kept = seen[-1].best
    assert kept is not None and kept.number == seen[best].step
    assert (kept.by, kept.loss) == (judges.name, pytest.approx(loss))


@pytest.mark.parametrize("rate", [2e-2, 1000.0], ids=["sound", "destroying"])
def test_fine_tuning_without_validation_photos_keeps_the_least_training_loss(
    rate: float, small_module: Path, tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With a rate that destroys the module its start is the best, as with validation photos."""
    photos = replace(photos_of(tree), train=np.arange(15), validation=np.arange(0))
    original = read_backbone(small_module / "assets.extra")
    settings = replace(TUNING, epochs=3, learning_rate=rate)
    backbone, head = fine_tune(
        small_module, original, NO_HEAD, photos=photos, settings=settings, folder=tmp_path
    )
    said = capsys.readouterr().err
    if rate == 1000:
        assert "Kept epoch 0 of 3: its training loss, 1.099, is the lowest" in said
        np.testing.assert_array_equal(head.weights, NO_HEAD.weights)
        return
    losses = [float(text) for text in re.findall(r"training accuracy .* loss (\d+\.\d+)", said)]
    assert len(losses) == 4 and f"Kept epoch {int(np.argmin(losses))} of 3: its training" in said
    pixels = read_colours_at(tree, backbone.info.height)
    features = features_of_pixels(backbone, pixels, "openvino", precision="f32")
    found = head.logits(features.take(np.arange(15)))
    assert log_loss(found, photos.labels, PLAIN) == pytest.approx(min(losses), rel=1e-2)


def read_colours_at(tree: Path, size: int) -> np.ndarray:
    """The pixels of the tree's photos in the order of `photos_of`."""
    from retrain.data.decoding.decode import Recipe
    from retrain.data.read import read_photo

    return np.stack([read_photo(path, Recipe(size, size)) for path in photos_of(tree).paths])


@pytest.mark.parametrize(
    ("kept", "unit", "said"),
    [
        (
            BestWeights(3, 0.25, "validation"),
            "epoch",
            "Kept epoch 3 of 9: its validation loss, 0.25, is",
        ),
        (
            BestWeights(0, 1e-9, "training"),
            "step",
            "Kept step 0 of 9: its training loss, 1e-09, is",
        ),
    ],
)
def test_what_is_said_of_it(kept: BestWeights, unit: str, said: str) -> None:
    assert kept.sentence(unit, 9).startswith(said)
    assert ("no validation photos" in kept.sentence(unit, 9)) == (kept.by == "training")
