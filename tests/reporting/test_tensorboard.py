"""What a real TensorBoard shows of the test photos and of the bottlenecks."""

import io
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
from board_server import ask, fetch, tensorboard
from conftest import write_picture
from PIL import Image
from run_commands import PATIENCE_S

from retrain.data.folder import Index, read_tree
from retrain.data.split import TEST, TRAIN, VALIDATION
from retrain.evaluation.metrics import Metrics, compute_metrics
from retrain.features.matrix import FeatureMatrix
from retrain.reporting.tensorboard import projector
from retrain.reporting.tensorboard.confusion import draw_confusion
from retrain.reporting.tensorboard.gallery import surest_mistakes
from retrain.reporting.tensorboard.projector import write_projector
from retrain.reporting.tensorboard.summaries import write_test_summaries
from retrain.reporting.thumbnails import OpenPhoto
from retrain.utils.logs import console
from retrain.utils.text_drawing import printable

pytestmark = pytest.mark.slow

# More than ASCII, a byte that is no UTF-8 as Python reads it from a folder's name, a tab.
CLASSES = ("Löwenzahn 茶", "gr\udcfcn", "sun\tflowers")
SHOWN = ("Löwenzahn 茶", r"gr\udcfcn", r"sun\tflowers")
PHOTOS = 20  # in each class
WIDTH = 24
STEP = 99


@dataclass(frozen=True)
class Logs:
    """What was written, to compare with what is shown."""

    plugins: str
    index: Index
    features: np.ndarray
    probabilities: np.ndarray
    truth: np.ndarray
    metrics: Metrics
    warnings: list[str]


def some_photos(root: Path) -> Index:
    for number, name in enumerate(CLASSES):
        for photo in range(PHOTOS):
            colour = (200 if number == 0 else 40, 200 if number == 1 else 40, 10 * photo)
            write_picture(root / name / f"{photo:02}\n\udcff.png", colour, photo)
    return read_tree(str(root))


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Logs]:
    folder = tmp_path_factory.mktemp("board")
    index = some_photos(folder / "photos")
    rng = np.random.default_rng(1)
    truth = np.array([photo.label for photo in index.photos])
    logits = rng.normal(0, 1.5, (len(truth), len(CLASSES)))
    logits[np.arange(len(truth)), truth] += 1
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    probabilities[:4] = [(1, 0, 0), (0.5, 0.25, 0.25), (0, 1, 0), (0.25, 0.5, 0.25)]
    probabilities = probabilities.astype(np.float32)
    features = rng.normal(0, 1, (len(truth), WIDTH)).astype(np.float32)
    matrix = FeatureMatrix(
        [features], np.zeros(len(truth), int), np.arange(len(truth)), width=WIDTH
    )
    metrics = compute_metrics(probabilities, truth, index.classes, rng=rng)
    sets = np.resize([TRAIN, VALIDATION, TEST], len(truth))
    paths = [index.full_path(photo) for photo in index.photos]
    run = folder / "logs" / "20260101-120000"
    os.unlink(paths[2])  # of the first class, and taken for the second with probability 1
    with console() as messages:
        write_test_summaries(
            run, STEP, metrics, probabilities=probabilities, truth=truth, paths=paths
        )
        write_projector(run, matrix, index, labels=index.classes, sets=sets)
    with tensorboard(folder / "logs", "--load_fast=false") as plugins:
        yield Logs(plugins, index, features, probabilities, truth, metrics, messages.warnings)


RUN = "20260101-120000/test"


def images(plugins: str, tag: str, samples: int) -> list[Image.Image]:
    found = []
    for sample in range(samples):
        about = ask(f"{plugins}/images/images?run={RUN}&tag={tag}&sample={sample}")
        assert [each["step"] for each in about] == [STEP]
        content, kind = fetch(f"{plugins}/images/individualImage?{about[0]['query']}")
        assert kind == "image/png"
        found.append(Image.open(io.BytesIO(content)))
    return found


def test_the_scalars_share_charts_with_those_of_training(logs: Logs) -> None:
    tags = ask(f"{logs.plugins}/scalars/tags")[RUN]
    assert {"accuracy_1", "cross_entropy_1", "macro_f1"} < set(tags)
    points = ask(f"{logs.plugins}/scalars/scalars?tag=accuracy_1&run={RUN}")
    assert [point[1] for point in points] == [STEP]
    assert points[0][2] == pytest.approx(logs.metrics.accuracy)


