"""Ways to train more than a linear head, from the command line: hidden layer, fine-tuning, from
scratch; solvers; compare-heads."""

import json
import re
from pathlib import Path

import pytest
from conftest import TINY, Run

from retrain.artifacts.graphdef import read_graph
from retrain.artifacts.manifest import find_manifest

SMALL = ("--tfhub_module", TINY, "--no-report")


def manifest_of(path: Path) -> dict[str, object]:
    manifest = find_manifest(read_graph(path))
    assert manifest is not None
    return {**manifest.training, "backbone": manifest.backbone}


@pytest.mark.parametrize(
    "options",
    [
        ("--solver", "adam", "--learning_rate_schedule", "cosine", "--label_smoothing", "0.1"),
        ("--solver", "lbfgs"),
        ("--solver", "lbfgs", "--l2", "0.1", "--class_weight", "balanced"),
        ("--solver", "momentum", "--early_stopping", "--l2", "0.001"),
        ("--class_weight", "balanced", "--sampling", "uniform"),
        (
            "--hidden_units",
            "16",
            "--dropout",
            "0.1",
            "--learning_rate_schedule",
            "cosine",
            "--early_stopping",
            "--l2",
            "0.001",
            "--label_smoothing",
            "0.1",
            "--class_weight",
            "balanced",
            "--sampling",
            "uniform",
        ),
    ],
)
def test_each_way_trains_exports_and_labels(
    options: tuple[str, ...], colour_tree: Path, run: Run, tmp_path: Path
) -> None:
    done = run("retrain", "--image_dir", colour_tree, *SMALL, "--how_many_training_steps", 200,
               *options)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Final test accuracy = 100.0%" in done.stdout
    assert "get the same answer" in done.stderr
    labelled = run("label-image", "--graph", "output_graph.pb", colour_tree / "green" / "001.png")
    assert labelled.stdout.startswith("green (score=")


def test_a_hidden_layer_is_in_the_graph(colour_tree: Path, run: Run, tmp_path: Path) -> None:
    run("retrain", "--image_dir", colour_tree, *SMALL, "--how_many_training_steps", 20,
        "--hidden_units", 16)  # fmt: skip
    graph = read_graph(tmp_path / "work" / "output_graph.pb")
    names = {node.name for node in graph.node}
    assert {"Placeholder", "final_result", "input/BottleneckInputPlaceholder"} <= names
    assert "module/hidden_layer/MatMul" in names
    assert manifest_of(tmp_path / "work" / "output_graph.pb")["learning_rate"] == 0.001


def test_fine_tuning_is_compared_and_resumed(
    small_module: Path, colour_tree: Path, run: Run, tmp_path: Path
) -> None:
    command = ("retrain", "--image_dir", colour_tree, "--tfhub_module", small_module, "--solver",
               "lbfgs", "--no-report", "--fine_tune", "LAST_2", "--epochs", 2)  # fmt: skip
    done = run(*command)
    assert done.returncode == 0, done.stderr
    assert "Fine-tuned: 100.0% of " in done.stdout and "with the head only" in done.stdout
    work = tmp_path / "work"
    first = (work / "output_graph.pb").read_bytes()
    assert str(manifest_of(work / "output_graph.pb")["backbone"]).count("_tuned")
    labelled = run("label-image", "--graph", "output_graph.pb", colour_tree / "green" / "001.png")
    assert labelled.stdout.startswith("green (score=")
    again = run(*command, "--resume")
    assert again.returncode == 0, again.stderr
    assert "Epoch 1 of 2" not in again.stderr  # it was at its end
    assert (work / "output_graph.pb").read_bytes() == first
    changed = run(*command, "--resume", "--seed", 9)
    assert changed.returncode == 1  # the checkpoint belongs to another training


def test_a_network_from_scratch(colour_tree: Path, run: Run, tmp_path: Path) -> None:
    command = ("retrain", "--image_dir", colour_tree, "--architecture", "simple_cnn",
               "--input_size", 32, "--epochs", 12, "--learning_rate", 0.02)  # fmt: skip
    done = run(*command)
    assert done.returncode == 0, done.stderr
    assert "Epoch 12 of 12" in done.stderr
    facts = json.loads((tmp_path / "work" / "run.json").read_text())
    assert facts["module"]["name"] == "simple_cnn" and facts["module"]["height"] == 32
    assert facts["result"]["test_accuracy"] > 0.5
    labelled = run("label-image", "--graph", "output_graph.pb", colour_tree / "red" / "001.png")
    assert labelled.returncode == 0 and len(labelled.stdout.splitlines()) == 3
    assert (tmp_path / "work" / "report.html").is_file()
    first = (tmp_path / "work" / "output_graph.pb").read_bytes()
    again = run(*command, "--resume")
    assert again.returncode == 0, again.stderr
    assert "after epoch 12" in again.stderr and "Epoch 12 of 12" not in again.stderr
    assert (tmp_path / "work" / "output_graph.pb").read_bytes() == first


