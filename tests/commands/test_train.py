"""The main job from its command line."""

import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import numpy as np
from conftest import EXAMPLE_FLOWERS, TINY, Run, age, write_colour_tree, write_picture
from PIL import Image

FAST = ("--tfhub_module", TINY, "--how_many_training_steps", 200, "--no-report")

watched: list[str] = []  # a folder below which openings are counted
opened: list[str] = []


def count_opening(event: str, arguments: tuple[object, ...]) -> None:
    """A hook of Python's, which stays for the whole process."""
    if event == "open" and watched and str(arguments[0]).startswith(watched[0]):
        opened.append(str(arguments[0]))


@contextmanager
def openings_below(folder: Path) -> Iterator[list[str]]:
    hooked()
    opened.clear()
    watched.append(str(folder))
    yield opened
    watched.clear()


@cache
def hooked() -> None:
    sys.addaudithook(count_opening)


def counts(stderr: str) -> tuple[int, int, int]:
    """Features computed, features cached, photos read, as the run says."""
    found = re.search(r"(\d+) features? computed, (\d+) cached; (\d+) photos? read", stderr)
    assert found, stderr
    return int(found[1]), int(found[2]), int(found[3])


def test_train_writes_graph_and_labels(colour_tree: Path, run: Run, tmp_path: Path) -> None:
    done = run("retrain", "--image_dir", colour_tree, *FAST)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "work/output_labels.txt").read_text() == "blue\ngreen\nred\n"
    assert (tmp_path / "work/output_graph.pb").stat().st_size > 500_000
    assert "Final test accuracy = 100.0% (N=" in done.stdout
    assert re.search(r"^class +train +validation +test$", done.stdout, re.M)
    assert str(tmp_path / "work/output_graph.pb") in done.stdout
    assert "Use it: label-image --graph output_graph.pb PHOTO" in done.stderr
    assert re.search(r"Checked: (\d+) of \1 test photos", done.stderr)


def test_step_lines_are_those_of_retrain_py(colour_tree: Path, run: Run) -> None:
    done = run("retrain", "--image_dir", colour_tree, *FAST, "--log_every", 10)
    stamp = r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}: "
    steps = re.findall(stamp + r"Step (\d+): Train accuracy = \d+\.\d%$", done.stderr, re.M)
    assert steps == [str(step) for step in [*range(0, 200, 10), 199]]
    assert re.search(stamp + r"Step 10: Cross entropy = \d\.\d{6}$", done.stderr, re.M)
    assert re.search(
        stamp + r"Step 10: Validation accuracy = \d+\.\d% \(N=100\)$", done.stderr, re.M
    )


def test_second_run_computes_and_reads_nothing(run: Run, tmp_path: Path) -> None:
    tree = write_colour_tree(tmp_path / "tree")
    own = ("--bottleneck_dir", tmp_path / "b")
    with openings_below(tree) as opened:
        first = run("retrain", "--image_dir", tree, *FAST, *own)
        assert counts(first.stderr) == (72, 0, 72)
        assert len(opened) >= 72

    with openings_below(tree) as opened:
        second = run("retrain", "--image_dir", tree, *FAST, *own)
        assert counts(second.stderr) == (0, 72, 0)
        assert opened == []

    renamed = tmp_path / "renamed"
    shutil.copytree(tree, renamed)
    with openings_below(renamed) as opened:
        third = run("retrain", "--image_dir", renamed, *FAST, *own)
        assert counts(third.stderr) == (0, 72, 72)
        assert len(opened) == 72

    changed = renamed / "red" / "005.png"
    pixels = np.asarray(Image.open(changed)).copy()
    pixels[0, 0] ^= 1
    Image.fromarray(pixels).save(changed)
    age(renamed)  # all times change: each file is read for its digest, one feature computed
    fourth = run("retrain", "--image_dir", renamed, *FAST, *own)
    assert counts(fourth.stderr)[:2] == (1, 71)


def test_another_module_is_another_cache(colour_tree: Path, run: Run, tmp_path: Path) -> None:
    small = ("--how_many_training_steps", 10, "--no-report", "--bottleneck_dir", tmp_path / "b")
    first = run("retrain", "--image_dir", colour_tree, "--tfhub_module", TINY, *small)
    assert counts(first.stderr)[0] == 72
    second = run("retrain", "--image_dir", colour_tree, "--precision", "bf16", *FAST[:2], *small)
    assert counts(second.stderr) == (72, 0, 0)


