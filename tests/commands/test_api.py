"""`import retrain`: the commands' own functions; run.json and --config; --compare_with."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import EXAMPLE_FLOWERS, TINY, Run

import retrain
from retrain.config import SETTINGS
from retrain.errors import RetrainError, UsageFault

pytestmark = pytest.mark.slow


def test_train_and_load(colour_tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
                        monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    result = retrain.train(
        colour_tree, tfhub_module=TINY, how_many_training_steps=100, output_graph="out/g.pb",
        summaries_dir=None,
    )  # fmt: skip
    assert result.assessment.metrics.accuracy == 1.0
    assert result.labels == ("blue", "green", "red")
    photos = [colour_tree / "red" / "001.png", str(colour_tree / "blue" / "002.png")]
    first, second = retrain.load("out/g.pb").label(photos, top_k=2)
    assert (first.labels[0][0], second.labels[0][0]) == ("red", "blue")
    assert len(first.labels) == 2 and first.problem is None
    (missing,) = retrain.load("out/g.pb").label([tmp_path / "no.jpg"])
    assert missing.problem is not None and missing.labels == []
    assert capsys.readouterr().err == ""


def test_load_without_a_graph_knows_imagenet() -> None:
    (named,) = retrain.load().label([sorted((EXAMPLE_FLOWERS / "daisy").iterdir())[0]])
    assert named.labels[0][0] == "daisy"


def test_an_old_graph_is_loaded_with_a_warning(shared: Path) -> None:
    folder = shared / "legacy" / "poets_mobilenet_v1_0.25_128"
    old = retrain.load(folder / "retrained_graph.pb", labels=folder / "retrained_labels.txt")
    with pytest.warns(UserWarning, match="how its pixels are scaled"):
        (row,) = old.label([sorted((EXAMPLE_FLOWERS / "daisy").iterdir())[0]])
    assert len(row.labels) == 5


def test_faults_are_exceptions(colour_tree: Path, tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="learning_rates"):
        retrain.train(colour_tree, learning_rates=1)
    with pytest.raises(UsageFault, match="--learning_rate"):
        retrain.train(colour_tree, learning_rate=0)
    with pytest.raises(RetrainError, match="cannot read graph"):
        retrain.load(tmp_path / "no.pb").label(["x.jpg"])


def test_importing_it_is_light() -> None:
    script = "import sys, retrain; print(sorted({'numpy', 'click', 'openvino'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr


def test_a_run_record_repeats_the_run_to_the_bit(
    colour_tree: Path, run: Run, tmp_path: Path
) -> None:
    options = ("--tfhub_module", TINY, "--how_many_training_steps", 77, "--seed", 5, "--sampling",
               "uniform", "--no-report", "--no-calibration", "--flip_left_right",
               "--distortion_copies", 1, "--assert_recall", "red=0.1", "--input_range", "0,1",
               "--reject_precision", 0.5)  # fmt: skip
    assert run("retrain", "--image_dir", colour_tree, *options).returncode == 0
    work = tmp_path / "work"
    record = json.loads((work / "run.json").read_text())
    assert set(record["settings"]) == SETTINGS.keys()
    assert record["settings"]["seed"] == {"value": 5, "from": "command line"}
    assert record["settings"]["train_batch_size"] == {"value": 100, "from": "default"}
    assert record["module"]["name"] == TINY and len(record["data"]["digest"]) == 32
    done = run("retrain", "--config", "run.json", "--output_graph", "again/output_graph.pb")
    assert done.returncode == 0, done.stderr
    assert not (work / "again" / "report.html").exists()
    again = json.loads((work / "again" / "run.json").read_text())
    assert again["settings"]["seed"] == {"value": 5, "from": "config"}
    assert again["settings"]["output_graph"]["from"] == "command line"
    assert (work / "again/output_graph.pb").read_bytes() == (work / "output_graph.pb").read_bytes()
    changed = run("retrain", "--config", "run.json", "--seed", 6, "--output_graph", "c/g.pb")
    assert changed.returncode == 0
    assert (work / "c/g.pb").read_bytes() != (work / "output_graph.pb").read_bytes()


def test_other_files_are_no_run_records(run: Run, tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    (work / "a.json").write_text("[1, 2]")
    (work / "later.json").write_text('{"format": 2, "settings": {"new": {"value": 1}}}')
    for name, said in (("a.json", "holds no settings"), ("later.json", "another version"),
                       ("missing.json", "cannot read settings")):  # fmt: skip
        done = run("retrain", "--config", name)
        assert done.returncode == 1 and said in done.stderr, done.stderr


def test_an_earlier_graph_is_asked_about_the_same_photos(
    colour_tree: Path, run: Run, tmp_path: Path
) -> None:
    """The earlier one knows two classes of three, and was hardly trained."""
    (colour_tree / "green").rename(tmp_path / "green")
    start = ("--image_dir", colour_tree, "--tfhub_module", TINY, "--no-report",
             "--testing_percentage", 30)  # fmt: skip
    assert run("retrain", *start, "--how_many_training_steps", 0,
               "--output_graph", "old.pb").returncode == 0  # fmt: skip
    before = (tmp_path / "work" / "old_predictions.csv").read_text()
    (tmp_path / "green").rename(colour_tree / "green")
    done = run("retrain", *start, "--how_many_training_steps", 300, "--compare_with", "old.pb")
    assert done.returncode == 0, done.stderr
    (line,) = [text for text in done.stdout.splitlines() if text.startswith("Compared with")]
    after = (tmp_path / "work" / "predictions.csv").read_text()
    tested = [row for row in after.splitlines() if ",test," in row]
    common = [row for row in tested if ",green," not in row.split(",test,")[1][:7] + ","]
    both = [row for row in tested if row.split(",")[2] != "green"]
    assert f"on {len(both)} test photos: 100.0% instead of " in line
    # Old test photos are test photos still.
    old_tests = {row.split(",")[0] for row in before.splitlines() if ",test," in row}
    assert old_tests == {row.split(",")[0] for row in both}
    assert common
    bad = run("retrain", *start, "--compare_with", "no.pb")
    assert bad.returncode == 1 and "cannot read graph" in bad.stderr