def test_a_network_from_scratch_on_fifteen_photos(run: Run, tmp_path: Path) -> None:
    from conftest import write_colour_tree

    tree = write_colour_tree(tmp_path / "few", photos=5)
    (tree / "red" / "broken.png").write_bytes(b"no picture")
    done = run("retrain", "--image_dir", tree, "--architecture", "simple_cnn", "--grayscale",
               "--input_size", 24, "--epochs", 2, "--class_weight", "balanced",
               "--label_smoothing", 0.1, "--early_stopping", "--no-report")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert re.search(r"^Kept epoch [012] of 2: its .* loss, .*, is the lowest", done.stderr, re.M)
    assert "set aside red/broken.png" in done.stderr
    assert json.loads((tmp_path / "work" / "run.json").read_text())["module"]["channels"] == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--solver", "lbfgs", "--early_stopping"), "takes no steps: leave out --early_stopping"),
        (("--l2", "auto"), "--l2 auto is for --solver lbfgs"),
        (("--l2", "much"), "--l2 much: give a number"),
        (("--label_smoothing", "1"), "--label_smoothing 1"),
        (("--class_weight", "balanced"), "would correct twice"),
        (("--hidden_units", "8", "--solver", "adam"), "do not go together"),
        (("--hidden_units", "8", "--fine_tune", "all"), "do not go together"),
        (("--dropout", "1"), "--dropout 1"),
        (("--fine_tune", "some"), "give all, or LAST_3"),
        (("--resume",), "--resume is for --fine_tune or --architecture simple_cnn"),
        (("--epochs", "3"), "--epochs is for --fine_tune or --architecture simple_cnn"),
        (("--grayscale",), "--grayscale is for --architecture simple_cnn"),
        (("--tfhub_module", "simple_cnn", "--l2", "1"), "simple_cnn does not go with --l2"),
        (
            ("--hidden_units", "8", "--class_weight", "balanced"),
            "--class_weight balanced with --sampling balanced would correct twice",
        ),
        (("--hidden_units", "8", "--checkpoint_path", "c"), "does not go with --checkpoint_path"),
        (("--fine_tune_learning_rate", "1"), "--fine_tune_learning_rate is for --fine_tune"),
    ],
)
def test_ways_that_do_not_fit_are_refused_before_the_work(
    options: tuple[str, ...], said: str, colour_tree: Path, run: Run
) -> None:
    done = run("retrain", "--image_dir", colour_tree, *SMALL, *options)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr and done.stderr.count("\n") == 1


def test_modules_that_cannot_be_tuned_are_refused(
    shared: Path, colour_tree: Path, run: Run, tmp_path: Path
) -> None:
    (module,) = (shared / "legacy" / "tf1_hub_module").iterdir()
    done = run("retrain", "--image_dir", colour_tree, "--tfhub_module", module, "--fine_tune",
               "all", "--model_dir", tmp_path / "m")  # fmt: skip
    assert done.returncode == 1
    assert "cannot be fine-tuned, it is in the TF1 format" in done.stderr.splitlines()[-1]
    assert "Step" not in done.stderr


def test_class_weights_help_small_classes(run: Run, tmp_path: Path) -> None:
    """200 photos of one class and 20 of the others, which look much the same."""
    from conftest import age, write_picture

    tree = tmp_path / "tree"
    for number, photos in enumerate((200, 20, 20, 20, 20)):
        for photo in range(photos):
            colour = (110 + 9 * number, 120, 150 - 9 * number)
            write_picture(tree / f"class{number}" / f"{photo:03}.png", colour,
                          1000 * number + photo, size=24)  # fmt: skip
    age(tree)
    balanced = {}
    for rule in ("none", "balanced"):
        done = run("retrain", "--image_dir", tree, *SMALL, "--sampling", "uniform",
                   "--class_weight", rule, "--how_many_training_steps", 400,
                   "--testing_percentage", 40, "--output_dir", rule)  # fmt: skip
        assert done.returncode == 0, done.stderr
        facts = json.loads((tmp_path / "work" / rule / "evaluation.json").read_text())
        balanced[rule] = facts["balanced_accuracy"]
    assert balanced["balanced"] > balanced["none"] + 0.02, balanced


def test_compare_heads_makes_one_table(colour_tree: Path, run: Run, tmp_path: Path) -> None:
    done = run("retrain", "compare-heads", "--image_dir", colour_tree, "--tfhub_module", TINY,
               "--how_many_training_steps", 60)  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows = done.stdout.splitlines()
    assert rows[0].split() == ["solver", "accuracy", "interval", "difference", "interval",
                               "seconds"]  # fmt: skip
    assert [row.split()[0].rstrip(",") for row in rows[1:]] == [
        "sgd", "sgd", "momentum", "adam", "lbfgs", "hidden"
    ]  # fmt: skip
    assert list((tmp_path / "work").iterdir()) == []