def test_the_confusion_matrix_is_an_image(logs: Logs) -> None:
    assert ask(f"{logs.plugins}/images/tags")[RUN]["confusion_matrix"]["samples"] == 1
    (shown,) = images(logs.plugins, "confusion_matrix", 1)
    assert np.array_equal(shown, draw_confusion(logs.metrics))


def test_misclassified_photos_are_images_with_a_list(logs: Logs) -> None:
    wrong = int((logs.probabilities.argmax(axis=1) != logs.truth).sum())
    about = ask(f"{logs.plugins}/images/tags")[RUN]["misclassified"]
    assert 3 < wrong == about["samples"]
    assert about["description"].count("<li>") == wrong
    assert rf"{SHOWN[0]} taken for {SHOWN[1]} (100.0%)" in about["description"].split("</li>")[0]
    shown = images(logs.plugins, "misclassified", 3)
    assert {image.size for image in shown} == {(256, 324)}
    blank, *photos = (np.asarray(image)[108:148, 108:148] for image in shown)
    assert np.ptp(blank) == 0 and logs.warnings[0] == (
        "1 misclassified photo cannot be read any more"
    )
    assert all(photo.std() > 10 for photo in photos)
    assert all(np.ptp(np.asarray(image)[260:]) > 150 for image in shown), "text below"


def test_pr_curves_are_those_of_scikit_learn(logs: Logs) -> None:
    from sklearn.metrics import precision_recall_curve

    tags = ask(f"{logs.plugins}/pr_curves/tags")[RUN]
    assert set(tags) == {f"pr_curves/{name}" for name in SHOWN}
    for number, name in enumerate(SHOWN):
        tag = quote(f"pr_curves/{name}")
        (curve,) = ask(f"{logs.plugins}/pr_curves/pr_curves?tag={tag}&run={RUN}")[RUN]
        scores, inside = logs.probabilities[:, number], logs.truth == number
        precision, recall, thresholds = precision_recall_curve(inside, scores)
        assert len(curve["thresholds"]) == 1 + int(200 * scores.max()), "no point without photos"
        at = np.searchsorted(thresholds, curve["thresholds"])
        assert np.allclose(curve["precision"], precision[at])
        assert np.allclose(curve["recall"], recall[at])
        total = [sum(counts) for counts in zip(
            *(curve[f"{kind}_{sign}"] for kind in ("true", "false")
              for sign in ("positives", "negatives")), strict=True)]  # fmt: skip
        assert set(total) == {len(scores)}


def test_the_projector_gets_vectors_table_and_thumbnails(logs: Logs) -> None:
    plugin = f"{logs.plugins}/projector"
    name = "20260101-120000/projector"
    assert ask(f"{plugin}/runs") == [name]
    (about,) = ask(f"{plugin}/info?run={name}")["embeddings"]
    count = len(logs.index.photos)
    assert about["tensorShape"] == [count, WIDTH]
    asked = f"run={name}&name={about['tensorName']}"
    vectors, _ = fetch(f"{plugin}/tensor?{asked}")
    assert vectors == logs.features.tobytes()

    table = fetch(f"{plugin}/metadata?{asked}")[0].decode()
    rows = [line.split("\t") for line in table.rstrip("\n").split("\n")]
    assert rows[0] == ["class", "set", "path"] and len(rows) == 1 + count
    assert [row[0] for row in rows[1::PHOTOS]] == list(SHOWN)
    assert [row[1] for row in rows[1:4]] == ["train", "validation", "test"]
    assert rows[1][2] == rf"{SHOWN[0]}/00\n\udcff.png"

    content, kind = fetch(f"{plugin}/sprite_image?{asked}")
    assert kind == "image/jpeg"
    sprite = Image.open(io.BytesIO(content))
    side = about["sprite"]["singleImageDim"][0]
    assert sprite.size == (8 * side, 8 * side)
    means = np.asarray(sprite, float).reshape(8, side, 8, side, 3).mean(axis=(1, 3)).reshape(64, 3)
    assert (means[2] > 250).all() and "1 photo cannot be read any more" in logs.warnings[1]
    assert ((means[:count, 0] > 150) == (logs.truth == 0))[3:].all(), "the first class is red"


