"""`label-image --explain_input`: what a graph is fed, and how that is known."""

import re
from pathlib import Path

import graph_kinds
import pytest
from conftest import Run
from graph_kinds import LABELS


def rows(stdout: str) -> dict[str, tuple[str, str]]:
    """Value and source by the first word of each line."""
    cells = [re.split(r"\s{2,}", line) for line in stdout.splitlines()]
    assert all(len(row) == 3 for row in cells), stdout
    return {word: (value, source) for word, value, source in cells}


def explained(run: Run, *arguments: object) -> dict[str, tuple[str, str]]:
    done = run("label-image", *arguments, "--explain_input")
    assert (done.returncode, done.stderr) == (0, "")
    return rows(done.stdout)


def test_our_own_graph_knows_all_from_its_manifest(trained: Path, run: Run) -> None:
    found = explained(run, "--graph", trained / "output_graph.pb")
    assert found == {
        "format": ("frozen TensorFlow graph", str(trained / "output_graph.pb")),
        "input": ("Placeholder", "the manifest"),
        "size": ("128 x 128", "the manifest"),
        "scaling": ("pixel / 255, pixels from 0 to 255", "the manifest"),
        "recipe": (
            "rgb8,exif,alpha=white|squash:128x128,bilinear,reduce=2",
            "retrain, for every graph",
        ),
        "output": ("final_result", "the manifest"),
        "scores": ("as the graph gives them", "the manifest"),
        "classes": ("5", "the size of the output"),
        "labels": ("daisy, dandelion, roses, ...", "the manifest"),
    }


def test_the_user_is_named_where_he_decides(trained: Path, run: Run, tmp_path: Path) -> None:
    (tmp_path / "own.txt").write_text("\n".join(LABELS))
    found = explained(
        run, "--graph", trained / "output_graph.pb", "--input_mean", 1, "--input_height", 128,
        "--input_width", 128, "--labels", tmp_path / "own.txt",
        "--output_layer", "final_result:0",
    )  # fmt: skip
    assert found["scaling"] == (
        "(pixel - 1) / 255, pixels from 0 to 255", "--input_mean; the other: the manifest"
    )  # fmt: skip
    assert found["size"] == ("128 x 128", "--input_height and --input_width")
    assert found["output"] == ("final_result", "--output_layer")
    assert found["labels"] == ("ash, beech, cedar, ...", f"--labels {tmp_path}/own.txt")


def test_an_old_graph_says_what_is_guessed(shared: Path, run: Run) -> None:
    folder = shared / "legacy" / "poets_mobilenet_v1_0.25_128"
    found = explained(run, "--graph", folder / "retrained_graph.pb")
    assert found["input"] == ("input", "the only input that the output needs")
    assert found["scaling"] == (
        "(pixel - 127.5) / 127.5, pixels from 0 to 255",
        "a guess: as older tools fed an input called 'input'",
    )
    assert found["output"] == ("final_result", "the name that retraining tools give it")
    assert found["scores"] == ("as the graph gives them", "the output is a softmax")
    assert found["labels"][1].endswith(f"each class, {folder}/retrained_labels.txt")


def test_a_decoding_graph_is_read_not_guessed(run: Run, tmp_path: Path) -> None:
    graph_kinds.decoding_graph(tmp_path / "old.pb")
    found = explained(run, "--graph", tmp_path / "old.pb")
    assert found["input"] == ("Mul", "it takes what the graph makes of a decoded photo")
    assert found["size"] == ("32 x 32", "the graph's own resizing")
    assert found["scaling"] == (
        "(pixel - 128) / 128, pixels from 0 to 255",
        "the graph's own scaling of decoded photos",
    )
    assert found["labels"][0] == "none" and "give --labels" in found["labels"][1]


def test_a_scaling_layer_says_its_range(run: Run, tmp_path: Path) -> None:
    graph_kinds.keras_model(softmax=False).export(tmp_path / "keras", verbose=False)
    found = explained(run, "--graph", tmp_path / "keras")
    assert found["scaling"] == (
        "pixel, from 0 to 255", "the graph itself takes 0.003922 * x, so x goes from 0 to 255"
    )  # fmt: skip
    assert found["scores"] == ("softmax of what the graph gives", "the graph ends without one")


def test_without_a_graph_it_is_the_bundled_module(run: Run) -> None:
    found = explained(run)
    assert found["classes"][0] == "1001"
    assert found["output"] == ("logits", "the bundled module")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("text.pb", b"no graph", "is not a frozen TensorFlow graph"),
        ("text.tflite", b"\0\0\0\0TFL3 no more", "cannot run"),
        ("missing.pb", None, "No such file"),
    ],
)
def test_faults_are_one_line(
    name: str, content: bytes | None, said: str, run: Run, tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    done = run("label-image", "--graph", tmp_path / name, "--explain_input")
    assert (done.returncode, done.stdout) == (1, "")
    assert said in done.stderr and done.stderr.count("\n") == 1
