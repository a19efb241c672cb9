"""What goes wrong in life: one line that says what to do, and nothing lost."""

import csv
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import TINY, Run, age, write_colour_tree, write_picture
from PIL import Image
from run_commands import PATIENCE_S

FAST = ("--tfhub_module", TINY, "--how_many_training_steps", 50, "--no-report")


def make_broken(tree: Path) -> dict[str, str]:
    """Puts broken files beside good ones; file name to a part of the reason."""
    red = tree / "red"
    (red / "empty.jpg").write_bytes(b"")
    (red / "text.jpg").write_text("this is no picture")
    Image.open(red / "000.png").resize((200, 200)).save(red / "whole.jpg")
    whole = (red / "whole.jpg").read_bytes()
    (red / "half.jpg").write_bytes(whole[: len(whole) // 2])
    (red / "whole.jpg").unlink()
    (red / "gone.jpg").symlink_to(red / "nowhere.jpg")
    os.mkfifo(red / "pipe.jpg")
    return {
        "empty.jpg": "the file is empty",
        "text.jpg": "not a JPEG, PNG",
        "half.jpg": "truncated",
        "gone.jpg": "a broken link",
        "pipe.jpg": "not a regular file",
    }


def test_broken_files_are_set_aside(colour_tree: Path, run: Run, tmp_path: Path) -> None:
    broken = make_broken(colour_tree)
    before = {p: p.stat().st_mtime_ns for p in colour_tree.rglob("*.png")}
    done = run("retrain", "--image_dir", colour_tree, *FAST)
    assert done.returncode == 0, done.stderr
    with open(tmp_path / "work/set_aside.csv", newline="") as file:
        listed = {row["file"]: row["reason"] for row in csv.DictReader(file)}
    assert listed.keys() == {f"red/{name}" for name in broken}
    for name, reason in broken.items():
        assert reason in listed[f"red/{name}"]
        assert done.stderr.count(f"set aside red/{name}: ") == 2  # at once, and at the end
    assert f"{tmp_path}/work/set_aside.csv (5)" in done.stdout
    assert {p: p.stat().st_mtime_ns for p in colour_tree.rglob("*.png")} == before

    again = run("retrain", "--image_dir", colour_tree, *FAST)
    assert "0 features computed" in again.stderr


def test_strict_makes_them_an_error_and_keeps_the_features(
    colour_tree: Path, run: Run, tmp_path: Path
) -> None:
    make_broken(colour_tree)
    own = ("--bottleneck_dir", tmp_path / "b")
    done = run("retrain", "--image_dir", colour_tree, *FAST, *own, "--strict")
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith("retrain: --strict: 5 files cannot be used, the first: red/empty.jpg")
    assert str(tmp_path / "work/set_aside.csv") in last
    assert not (tmp_path / "work/output_graph.pb").exists()
    relaxed = run("retrain", "--image_dir", colour_tree, *FAST, *own)
    assert "0 features computed, 75 cached" in relaxed.stderr  # 72 photos, 3 known as broken


def test_a_class_of_broken_files_only_is_left_out(colour_tree: Path, run: Run) -> None:
    (colour_tree / "junk").mkdir()
    (colour_tree / "junk" / "a.jpg").write_text("no")
    done = run("retrain", "--image_dir", colour_tree, *FAST)
    assert done.returncode == 0, done.stderr
    assert "class folder 'junk' holds no usable photo; it is left out" in done.stderr


def one_class(root: Path) -> None:
    write_picture(root / "only" / "a.png", (1, 2, 3), 0)


def one_level_too_high(root: Path) -> None:
    write_colour_tree(root / "photos", 2)


def one_class_folder(root: Path) -> None:
    write_picture(root / "a.png", (1, 2, 3), 0)


def broken_but_one(root: Path) -> None:
    write_picture(root / "good" / "a.png", (1, 2, 3), 0)
    (root / "bad").mkdir()
    (root / "bad" / "a.png").write_text("no")


def line_break(root: Path) -> None:
    write_picture(root / "a\nb" / "a.png", (1, 2, 3), 0)
    write_picture(root / "c" / "a.png", (3, 2, 1), 0)


def nothing(root: Path) -> None:
    root.mkdir()


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (nothing, "holds no folder with photos: make one folder per class"),
        (one_class, "has one class only, 'only': a classifier needs two or more folders"),
        (one_level_too_high, "if those are the classes, give --image_dir"),
        (one_class_folder, "if this is one class, give its parent, --image_dir"),
        (broken_but_one, "only 'good' has photos that can be used"),
        (line_break, "has a line break in its name: rename it"),
    ],
)
def test_unusable_trees_are_refused(
    make: Callable[[Path], None], said: str, run: Run, tmp_path: Path
) -> None:
    make(tmp_path / "tree")
    work = tmp_path / "work"
    work.mkdir()
    (work / "output_graph.pb").write_text("the last run's")
    done = run("retrain", "--image_dir", tmp_path / "tree", *FAST)
    assert done.returncode == 1
    assert said in done.stderr.splitlines()[-1]
    assert (work / "output_graph.pb").read_text() == "the last run's"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--image_dir", "nowhere"), 1, "/work/nowhere does not exist: give --image_dir"),
        (("--learning_rate", "0"), 2, "--learning_rate 0: give a number from 1e-12 up to 1,000"),
        (("--eval_step_interval", "0"), 2, "--eval_step_interval 0: give a whole number from 1"),
        (("--train_batch_size", "0"), 2, "--train_batch_size 0: give a whole number from 1 up to"),
        (("--testing_percentage", "60", "--validation_percentage", "40"), 2, "must be under 100"),
        (("--testing_percentage", "-1"), 2, "--testing_percentage -1: give a whole number from 0"),
        (("--final_tensor_name", "a b"), 2, "'a b' is no name for a TensorFlow operation"),
        (("--final_tensor_name", "Placeholder"), 2, "is in use inside the graph"),
        (("--tfhub_module", "mobilenet_v1_100_225"), 2, "did you mean mobilenet_v1_100_224?"),
        (("--architecture", "inception_v33"), 2, "did you mean inception_v3?"),
        (("--tfhub_module", "gs://bucket/x/1"), 2, "only http:// and https:// can be fetched"),
        (("--tfhub_module", "."), 1, "holds no saved_model.pb"),
        (("--architecture", TINY, "--tfhub_module", "x"), 2, "name two modules: give one"),
        (("--output_graph", "/proc/no/graph.pb"), 1, "--output_graph: cannot write into /proc/no"),
        (("--output_labels", "."), 1, "is a folder: give the name of a file"),
        (("--summaries_dir", "/proc/no"), 1, "--summaries_dir: cannot write into /proc/no"),
        (("--bottleneck_dir", "/proc/no"), 1, "--bottleneck_dir: cannot write into /proc/no"),
        (("--saved_model_dir", "."), 2, "which is no version of a SavedModel: name a new folder"),
    ],
)
def test_bad_arguments_are_refused_before_the_work(
    arguments: tuple[str, ...], code: int, said: str, colour_tree: Path, run: Run, tmp_path: Path
) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "work/keep.txt").touch()
    tree = ("--image_dir", colour_tree) if arguments and "--image_dir" not in arguments else ()
    done = run("retrain", *tree, *arguments)
    assert done.returncode == code
    assert done.stderr.startswith("retrain: ") and said in done.stderr
    assert done.stderr.count("\n") == 1
    left = {p.name for p in (tmp_path / "work").iterdir()} - {"retrain_logs"}
    assert left == {"keep.txt"}


