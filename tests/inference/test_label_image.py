"""`label-image` from its command line."""

import re
import shutil
from pathlib import Path

import pytest
from conftest import EXAMPLE_FLOWERS, Run
from run_commands import PATIENCE_S

DAISIES = sorted((EXAMPLE_FLOWERS / "daisy").glob("*.jpg"))
LINE = re.compile(r"^(.+) \(score=(\d\.\d{5})\)$")


def rows(stdout: str) -> list[tuple[str, float]]:
    found = [LINE.match(line) for line in stdout.splitlines()]
    assert all(found), stdout
    return [(match[1], float(match[2])) for match in found if match]


def test_one_photo_prints_the_old_lines(trained: Path, run: Run) -> None:
    done = run("label-image", "--graph", trained / "output_graph.pb", DAISIES[0])
    assert (done.returncode, done.stderr) == (0, "")
    found = rows(done.stdout)
    assert {label for label, _ in found} == {"daisy", "dandelion", "roses", "sunflowers", "tulips"}
    scores = [score for _, score in found]
    assert scores == sorted(scores, reverse=True)
    assert sum(scores) == pytest.approx(1, abs=1e-4)


def test_most_photos_get_their_own_class(trained: Path, run: Run) -> None:
    photos = sorted(EXAMPLE_FLOWERS.glob("*/*.jpg"))
    done = run("label-image", "--graph", trained / "output_graph.pb", "--top_k", 1, *photos)
    assert done.returncode == 0, done.stderr
    answers = re.findall(r"^(.+):\n(\w+) \(score=", done.stdout, re.M)
    assert [path for path, _ in answers] == [str(photo) for photo in photos]
    right = sum(Path(path).parent.name == label for path, label in answers)
    assert right / len(photos) > 0.9  # most of them were trained on


def test_the_graph_alone_is_enough(trained: Path, run: Run, tmp_path: Path) -> None:
    graph = tmp_path / "elsewhere.pb"
    shutil.copyfile(trained / "output_graph.pb", graph)
    moved = run("label-image", "--graph", graph, "--image", DAISIES[0])
    stayed = run("label-image", "--graph", trained / "output_graph.pb", DAISIES[0])
    assert moved.stdout == stayed.stdout


def test_a_broken_photo_does_not_stop_the_others(trained: Path, run: Run, tmp_path: Path) -> None:
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"no picture")
    done = run("label-image", "--graph", trained / "output_graph.pb", "--top_k", 1,
               DAISIES[0], bad, tmp_path / "missing.jpg", DAISIES[1])  # fmt: skip
    assert done.returncode == 1
    assert done.stdout.count("(score=") == 2
    assert f"label-image: {bad}: not a JPEG, PNG" in done.stderr
    assert f"{tmp_path}/missing.jpg: cannot be read: No such file or directory" in done.stderr


def test_imagenet_classes_without_a_graph(run: Run) -> None:
    done = run("label-image", "--top_k", 1, *DAISIES[:5])
    assert done.returncode == 0, done.stderr
    assert re.findall(r"^(\w+) \(score=", done.stdout, re.M) == ["daisy"] * 5


def test_labels_option_wins(trained: Path, run: Run, tmp_path: Path) -> None:
    (tmp_path / "fr.txt").write_text("pâquerette\r\npissenlit\nroses\ntournesols\ntulipes\n")
    names = ["pâquerette", "pissenlit", "roses", "tournesols", "tulipes"]
    given = ("--graph", trained / "output_graph.pb", "--num_top_predictions", 3, DAISIES[0])
    own = rows(run("label-image", *given).stdout)
    french = rows(run("label-image", "--labels", tmp_path / "fr.txt", *given).stdout)
    classes = ["daisy", "dandelion", "roses", "sunflowers", "tulips"]
    assert french == [(names[classes.index(label)], score) for label, score in own]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ((), 2, "no photo given"),
        (("--graph", "nowhere.pb", "{photo}"), 1, "/work/nowhere.pb: No such file"),
        (("--graph", "{photo}", "{photo}"), 1, "is not a frozen TensorFlow graph"),
        (("--graph", "{graph}", "--labels", "{labels}", "{photo}"), 1,
         "1 label for a graph with 5 classes: give the labels file"),
        (("--graph", "{graph}", "--labels", "nowhere.txt", "{photo}"), 1, "nowhere.txt: No such"),
        (("--graph", "{graph}", "--input_std", "0", "{photo}"), 2, "give a number from 1e-06"),
        (("--graph", "{graph}", "--output_layer", "softmax", "{photo}"), 1, "no layer 'softmax'"),
        (("--graph", "{graph}", "--input_layer", "Mul", "{photo}"), 1, "no layer 'Mul'"),
        (("--graph", "{graph}", "--grahp", "x", "{photo}"), 2, "Did you mean --graph?"),
        (("--top_k", "0", "{photo}"), 2, "--top_k"),
    ],
)  # fmt: skip
def test_bad_arguments_are_one_line(
    arguments: tuple[str, ...], code: int, said: str, trained: Path, run: Run, tmp_path: Path
) -> None:
    (tmp_path / "labels.txt").write_text("one\n")
    names = {"graph": trained / "output_graph.pb", "photo": DAISIES[0],
             "labels": tmp_path / "labels.txt"}  # fmt: skip
    done = run("label-image", *(argument.format(**names) for argument in arguments))
    assert done.returncode == code
    assert done.stderr.startswith("label-image: ") and said in done.stderr, done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_a_mean_of_zero_is_a_value(shared: Path, run: Run) -> None:
    """The old tool took 0 for 'not given' and used 128."""
    old = shared / "legacy" / "poets_mobilenet_v1_0.25_128"
    given = ("--graph", old / "retrained_graph.pb", "--labels", old / "retrained_labels.txt")
    photo = DAISIES[0]
    zero = run("label-image", *given, "--input_mean", 0, "--input_std", 255, photo)
    mid = run("label-image", *given, "--input_mean", 127.5, "--input_std", 127.5, photo)
    guessed = run("label-image", *given, photo)
    assert zero.returncode == mid.returncode == guessed.returncode == 0, guessed.stderr
    assert zero.stdout != mid.stdout == guessed.stdout
    assert "taken (x - 127.5) / 127.5, as older tools fed an input called 'input'" in guessed.stderr
    assert zero.stderr == mid.stderr == ""


def test_a_closed_pipe_ends_it_quietly(trained: Path, run: Run, tmp_path: Path) -> None:
    import subprocess
    import sys

    photos = " ".join(f"'{path}'" for path in DAISIES)
    command = (f"{sys.executable} -c 'import retrain.cli.label_image as m; m.main()' "
               f"--graph {trained}/output_graph.pb {photos} | head -n 1")  # fmt: skip
    done = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, timeout=PATIENCE_S
    )
    assert done.stdout.count("\n") == 1
    assert done.stderr == ""
