"""What a run says and writes of how good it is: figures, calibration, unknown, predictions."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from conftest import EXAMPLE_FLOWERS, TINY, Run
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, log_loss

import retrain
from retrain.artifacts.graphdef import read_graph
from retrain.artifacts.manifest import find_manifest
from retrain.inference.classifier import open_classifier
from retrain.inference.labeller import UNKNOWN
from retrain.inference.spec.resolve import describe_graph


@pytest.fixture(scope="module")
def flowers_run(tmp_path_factory: pytest.TempPathFactory, session_cache: Path) -> Path:
    """A run on the example flowers that has something to calibrate and to call unknown."""
    from retrain.commands.train import train
    from retrain.config import TrainConfig

    folder = tmp_path_factory.mktemp("assessed")
    config = TrainConfig.from_flat(
        image_dir=str(EXAMPLE_FLOWERS),
        tfhub_module=TINY,
        bottleneck_dir=session_cache / "bottlenecks",
        testing_percentage=25,
        validation_percentage=25,
        how_many_training_steps=4000,
        learning_rate=0.05,
        reject_precision=0.9,
        output_graph=folder / "output_graph.pb",
        output_labels=folder / "output_labels.txt",
        summaries_dir=None,
        report=False,
    )
    train(config)
    return folder


def predictions(folder: Path) -> list[dict[str, str]]:
    with open(folder / "predictions.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def evaluation(folder: Path) -> dict[str, object]:
    facts: dict[str, object] = json.loads((folder / "evaluation.json").read_text())
    return facts


@pytest.mark.slow
def test_evaluation_json_agrees_with_the_predictions(flowers_run: Path) -> None:
    """Computed anew by scikit-learn from the other file."""
    facts = evaluation(flowers_run)
    labels = facts["labels"]
    assert isinstance(labels, list)
    tested = [row for row in predictions(flowers_run) if row["set"] == "test"]
    truth, answers = [row["truth"] for row in tested], [row["prediction"] for row in tested]
    assert facts["count"] == len(tested) > 30
    assert facts["accuracy"] == pytest.approx(accuracy_score(truth, answers))
    assert facts["confusion"] == confusion_matrix(truth, answers, labels=labels).tolist()
    assert facts["macro_f1"] == pytest.approx(f1_score(truth, answers, average="macro"))
    scores = [[float(row[label]) for label in labels] for row in tested]
    normal = np.array(scores) / np.sum(scores, axis=1, keepdims=True)
    assert facts["log_loss"] == pytest.approx(log_loss(truth, normal, labels=labels), abs=1e-3)


def test_predictions_list_every_photo_with_its_set(flowers_run: Path) -> None:
    rows = predictions(flowers_run)
    assert [row["path"] for row in rows] == sorted(
        str(path.relative_to(EXAMPLE_FLOWERS)) for path in EXAMPLE_FLOWERS.glob("*/*.jpg")
    )
    assert {row["set"] for row in rows} == {"train", "validation", "test"}
    assert all(row["truth"] == row["path"].split("/")[0] for row in rows)
    for row in rows:
        best = max(("daisy", "dandelion", "roses", "sunflowers", "tulips"),
                   key=lambda label: float(row[label]))  # fmt: skip
        assert float(row[best]) == float(row["score"])


def test_the_exported_graph_gives_the_calibrated_numbers(flowers_run: Path) -> None:
    facts = evaluation(flowers_run)
    assert facts["temperature"] != 1.0
    manifest = find_manifest(read_graph(flowers_run / "output_graph.pb"))
    assert manifest is not None and manifest.training["temperature"] == facts["temperature"]
    rows = predictions(flowers_run)[::20]
    said = retrain.load(flowers_run / "output_graph.pb").label(
        [EXAMPLE_FLOWERS / row["path"] for row in rows]
    )
    for row, labelled in zip(rows, said, strict=True):
        scores = {label: score for label, score in labelled.labels if label != UNKNOWN}
        for label, score in scores.items():
            assert score == pytest.approx(float(row[label]), abs=2e-4)


def test_calibration_divides_the_logits_and_can_be_left_out(
    colour_tree: Path, run: Run, tmp_path: Path
) -> None:
    """With and without it, scores differ by the temperature only, and answers not at all."""
    # Some photos lie in a wrong folder, so that validation has mistakes to learn from.
    for number in range(5):
        (colour_tree / "green" / f"{number:03}.png").rename(colour_tree / "red" / f"g{number}.png")
        (colour_tree / "red" / f"{number:03}.png").rename(colour_tree / "blue" / f"r{number}.png")
    start = ("--image_dir", colour_tree, "--tfhub_module", TINY, "--validation_percentage", 40,
             "--how_many_training_steps", 3000, "--learning_rate", 0.1, "--no-report")  # fmt: skip
    assert run("retrain", *start, "--output_graph", "on/output_graph.pb").returncode == 0
    assert (
        run(
            "retrain", *start, "--output_graph", "off/output_graph.pb", "--no-calibration"
        ).returncode
        == 0
    )
    on, off = tmp_path / "work" / "on", tmp_path / "work" / "off"
    temperature = evaluation(on)["temperature"]
    assert isinstance(temperature, float) and temperature != 1.0
    assert evaluation(off)["temperature"] == 1.0
    photo = colour_tree / "green" / "010.png"
    scores = []
    for folder in (on, off):
        from retrain.data.decoding.decode import decode

        spec = describe_graph(folder / "output_graph.pb")
        classifier = open_classifier(folder / "output_graph.pb", spec, photos=1)
        ((_, found),) = classifier.scores([(0, decode(photo.read_bytes(), spec.recipe))])
        scores.append(found.astype(np.float64))
    powered = scores[1] ** (1 / temperature)
    np.testing.assert_allclose(scores[0], powered / powered.sum(), atol=1e-4)
    same = zip(predictions(on), predictions(off), strict=True)
    assert all(a["prediction"] == b["prediction"] for a, b in same)


def test_below_the_threshold_label_image_says_unknown(
    flowers_run: Path, run: Run, tmp_path: Path
) -> None:
    facts = evaluation(flowers_run)
    threshold = facts["unknown_below"]
    assert isinstance(threshold, float) and 0.2 < threshold < 1
    validation = [row for row in predictions(flowers_run) if row["set"] == "validation"]
    answered = [row for row in validation if float(row["score"]) > threshold - 1e-5]
    right = [row for row in answered if row["prediction"] == row["truth"]]
    assert len(right) / len(answered) >= 0.9 and len(answered) < len(validation)

    rows = predictions(flowers_run)
    sure = max(rows, key=lambda row: float(row["score"]))
    unsure = min(rows, key=lambda row: float(row["score"]))
    graph = ("--graph", flowers_run / "output_graph.pb")
    for _ in range(2):  # anew, and from the cache of compiled graphs
        said = run("label-image", *graph, EXAMPLE_FLOWERS / unsure["path"]).stdout.splitlines()
        assert said[0].startswith("unknown (score=0.")
        assert said[1].startswith(f"{unsure['prediction']} (score=")
    said = run("label-image", *graph, EXAMPLE_FLOWERS / sure["path"]).stdout.splitlines()
    assert said[0].startswith(f"{sure['prediction']} (score=")


def test_an_unreachable_precision_is_said(colour_tree: Path, run: Run, tmp_path: Path) -> None:
    for photo in (colour_tree / "green").iterdir():  # no telling red from green
        photo.write_bytes((colour_tree / "red" / photo.name).read_bytes() + b"\0")
    done = run("retrain", "--image_dir", colour_tree, "--tfhub_module", TINY,
               "--how_many_training_steps", 0, "--reject_precision", 1)  # fmt: skip
    assert done.returncode == 0
    if "nothing is called unknown" not in done.stderr:
        assert evaluation(tmp_path / "work")["unknown_below"] is not None


def test_the_terminal_tells_what_to_know(run: Run) -> None:
    done = run("retrain", "--image_dir", EXAMPLE_FLOWERS, "--tfhub_module", TINY,
               "--how_many_training_steps", 200)  # fmt: skip
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert "95 % interval" in lines[-5] and "Macro F1" in lines[-4]
    assert lines[-3].startswith("By folds ") and "of 175 photos" in lines[-3]  # 19 test photos
    assert lines[-2].startswith("Weakest by folds: ") and " taken for " in lines[-2]
    assert lines[-1].startswith("Report: /")
    for name in ("Predictions", "Evaluation", "Report", "Labels", "Graph"):
        (line,) = [line for line in done.stdout.splitlines() if line.startswith(f"{name}: /")]
        assert Path(line.split(": ", 1)[1]).is_file()
    assert "alibrated" in done.stderr
    assert done.stderr.endswith("Use it: label-image --graph output_graph.pb PHOTO\n")


def test_no_report_leaves_it_out(colour_tree: Path, run: Run, tmp_path: Path) -> None:
    done = run("retrain", "--image_dir", colour_tree, "--tfhub_module", TINY, "--no-report",
               "--how_many_training_steps", 5)  # fmt: skip
    assert done.returncode == 0 and "Report" not in done.stdout
    assert not (tmp_path / "work" / "report.html").exists()
    done = run("retrain", "--image_dir", colour_tree, "--tfhub_module", TINY, "--report",
               "pages/mine.html", "--how_many_training_steps", 5)  # fmt: skip
    assert (tmp_path / "work" / "pages" / "mine.html").is_file()
