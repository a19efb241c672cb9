"""Other people's graphs are fed right, or refused with the reason, in every format."""

from pathlib import Path

import graph_kinds
import numpy as np
import pytest
from conftest import COLOURS as RGB
from conftest import Run, write_picture
from graph_kinds import KINDS, SIZE, Kind, colour_truth

from retrain import load
from retrain.data.decoding.decode import Recipe, decode
from retrain.errors import RetrainError
from retrain.inference.classifier import open_classifier
from retrain.inference.config import Overrides
from retrain.inference.spec.resolve import describe_graph

pytestmark = pytest.mark.slow

# What TensorFlow Lite cannot convert, or SavedModels cannot say.
NO_FLITE = {
    "half", "double", "nothing said, convolution", "scores [C]", "channels first, sizes open",
    "grey and size open", "signed bytes", "whole numbers", "is_training, true if not said",
    "keep_prob with default", "a default", "dropout, by use", "dropout rate, by use",
    "keepProb", "learning phase",
}  # fmt: skip
NO_SAVED = {"a default", "dropout, by use", "dropout rate, by use"}


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("photos")
    for number, (name, colour) in enumerate(RGB.items()):
        write_picture(folder / f"{name}.png", colour, number, 48)
    return [folder / f"{name}.png" for name in RGB]


def answers(graph: Path, kind: Kind, photos: list[Path], said: Overrides) -> None:
    """Asserts that the graph's scores are the truth, or that it is refused as it must be."""
    labels = graph.parent / "labels.txt"
    labels.write_text("\n".join(kind.labels))
    if kind.refused is not None:
        with pytest.raises(RetrainError, match=kind.refused) as refusal:
            open_classifier(graph, describe_graph(graph, said), labels_file=labels)
        assert "\n" not in str(refusal.value) and str(graph) in str(refusal.value)
        if "--input_height" not in kind.refused:
            return
        said = Overrides(mean=said.mean, std=said.std, height=SIZE, width=SIZE)
    spec = describe_graph(graph, said)
    pixels = np.stack([decode(photo.read_bytes(), spec.recipe) for photo in photos])
    classifier = open_classifier(graph, spec, labels_file=labels)
    found = np.stack([scores for _, scores in classifier.scores(enumerate(pixels))])
    assert np.abs(found - colour_truth(kind, pixels)).max() < 2e-3
    for name, _, _ in kind.extras:
        assert name == "odd" or any(name.split("/")[-1] in text for text in spec.guesses)


@pytest.mark.parametrize("name", KINDS)
def test_frozen_graphs(name: str, photos: list[Path], tmp_path: Path) -> None:
    graph_kinds.frozen_kind(tmp_path / "graph.pb", KINDS[name])
    answers(tmp_path / "graph.pb", KINDS[name], photos, Overrides())


@pytest.mark.parametrize("name", [name for name in KINDS if name not in NO_SAVED])
def test_saved_models(name: str, photos: list[Path], tmp_path: Path) -> None:
    graph_kinds.saved_kind(tmp_path / "saved", KINDS[name])
    answers(tmp_path / "saved", KINDS[name], photos, Overrides())


@pytest.mark.parametrize("name", [name for name in KINDS if name not in NO_FLITE])
def test_tensorflow_lite_files(name: str, photos: list[Path], tmp_path: Path) -> None:
    kind = KINDS[name]
    graph_kinds.tflite_kind(tmp_path / "model.tflite", kind)
    scaled = Overrides() if "int" in kind.dtype else Overrides(mean=0, std=255)
    answers(tmp_path / "model.tflite", kind, photos, scaled)


def test_strings_are_no_pictures(tmp_path: Path) -> None:
    tf = graph_kinds.import_tensorflow()
    with tf.Graph().as_default() as graph:
        content = tf.compat.v1.placeholder(tf.string, [None], name="photos")
        tf.nn.softmax(tf.cast(tf.strings.length(content), tf.float32)[:, None], name="final_result")
    (tmp_path / "g.pb").write_bytes(graph.as_graph_def().SerializeToString())
    with pytest.raises(RetrainError, match="has no input that is known: .*none found"):
        describe_graph(tmp_path / "g.pb")