def test_too_large_a_learning_rate_is_named(colour_tree: Path, run: Run, tmp_path: Path) -> None:
    done = run("retrain", "--image_dir", colour_tree, *FAST, "--learning_rate", "1000",
               "--l2", "1000", "--how_many_training_steps", 20)  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert re.search("training diverged at step [0-9]+ with --learning_rate 1000", done.stderr)
    assert "RuntimeWarning" not in done.stderr


def test_legacy_labels_that_collide_are_refused(tmp_path: Path, run: Run) -> None:
    for name in ("C++", "C#"):
        write_picture(tmp_path / "tree" / name / "a.png", (9, 9, 9), len(name))
    done = run("retrain", "--image_dir", tmp_path / "tree", *FAST, "--legacy_labels")
    assert done.returncode == 1
    assert "'C#' and 'C++' both become the label 'c '" in done.stderr


def test_odd_names_survive_to_the_labels(tmp_path: Path, run: Run) -> None:
    names = ["C#", "C++", "[x]", " blank ", "日本", "🌷", "a_b"]
    for number, name in enumerate(names):
        for photo in range(3):
            path = tmp_path / "tree" / name / f"é {photo} [1].png"
            write_picture(path, (30 * number, 200 - 20 * number, 90), 10 * number + photo)
    (tmp_path / "tree" / ".hidden").mkdir()
    age(tmp_path / "tree")
    done = run("retrain", "--image_dir", tmp_path / "tree", *FAST, LC_ALL="C", PYTHONUTF8="0")
    assert done.returncode == 0, done.stderr
    labels = (tmp_path / "work/output_labels.txt").read_text(encoding="utf-8").splitlines()
    assert labels == sorted(names)


@pytest.mark.slow
def test_full_disk_keeps_what_was_there(colour_tree: Path, tmp_path: Path) -> None:
    """A real full disk: a small tmpfs for the outputs, mounted in a private namespace."""
    script = f"""
set -e
mount -t tmpfs -o size=600k none {tmp_path}/small
echo old > {tmp_path}/small/output_graph.pb
cd {tmp_path}/small
exec {sys.executable} -m retrain --image_dir {colour_tree} --tfhub_module {TINY} \\
  --how_many_training_steps 20 --summaries_dir ''
"""
    (tmp_path / "small").mkdir()
    probe = shutil.which("unshare") and subprocess.run(
        ["unshare", "-m", "mount", "-t", "tmpfs", "none", tmp_path / "small"], capture_output=True
    )
    if not probe or probe.returncode:
        pytest.skip("mounting a small disk needs root")
    check = f"code=0; ( {script} ) || code=$?; cat {tmp_path}/small/output_graph.pb; exit $code"
    done = subprocess.run(
        ["unshare", "-m", "bash", "-c", check], capture_output=True, text=True, timeout=PATIENCE_S
    )
    assert done.returncode == 1
    assert "retrain: the disk is full: could not write" in done.stderr.splitlines()[-1]
    assert done.stdout.splitlines()[-1] == "old"
