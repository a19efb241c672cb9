"""`retrain evaluate` and `retrain audit`, as a user runs them."""

import csv
import json
from collections import Counter
from pathlib import Path

import pytest
from conftest import EXAMPLE_FLOWERS, TINY, Run

from retrain.artifacts.graphdef import read_graph
from retrain.artifacts.manifest import NODE


def test_any_tree_is_judged(trained: Path, run: Run, tmp_path: Path) -> None:
    done = run("retrain", "evaluate", "--graph", trained / "output_graph.pb", "--image_dir",
               EXAMPLE_FLOWERS, "--output_dir", "judged")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "95 % interval" in done.stdout
    folder = tmp_path / "work" / "judged"
    facts = json.loads((folder / "evaluation.json").read_text())
    # Of the run's own photos only those count that it kept for its test.
    of_run = json.loads((trained / "evaluation.json").read_text())
    assert (facts["count"], facts["accuracy"]) == (of_run["count"], of_run["accuracy"])
    assert facts["photos"] == 175 and facts["seen"]["accuracy"] > facts["accuracy"]
    with open(folder / "predictions.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 175
    right = [row["truth"] == row["prediction"] for row in rows if row["set"] == "test"]
    assert sum(right) / len(right) == pytest.approx(facts["accuracy"])
    assert (folder / "report.html").stat().st_size > 10_000


def test_it_agrees_with_label_image(trained: Path, run: Run, tmp_path: Path) -> None:
    graph = trained / "output_graph.pb"
    run("retrain", "evaluate", "--graph", graph, "--image_dir", EXAMPLE_FLOWERS, "--no-report")
    folder = tmp_path / "work" / "output_graph_on_flowers"
    with open(folder / "predictions.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))[::50]
    for row in rows:
        said = run("label-image", "--graph", graph, EXAMPLE_FLOWERS / row["path"]).stdout
        label, score = said.splitlines()[0].rstrip(")").split(" (score=")
        assert label == row["prediction"] and float(score) == pytest.approx(
            float(row["score"]), abs=2e-5
        )


def test_classes_are_matched_by_name_and_strangers_named(
    trained: Path, run: Run, tmp_path: Path
) -> None:
    """Folders in another order and form, one class that the graph lacks and two without photos."""
    tree = tmp_path / "tree"
    for name, source in (("Tulips", "tulips"), ("aardvarks", "roses"), ("daisy", "daisy")):
        (tree / name).mkdir(parents=True)
        for photo in sorted((EXAMPLE_FLOWERS / source).iterdir())[:10]:
            (tree / name / photo.name).write_bytes(photo.read_bytes())
    (tree / "daisy" / "broken.jpg").write_bytes(b"no photo")
    done = run("retrain", "evaluate", "--graph", trained / "output_graph.pb", "--image_dir", tree)
    assert done.returncode == 0, done.stderr
    assert "the graph does not know 'aardvarks'; photos in such folders are left out" in done.stderr
    assert "no photos of 3 classes of the graph: 'dandelion', 'roses', 'sunflowers'" in done.stderr
    assert "set aside daisy/broken.jpg" in done.stderr
    with open(tmp_path / "work/output_graph_on_tree/predictions.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert Counter(row["truth"] for row in rows) == {"daisy": 10, "tulips": 10}
    assert sum(row["truth"] == row["prediction"] for row in rows) > 14


def test_a_graph_that_knows_no_class_is_refused(
    trained: Path, colour_tree: Path, run: Run, tmp_path: Path
) -> None:
    done = run("retrain", "evaluate", "--graph", trained / "output_graph.pb", "--image_dir",
               colour_tree)  # fmt: skip
    assert done.returncode == 1
    assert "knows none of the classes" in done.stderr
    assert list((tmp_path / "work").iterdir()) == []


def test_labels_from_elsewhere_are_enough_for_the_whole_report(
    trained: Path, run: Run, tmp_path: Path
) -> None:
    """A graph that carries none, and has none beside it."""
    graph = read_graph(trained / "output_graph.pb")
    kept = [node for node in graph.node if node.name != NODE]
    del graph.node[:]
    graph.node.extend(kept)
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare" / "graph.pb").write_bytes(graph.SerializeToString())
    done = run("retrain", "evaluate", "--graph", tmp_path / "bare" / "graph.pb", "--labels",
               trained / "output_labels.txt", "--image_dir", EXAMPLE_FLOWERS)  # fmt: skip
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "work/graph_on_flowers/report.html").read_text(encoding="utf-8")
    assert 'alt="where it speaks for the answer"' in page


def test_an_old_graph_with_its_labels_file(shared: Path, run: Run, tmp_path: Path) -> None:
    """Made in 2018 by the older script; its labels are in that script's form."""
    folder = shared / "legacy" / "poets_mobilenet_v1_0.25_128"
    labels = (folder / "retrained_labels.txt").read_text().split("\n")[:2]
    tree = tmp_path / "tree"
    for label, source in zip(labels, ("daisy", "roses"), strict=True):
        (tree / label).mkdir(parents=True)
        for photo in sorted((EXAMPLE_FLOWERS / source).iterdir())[:3]:
            (tree / label / photo.name).write_bytes(photo.read_bytes())
    done = run("retrain", "evaluate", "--graph", folder / "retrained_graph.pb", "--labels",
               folder / "retrained_labels.txt", "--image_dir", tree)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "the graph does not say how its pixels are scaled" in done.stderr
    facts = (tmp_path / "work" / "retrained_graph_on_tree" / "evaluation.json").read_text()
    assert json.loads(facts)["count"] == 6 and json.loads(facts)["judged"] == "unknown"
    assert "nobody knows which of the 6 photos the graph was made of" in done.stderr


def test_gates_of_evaluate(trained: Path, run: Run, tmp_path: Path) -> None:
    start = ("evaluate", "--graph", trained / "output_graph.pb", "--image_dir", EXAMPLE_FLOWERS,
             "--no-report")  # fmt: skip
    assert run("retrain", *start, "--assert_accuracy", 0.5).returncode == 0
    failed = run("retrain", *start, "--assert_recall", "daisy=1", "--assert_recall", "roses=1")
    assert failed.returncode == 3
    assert failed.stderr.splitlines()[-1].startswith("retrain evaluate: not good enough: recall")
    assert (tmp_path / "work" / "output_graph_on_flowers" / "evaluation.json").is_file()


def test_audit_needs_no_training_and_writes_its_findings(
    colour_tree: Path, run: Run, tmp_path: Path
) -> None:
    (colour_tree / "red" / "blank.png").write_bytes((colour_tree / "red/001.png").read_bytes())
    (colour_tree / "green" / "broken.png").write_bytes(b"\x89PNG no more")
    done = run("retrain", "audit", "--image_dir", colour_tree, "--tfhub_module", TINY,
               "--output_dir", "found")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "exact duplicate" in done.stdout
    folder = tmp_path / "work" / "found"
    with open(folder / "audit.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    facts = json.loads((folder / "audit.json").read_text())
    assert len(rows) == len(facts["findings"]) == sum(facts["counts"].values())
    kinds = {(row["kind"], row["path"]) for row in rows}
    assert ("broken", "green/broken.png") in kinds
    (pair,) = [row for row in rows if row["kind"] == "exact_duplicate"]
    assert {pair["path"], pair["other"]} == {"red/001.png", "red/blank.png"}
    # Nothing but the two files was written: no list beside a graph that does not exist.
    assert sorted(p.name for p in (tmp_path / "work").iterdir()) == ["found"]
    again = run("retrain", "audit", "--image_dir", colour_tree, "--tfhub_module", TINY)
    assert again.stdout.replace("/found/", "/") == done.stdout.replace("/found/", "/")
    assert "Looking at" not in again.stderr  # kept for just these photos


@pytest.mark.parametrize("command", ["audit", "evaluate", "modules"])
def test_help_of_the_other_commands(command: str, run: Run) -> None:
    done = run("retrain", command, "--help")
    assert done.returncode == 0 and done.stdout.startswith(f"Usage: retrain {command}")