@pytest.mark.parametrize("logit", [False, True])
@pytest.mark.parametrize("suffix", [".pb", "", ".tflite"])
def test_one_output_tells_two_classes_apart(
    suffix: str, logit: bool, photos: list[Path], tmp_path: Path
) -> None:
    weights = np.array([[-8.0], [0.0], [8.0]], np.float32)  # blue against red

    def body(tf, x):  # type: ignore[no-untyped-def]
        z = tf.matmul(tf.reduce_mean(x, [1, 2]), weights)
        return z if logit else tf.sigmoid(z)

    kind = Kind(graph_kinds.RGB, body)
    graph = tmp_path / f"graph{suffix}"
    make = {".pb": graph_kinds.frozen_kind, "": graph_kinds.saved_kind,
            ".tflite": graph_kinds.tflite_kind}[suffix]  # fmt: skip
    make(graph, kind)
    two, one, three = (tmp_path / name for name in ("two.txt", "one.txt", "three.txt"))
    two.write_text("cats\ndogs\n")
    one.write_text("dogs\n")
    three.write_text("a\nb\nc\n")
    pixels = np.stack([decode(photo.read_bytes(), Recipe(SIZE, SIZE)) for photo in photos])
    z = ((pixels / 255).mean(axis=(1, 2)) @ weights)[:, 0]
    with pytest.warns(UserWarning, match="one output .*second label, 'dogs'; 'cats' gets the rest"):
        rows = load(graph, labels=two, mean=0, std=255).label(photos)
    for row, logits in zip(rows, z, strict=True):
        dogs = 1 / (1 + np.exp(-logits))
        assert dict(row.labels) == pytest.approx({"dogs": dogs, "cats": 1 - dogs}, abs=1e-4)
    for labels in (one, three, None):
        with pytest.raises(RetrainError, match="tells two classes apart: give --labels, a file"):
            spec = describe_graph(graph)
            two.unlink(missing_ok=True)
            open_classifier(graph, spec, labels_file=labels)


def test_what_is_no_probability_is_not_called_one(photos: list[Path], tmp_path: Path) -> None:
    """A graph without a classifier, whose features are as many as the labels."""
    kind = Kind(graph_kinds.RGB, lambda tf, x: tf.nn.relu(tf.reduce_mean(x, [1, 2]) * 20))
    graph_kinds.frozen_kind(tmp_path / "graph.pb", kind)
    (tmp_path / "graph.txt").write_text("\n".join(kind.labels))
    labeller = load(tmp_path / "graph.pb", labels=tmp_path / "graph.txt", mean=0, std=255)
    with (
        pytest.warns(UserWarning, match="nobody knows what its last operation, Relu, gives"),
        pytest.raises(RetrainError, match="gives 1.* at final_result, which is no probability"),
    ):
        labeller.label(photos[:1])


@pytest.mark.parametrize("command", ["evaluate", "label-image"])
def test_commands_take_them(command: str, photos: list[Path], tmp_path: Path, run: Run) -> None:
    """Channels first and one output, through the commands; what is refused is one line."""
    weights = np.array([[-8.0], [0.0], [8.0]], np.float32)
    first = (None, 3, SIZE, SIZE)
    good = Kind(first, lambda tf, x: tf.sigmoid(tf.reduce_mean(x, [2, 3]) @ weights))
    graph_kinds.frozen_kind(tmp_path / "good.pb", good)
    graph_kinds.frozen_kind(tmp_path / "bad.pb", KINDS["an unknown switch"])
    (tmp_path / "labels.txt").write_text("red\nblue\n")
    for name in ("red", "blue"):
        (tmp_path / "tree" / name).mkdir(parents=True)
        (tmp_path / "tree" / name / "a.png").write_bytes(
            (photos[0].parent / f"{name}.png").read_bytes()
        )
    tree = tmp_path / "tree"
    if command == "evaluate":
        arguments = ["--image_dir", tree, "--no-report"]
        start = ["retrain", "evaluate"]
    else:
        arguments, start = ["--format", "csv", tree], ["label-image"]
    done = run(
        *start, "--graph", tmp_path / "good.pb", "--labels", tmp_path / "labels.txt", *arguments
    )
    assert done.returncode == 0, done.stderr
    assert "100.0 % of 2 photos" in done.stdout or "red/a.png,red" in done.stdout
    done = run(
        *start, "--graph", tmp_path / "bad.pb", "--labels", tmp_path / "labels.txt", *arguments
    )
    assert done.returncode == 1 and "takes 'fast' (bool) beside the pictures" in done.stderr
    assert done.stderr.count("\n") == 1 and done.stdout == ""


def test_scores_that_stand_alone_are_left_alone(photos: list[Path], tmp_path: Path) -> None:
    kind = Kind(graph_kinds.RGB, lambda tf, x: tf.sigmoid(tf.reduce_mean(x, [1, 2])))
    graph_kinds.frozen_kind(tmp_path / "graph.pb", kind)
    (tmp_path / "graph.txt").write_text("\n".join(kind.labels))
    with pytest.warns(UserWarning, match="scores do not add up to 1"):
        (row,) = load(tmp_path / "graph.pb", labels=tmp_path / "graph.txt", mean=0, std=255).label(
            photos[:1]
        )
    assert sum(score for _, score in row.labels) > 1.2