def test_many_photos_are_thinned_evenly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(projector, "MOST", 5)
    monkeypatch.setattr(projector, "BLOCK", 2)
    index = some_photos(tmp_path / "photos")
    count = len(index.photos)
    features = np.arange(count * 2, dtype=np.float32).reshape(count, 2)
    matrix = FeatureMatrix([features], np.zeros(count, int), np.arange(count), width=2)
    write_projector(tmp_path, matrix, index, labels=index.classes, sets=np.zeros(count, np.int8))
    chosen = np.fromfile(tmp_path / "projector/bottlenecks.bytes", "<f4").reshape(-1, 2)
    assert (chosen[:, 0] / 2).tolist() == [0, 15, 30, 44, 59]


def test_the_surest_mistakes_come_first_and_no_photo_twice() -> None:
    probabilities = np.array([(0.4, 0.6), (0.1, 0.9), (0.7, 0.3), (0.1, 0.9), (0.2, 0.8)])
    truth = np.array([0, 0, 0, 0, 0])
    names = ["a", "b", "right", "b", "c"]
    mistakes = surest_mistakes(probabilities, truth, names, most=9)
    assert [names[each.row] for each in mistakes] == ["b", "c", "a"]
    assert [each.probability for each in mistakes] == [0.9, 0.8, 0.6]
    assert surest_mistakes(probabilities, truth, names, most=2) == mistakes[:2]


def test_thumbnails_are_upright_and_never_stretched(tmp_path: Path) -> None:
    lying = Image.new("RGB", (900, 300), "blue")
    lying.paste("red", (0, 0, 300, 300))
    exif = Image.Exif()
    exif[0x0112] = 6  # its left side is up
    lying.save(tmp_path / "photo.jpg", exif=exif, quality=95)
    photo = OpenPhoto((tmp_path / "photo.jpg").read_bytes())
    inside = photo.inside(90)
    assert inside.size == (30, 90)
    red = np.asarray(inside)[..., 0] > 128
    assert red[:29].all() and not red[31:].any()
    square = photo.square(64)
    assert square.size == (64, 64) and not (np.asarray(square)[..., 0] > 128).any(), "the middle"


@pytest.mark.parametrize("classes", [2, 5, 40, 120, 1000])
def test_the_confusion_matrix_stays_a_picture_of_sane_size(classes: int) -> None:
    truth = np.arange(classes).repeat(2)
    probabilities = np.eye(classes)[truth]
    probabilities[0] = probabilities[-1]
    labels = [f"a class with a rather long name, number {label}" for label in range(classes)]
    metrics = compute_metrics(probabilities, truth, labels, rng=np.random.default_rng(0))
    page = np.asarray(draw_confusion(metrics)).astype(int)
    assert 300 < page.shape[0] <= 3100 and abs(page.shape[0] - page.shape[1]) < 60
    side = max(min(1600 // classes, 64), 3)
    matrix = page[-6 - classes * side : -6, -6 - classes * side : -6]
    if classes > 2:  # else the text above is wider
        assert matrix[-2, -2].tolist() == [25, 90, 170], "right: blue"
        wrong = matrix[1, -2]
        assert wrong[0] > wrong[2] and wrong[1] < 200, "the mistake: red"
        assert matrix[-2, 1].tolist() == [255, 255, 255], "no photo: white"


def test_names_become_one_line_of_unicode_and_stay_different() -> None:
    names = ["a\tb", "a\\tb", "a\nb", "a\udcffb", "a\\udcffb", "茶 ü", "a b", "\u2028"]
    shown = [printable(name) for name in names]
    assert len(set(shown)) == len(names) and "茶 ü" in shown
    for name in shown:
        name.encode()
        assert len(name.splitlines()) == 1 and "\t" not in name


def test_tensorflow_is_not_needed(tmp_path: Path) -> None:
    script = """
import sys
from pathlib import Path
import numpy as np
from retrain.evaluation.metrics import compute_metrics
from retrain.reporting.tensorboard import projector
from retrain.reporting.tensorboard.summaries import write_test_summaries
rng, scores, truth = np.random.default_rng(0), np.eye(2), np.array([0, 0])
metrics = compute_metrics(scores, truth, "ab", rng=rng)
run = Path(sys.argv[1])
write_test_summaries(run, 1, metrics, probabilities=scores, truth=truth, paths="xy")
print([name for name in ("tensorflow", "scipy", "sklearn") if name in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert done.stdout.strip() == "[]", done.stderr
    assert "cannot be read any more" in done.stderr