def test_same_seed_same_bytes(colour_tree: Path, run: Run, tmp_path: Path) -> None:
    def outputs(name: str, seed: int) -> tuple[bytes, bytes]:
        done = run("retrain", "--image_dir", colour_tree, *FAST, "--seed", seed,
                   "--output_graph", f"{name}.pb", "--checkpoint_path", f"{name}-head")  # fmt: skip
        assert done.returncode == 0, done.stderr
        with np.load(tmp_path / f"work/{name}-head.npz") as head:
            weights = head["weights"].tobytes() + head["biases"].tobytes()
        return weights, (tmp_path / f"work/{name}.pb").read_bytes()

    first, again, other = outputs("a", 7), outputs("b", 7), outputs("c", 8)
    assert first == again
    assert first[0] != other[0]


def test_zero_steps_gives_an_untrained_head(colour_tree: Path, run: Run, tmp_path: Path) -> None:
    done = run("retrain", "--image_dir", colour_tree, *FAST, "--how_many_training_steps", 0)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "work/output_graph.pb").exists()


def test_no_test_photos_still_exports(colour_tree: Path, run: Run, tmp_path: Path) -> None:
    done = run("retrain", "--image_dir", colour_tree, *FAST, "--testing_percentage", 0)
    assert done.returncode == 0, done.stderr
    assert "Final test accuracy" not in done.stdout
    assert "Checked: 16 of 16 train photos" in done.stderr
    assert "there is no test photo" in done.stderr
    assert (tmp_path / "work/output_graph.pb").exists()


def test_given_sets_are_taken(tmp_path: Path, run: Run) -> None:
    for set_name, photos in (("train", 8), ("val", 3), ("test", 2)):
        write_colour_tree(tmp_path / "tree" / set_name, photos)
    done = run("retrain", "--image_dir", tmp_path / "tree", *FAST)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^red +8 +3 +2$", done.stdout, re.M)


def test_misclassified_photos_are_listed(run: Run) -> None:
    done = run("retrain", "--image_dir", EXAMPLE_FLOWERS, *FAST, "--testing_percentage", 40,
               "--print_misclassified_test_images")  # fmt: skip
    assert done.returncode == 0, done.stderr
    accuracy = re.search(r"Final test accuracy = ([\d.]+)% \(N=(\d+)\)", done.stdout)
    assert accuracy
    wrong = done.stdout.split("=== MISCLASSIFIED TEST IMAGES ===\n")[1]
    lines = re.findall(r"^ *(\S+\.jpg)  (\w+)$", wrong, re.M)
    assert len(lines) == round(int(accuracy[2]) * (1 - float(accuracy[1]) / 100))
    for path, predicted in lines:
        assert Path(path).is_file()
        assert Path(path).parent.name != predicted


def test_small_classes_are_warned_of_twice(tmp_path: Path, run: Run) -> None:
    tree = write_colour_tree(tmp_path / "tree", photos=4)
    (tree / "empty").mkdir()
    done = run("retrain", "--image_dir", tree, *FAST)
    assert done.returncode == 0, done.stderr
    for remark in ("class 'red' has 4 photos, fewer than 20", "folder 'empty' holds no photo"):
        assert done.stderr.count(remark) == 2


def test_distortions_keep_the_cache(colour_tree: Path, run: Run, tmp_path: Path) -> None:
    distorted = ("--flip_left_right", "--random_crop", 10, "--random_scale", 10,
                 "--random_brightness", 10, "--distortion_copies", 2,
                 "--bottleneck_dir", tmp_path / "b")  # fmt: skip
    first = run("retrain", "--image_dir", colour_tree, *FAST, *distorted)
    assert first.returncode == 0, first.stderr
    trained = int(re.search(r"^total +(\d+)", first.stdout, re.M)[1])  # type: ignore[index]
    assert counts(first.stderr)[0] == 72 + 2 * trained
    second = run("retrain", "--image_dir", colour_tree, *FAST, *distorted)
    assert counts(second.stderr) == (0, 72 + 2 * trained, 0)
    assert second.stdout.split("TensorBoard")[0] == first.stdout.split("TensorBoard")[0]


def test_new_photos_are_computed_alone(colour_tree: Path, run: Run, tmp_path: Path) -> None:
    own = ("--bottleneck_dir", tmp_path / "b")
    run("retrain", "--image_dir", colour_tree, *FAST, *own)
    write_picture(colour_tree / "red" / "new.png", (210, 30, 30), seed=99)
    done = run("retrain", "--image_dir", colour_tree, *FAST, *own)
    assert counts(done.stderr) == (1, 72, 1)


def test_python_m_retrain_is_the_command(run: Run) -> None:
    done = run("retrain", "--version")
    assert (done.returncode, done.stdout.split()[0]) == (0, "retrain,")
