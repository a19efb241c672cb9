"""Gates for CI: exit code 3 with one line, and no earlier classifier is replaced."""

from pathlib import Path

import numpy as np
import pytest
from conftest import TINY, Run

from retrain.errors import GateFault, UsageFault
from retrain.evaluation.config import GateConfig, parse_recall
from retrain.evaluation.gates import check_gates
from retrain.evaluation.metrics import Metrics, compute_metrics
from retrain.export.config import rejected

FAST = ("--tfhub_module", TINY, "--how_many_training_steps", 50)


def metrics(truth: list[int], predicted: list[int]) -> Metrics:
    """Of two classes, `a` and `b`."""
    probabilities = np.eye(2)[predicted].reshape(-1, 2)
    return compute_metrics(
        probabilities, np.array(truth, np.int64), ["a", "b"], rng=np.random.default_rng(0)
    )


def test_what_is_good_enough_passes() -> None:
    judged = metrics([0, 0, 1, 1], [0, 0, 1, 0])
    gates = GateConfig(assert_accuracy=0.75, assert_recall=(("a", 1.0), ("b", 0.5)), max_leaks=2)
    check_gates(gates, judged, leaks=2)
    check_gates(GateConfig(), judged, leaks=100)
    check_gates(GateConfig(), None, leaks=5)


def test_all_faults_stand_in_one_line() -> None:
    judged = metrics([0, 0, 1, 1], [0, 0, 1, 0])
    gates = GateConfig(assert_accuracy=0.76, assert_recall=(("a", 1.0), ("b", 0.6)), max_leaks=0)
    with pytest.raises(GateFault) as fault:
        check_gates(gates, judged, leaks=1)
    assert str(fault.value) == (
        "not good enough: accuracy is 0.7500 (N=4), --assert_accuracy 0.76; recall of b is 0.5000 "
        "(N=2), --assert_recall b=0.6; leaks between sets: 1, --max_leaks 0; all files were written"
    )


def test_no_photos_are_not_good_enough() -> None:
    with pytest.raises(GateFault, match=r"accuracy is unknown \(N=0\)"):
        check_gates(GateConfig(assert_accuracy=0.1), metrics([], []))


def test_recalls_are_read_from_text() -> None:
    assert parse_recall("daisy=0.8") == ("daisy", 0.8)
    assert parse_recall("a=b=1") == ("a=b", 1.0)
    for text in ("daisy", "=0.5", "daisy=", "daisy=x", "daisy=0", "daisy=1.5", "daisy=nan"):
        with pytest.raises(UsageFault, match="--assert_recall"):
            parse_recall(text)


def test_a_failed_gate_ends_with_3_and_names_the_files(
    colour_tree: Path, run: Run, tmp_path: Path
) -> None:
    (colour_tree / "green" / "000.png").rename(colour_tree / "red" / "g.png")
    done = run("retrain", "--image_dir", colour_tree, *FAST, "--assert_recall", "red=1",
               "--assert_recall", "blue=1", "--assert_accuracy", 1, "--testing_percentage", 60,
               "--seed", 1)  # fmt: skip
    passed = "Final test accuracy = 100.0%" in done.stdout
    assert done.returncode == (0 if passed else 3), done.stderr
    if not passed:
        assert done.stderr.splitlines()[-1].startswith("retrain: not good enough: accuracy is 0.")
    work = tmp_path / "work"
    for name in ("output_graph.pb", "evaluation.json", "predictions.csv", "report.html"):
        path = work / name
        assert (path if passed else rejected(path)).is_file()
        assert path.exists() == passed


def test_leaks_fail_a_run_and_an_audit(colour_tree: Path, run: Run, tmp_path: Path) -> None:
    """The same photo, saved anew, in two sets that the user made."""
    for which, photos in (("train", range(16)), ("test", range(16, 24))):
        for colour in ("red", "green", "blue"):
            for photo in photos:
                target = tmp_path / "sets" / which / colour / f"{photo}.png"
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes((colour_tree / colour / f"{photo:03}.png").read_bytes())
    start = ("--image_dir", tmp_path / "sets", "--tfhub_module", TINY)
    clean = run("retrain", "audit", *start, "--max_leaks", 1000)
    assert clean.returncode == 0, clean.stderr
    copy = tmp_path / "sets" / "test" / "red" / "copy.png"
    copy.write_bytes((colour_tree / "red" / "003.png").read_bytes())
    audit = run("retrain", "audit", *start, "--max_leaks", 0)
    assert audit.returncode == 3
    assert audit.stderr.splitlines()[-1].startswith(
        "retrain audit: not good enough: leaks between sets: "
    )
    trained = run("retrain", *start, "--how_many_training_steps", 5, "--max_leaks", 0)
    assert trained.returncode == 3
    assert trained.stderr.splitlines()[-1].endswith("/output_graph.rejected.pb")
    assert not (tmp_path / "work" / "output_graph.pb").exists()


def test_impossible_gates_are_refused_before_the_work(colour_tree: Path, run: Run) -> None:
    for arguments, said in (
        (("--assert_accuracy", "1.5"), "--assert_accuracy 1.5"),
        (("--assert_recall", "rose=0.5"), "no such class; there are blue, green, red"),
        (("--reject_precision", "0"), "--reject_precision 0"),
        (("--max_leaks", "-1"), "--max_leaks -1"),
        (("--tensorboard_projector", "--summaries_dir", ""), "needs a --summaries_dir"),
    ):
        done = run("retrain", "--image_dir", colour_tree, *FAST, *arguments)
        assert done.returncode == 2, done.stderr
        assert said in done.stderr.splitlines()[-1]
        assert "Step" not in done.stderr
