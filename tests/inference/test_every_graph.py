"""Graphs of every kind that people have, labelled as TensorFlow itself would label them."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import graph_kinds
import numpy as np
import pytest
from conftest import EXAMPLE_FLOWERS, Run
from graph_kinds import LABELS, SIZE, answers, run_graph
from PIL import Image
from run_commands import PATIENCE_S

from retrain import load
from retrain.artifacts.manifest import Manifest, manifest_text
from retrain.artifacts.tflite_metadata import TfliteMetadata, with_metadata
from retrain.data.decoding.decode import Recipe, decode
from retrain.errors import RetrainError
from retrain.inference.classifier import open_classifier
from retrain.inference.config import Overrides
from retrain.inference.spec.resolve import describe_graph
from retrain.inference.spec.spec import InputSpec

pytestmark = pytest.mark.slow

PHOTOS = sorted(EXAMPLE_FLOWERS.glob("*/*.jpg"))[::35]


@pytest.fixture(scope="module")
def kinds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one of each kind, and labels beside them."""
    folder = tmp_path_factory.mktemp("kinds")
    (folder / "labels.txt").write_text("\n".join(LABELS) + "\n")
    graph_kinds.hub_script_graph(folder / "hub.pb")
    graph_kinds.decoding_graph(folder / "inception.pb")
    graph_kinds.saved_model_tf1(folder / "tf1")
    graph_kinds.saved_model_two_signatures(folder / "two")
    graph_kinds.keras_model().export(folder / "keras", verbose=False)
    graph_kinds.keras_model(softmax=False).export(folder / "logits", verbose=False)
    graph_kinds.tflite_file(folder / "float.tflite", folder / "two")
    graph_kinds.tflite_file(folder / "quantized.tflite", folder / "two", quantized=True)
    return folder


def scores_of(
    graph: Path, said: Overrides | None = None
) -> tuple[InputSpec, np.ndarray, np.ndarray]:
    """How it is fed, the pixels of PHOTOS (n, H, W, 3), and the scores (n, C) that they get."""
    spec = describe_graph(graph, said)
    pixels = [decode(path.read_bytes(), spec.recipe) for path in PHOTOS]
    found = open_classifier(graph, spec).scores(enumerate(pixels))
    return spec, np.stack(pixels), np.stack([scores for _, scores in found])


def own_manifest(input_node: str = "Placeholder") -> Manifest:
    return Manifest(LABELS, input_node, SIZE, SIZE, Recipe(SIZE, SIZE).text, "final_result")


def test_a_graph_of_2018_scores_as_tensorflow_does(shared: Path) -> None:
    old = shared / "legacy" / "poets_mobilenet_v1_0.25_128"
    graph = old / "retrained_graph.pb"
    _, pixels, scores = scores_of(graph)
    for image, found in zip(pixels, scores, strict=True):
        fed = {"input:0": [(image.astype(np.float32) - 127.5) / 127.5]}
        (expected,) = run_graph(graph.read_bytes(), "final_result:0", fed)
        assert np.abs(found - expected).max() < 1e-4
    with pytest.warns(UserWarning) as said:
        row = load(graph).label(PHOTOS[:1])[0]
    names = (old / "retrained_labels.txt").read_text().splitlines()
    assert row.labels[0] == (names[scores[0].argmax()], float(scores[0].max()))
    assert any("retrained_labels.txt" in str(remark.message) for remark in said)


@pytest.mark.parametrize(
    ("name", "output", "logits"),
    [
        ("mobilenet_v1_0.25_128_frozen.pb", "MobilenetV1/Predictions/Reshape_1", False),
        ("mobilenet_v1_1.0_224_frozen.pb", "MobilenetV1/Predictions/Reshape", True),
    ],
)
def test_slim_graphs_are_understood(name: str, output: str, logits: bool, shared: Path) -> None:
    graph = shared / "weights" / name
    spec = describe_graph(graph)
    assert (spec.input_layer, spec.output_layer, spec.logits) == ("input", output, logits)
    classifier = open_classifier(
        graph, spec, labels_file=shared / "weights" / "imagenet_labels_1001.txt"
    )
    assert classifier.labels[:2] == ("background", "tench, Tinca tinca")  # `1:tench, ...` there
    pixels = decode(PHOTOS[0].read_bytes(), spec.recipe)
    ((_, scores),) = classifier.scores([(0, pixels)])
    fed = {"input:0": [(pixels.astype(np.float32) - 127.5) / 127.5]}
    (expected,) = run_graph(graph.read_bytes(), f"{output}:0", fed)
    if logits:
        expected = np.exp(expected - expected.max())
        expected /= expected.sum()
    assert np.abs(scores - expected).max() < 1e-4


def test_a_hub_script_graph_takes_values_up_to_one(kinds: Path) -> None:
    spec, pixels, scores = scores_of(kinds / "hub.pb")
    assert (spec.input_layer, spec.mean, spec.std) == ("Placeholder", 0, 255)
    assert np.abs(scores - answers(pixels)).max() < 1e-4


@pytest.mark.parametrize(
    "said",
    [
        Overrides(),
        Overrides(input_layer="DecodeJpeg/contents:0", output_layer="final_result:0"),
        Overrides(input_layer="Mul", height=SIZE, width=SIZE, mean=128, std=128),
    ],
    ids=["nothing", "the names of its own tool", "the node Mul"],
)
def test_a_graph_that_decodes_is_fed_after_its_decoder(said: Overrides, kinds: Path) -> None:
    graph = kinds / "inception.pb"
    spec, pixels, scores = scores_of(graph, said)
    assert (spec.input_layer, spec.mean, spec.std, spec.guesses) == ("Mul", 128, 128, ())
    expected = [
        run_graph(graph.read_bytes(), "final_result:0", {"Mul:0": [(each / 128 - 1)]})[0]
        for each in pixels.astype(np.float32)
    ]
    assert np.abs(scores - expected).max() < 1e-4


def test_it_answers_as_its_own_decoder_would(kinds: Path, tmp_path: Path) -> None:
    """Photos of its own size, which nobody resizes; JPEG decoders differ a little."""
    small = Image.open(PHOTOS[0]).resize((SIZE, SIZE))
    small.save(tmp_path / "small.jpg", quality=95)
    content = (tmp_path / "small.jpg").read_bytes()
    graph = kinds / "inception.pb"
    fed = {"DecodeJpeg/contents:0": content}
    (expected,) = run_graph(graph.read_bytes(), "final_result:0", fed)
    row = load(graph, labels=kinds / "labels.txt").label([tmp_path / "small.jpg"])[0]
    assert [dict(row.labels)[name] for name in LABELS] == pytest.approx(list(expected), abs=0.01)


def test_a_photo_left_inside_the_graph_is_no_hindrance(kinds: Path, tmp_path: Path) -> None:
    """The Inception v3 that was to be downloaded held a photo as a constant for its input."""
    graph_kinds.decoding_graph(tmp_path / "constant.pb", b"a photo")
    _, _, expected = scores_of(kinds / "inception.pb")
    shutil.copy(kinds / "labels.txt", tmp_path)
    assert (scores_of(tmp_path / "constant.pb")[2] == expected).all()


def test_saved_models_of_every_sort(kinds: Path) -> None:
    for name, keys, std, logits in (
        ("tf1", ("image", "prediction"), 255, False),
        ("two", ("image", "prediction"), 255, False),
        ("keras", ("keras_tensor", "output_0"), 1, False),
        ("logits", ("keras_tensor", "output_0"), 1, True),
    ):
        spec, pixels, scores = scores_of(kinds / name)
        assert spec.input_layer.startswith(keys[0]) and spec.output_layer == keys[1], name
        assert (spec.mean, spec.std, spec.logits) == (0, std, logits), name
        assert np.abs(scores - answers(pixels)).max() < 1e-4, name


def test_of_numbered_versions_the_newest_is_meant(kinds: Path, tmp_path: Path) -> None:
    for version in ("2", "10"):
        shutil.copytree(kinds / "two", tmp_path / "served" / version)
    shutil.copytree(kinds / "logits", tmp_path / "served" / "9")
    (tmp_path / "served" / "10" / "labels.txt").write_text("\n".join(LABELS))
    with pytest.warns(UserWarning, match="as TensorFlow Hub|labels are taken"):
        rows = load(tmp_path / "served").label(PHOTOS)
    _, pixels, scores = scores_of(kinds / "two")
    assert [row.labels[0][0] for row in rows] == [LABELS[best] for best in scores.argmax(1)]
    assert describe_graph(tmp_path / "served" / "10" / "saved_model.pb").input_layer == "image"


def test_our_own_saved_model_says_everything(kinds: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(kinds / "two", tmp_path / "own"))
    (folder / "assets.extra").mkdir()
    (folder / "assets.extra" / "manifest.json").write_text(manifest_text(own_manifest()))
    spec, pixels, scores = scores_of(folder)
    assert (spec.labels, spec.guesses) == (LABELS, ())
    assert np.abs(scores - answers(pixels)).max() < 1e-4


def test_tensorflow_lite_files_run_on_litert(kinds: Path) -> None:
    said = Overrides(mean=0, std=255)
    _, pixels, scores = scores_of(kinds / "float.tflite", said)
    assert np.abs(scores - answers(pixels)).max() < 1e-4
    guessed = describe_graph(kinds / "float.tflite")
    assert (guessed.mean, guessed.std) == (127.5, 127.5)
    assert "as TensorFlow Lite's examples feed such files" in guessed.guesses[0]


def test_a_quantized_file_takes_and_gives_real_values(kinds: Path) -> None:
    spec, pixels, scores = scores_of(kinds / "quantized.tflite")
    assert spec.std == pytest.approx(255, rel=0.01) and abs(spec.mean) < 1 and not spec.guesses
    assert np.abs(scores - answers(pixels)).max() < 0.05
    assert np.abs(scores.sum(axis=1) - 1).max() < 0.02
    assert (scores_of(kinds / "quantized.tflite", Overrides(mean=0, std=255))[2] == scores).all()


def test_metadata_of_a_tensorflow_lite_file_is_used(kinds: Path, tmp_path: Path) -> None:
    """As Model Maker and we write it; ours has a manifest as well."""
    model = (kinds / "float.tflite").read_bytes()
    labels = "\n".join(LABELS).encode()
    strange = TfliteMetadata("m", 10.0, 50.0, {"labels.txt": labels})
    (tmp_path / "maker.tflite").write_bytes(with_metadata(model, strange))
    spec = describe_graph(tmp_path / "maker.tflite")
    assert (spec.mean, spec.std, spec.labels, spec.guesses) == (10, 50, LABELS, ())
    manifest = manifest_text(own_manifest()).encode()
    ours = TfliteMetadata("m", 0.0, 255.0, {"labels.txt": labels, "manifest.json": manifest})
    for name in ("float", "quantized"):
        path = tmp_path / f"{name}.tflite"
        path.write_bytes(with_metadata((kinds / path.name).read_bytes(), ours))
        spec, pixels, scores = scores_of(path)
        assert (spec.mean, spec.std, spec.labels, spec.guesses) == (0, 255, LABELS, ())
        assert np.abs(scores - answers(pixels)).max() < (0.05 if name == "quantized" else 1e-4)


def test_no_tensorflow_is_imported(kinds: Path) -> None:
    script = (
        "import sys, warnings; warnings.simplefilter('ignore'); from retrain import load\n"
        "for graph in sys.argv[2:]:\n"
        "    assert load(graph).label(sys.argv[1:2])[0].labels, graph\n"
        "print([name for name in sys.modules if name.partition('.')[0] in "
        "('tensorflow', 'keras', 'openvino_telemetry') and sys.modules[name]])"
    )
    names = ("hub.pb", "inception.pb", "tf1", "keras", "float.tflite")
    graphs = [kinds / name for name in names]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script, PHOTOS[0], *graphs],
        capture_output=True, text=True, timeout=PATIENCE_S,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "[]\n", "")


def test_a_changed_saved_model_is_compiled_anew(kinds: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(kinds / "tf1", folder)
    labeller = load(folder, labels=kinds / "labels.txt", mean=0, std=255, output_layer="prediction")
    first, again = labeller.label(PHOTOS[:1]), labeller.label(PHOTOS[:1])
    assert first == again
    variables = next((folder / "variables").glob("*.data-*"))
    content = np.frombuffer(variables.read_bytes(), np.float32).copy()
    variables.write_bytes((2 * content).tobytes())
    assert labeller.label(PHOTOS[:1]) != first


@pytest.mark.parametrize(
    ("break_it", "said"),
    [
        (
            lambda folder: (folder / "saved_model.pb").write_bytes(b"\xff" * 9),
            "is not a SavedModel",
        ),
        (lambda folder: (folder / "saved_model.pb").unlink(), "is no SavedModel: it holds no"),
        (lambda folder: shutil.rmtree(folder / "variables"), "cannot run "),
    ],
)
def test_a_broken_saved_model_is_one_line(
    break_it: Callable[[Path], object], said: str, kinds: Path, tmp_path: Path, run: Run
) -> None:
    folder = Path(shutil.copytree(kinds / "tf1", tmp_path / "broken"))
    break_it(folder)
    done = run("label-image", "--graph", folder, PHOTOS[0])
    assert done.returncode == 1 and said in done.stderr, done.stderr
    assert done.stderr.count("\n") == 1 and done.stdout == ""


def test_a_cut_off_tensorflow_lite_file_is_one_line(kinds: Path, tmp_path: Path, run: Run) -> None:
    (tmp_path / "cut.tflite").write_bytes((kinds / "float.tflite").read_bytes()[:300])
    done = run("label-image", "--graph", tmp_path / "cut.tflite", PHOTOS[0])
    assert done.returncode == 1 and "cannot run" in done.stderr
    assert done.stderr.count("\n") == 1 and done.stdout == ""


def test_without_litert_its_pip_line_is_given(kinds: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ai_edge_litert", None)
    with pytest.raises(RetrainError, match=r'pip install "retrain\[tflite\]"'):
        describe_graph(kinds / "float.tflite")


def test_what_cannot_be_found_out_is_asked_for(tmp_path: Path) -> None:
    tf = graph_kinds.import_tensorflow()
    v1 = tf.compat.v1
    with tf.Graph().as_default() as graph:
        image = v1.placeholder(tf.float32, [None, None, None, 3], name="pictures")
        logits = tf.identity(graph_kinds.network(tf, image), name="logits")
        v1.placeholder(tf.float32, [None], name="truth")
        tf.argmax(logits, 1, name="best")
        tf.reduce_max(logits, 1, name="highest")
    path = tmp_path / "asks.pb"
    path.write_bytes(graph.as_graph_def().SerializeToString())
    with pytest.raises(RetrainError, match="give --output_layer, one of best, highest"):
        describe_graph(path)
    with pytest.raises(RetrainError, match="give --input_height and --input_width"):
        describe_graph(path, Overrides(output_layer="logits"))
    said = Overrides(output_layer="logits", height=SIZE, width=SIZE)
    (tmp_path / "asks.txt").write_text("\n".join(LABELS))
    spec, pixels, scores = scores_of(path, said)
    assert (spec.input_layer, spec.logits) == ("pictures", True)
    assert np.abs(scores - answers(pixels)).max() < 1e-4
    assert "the graph ends without a softmax; one is applied" in spec.guesses[-1]


def test_a_saved_model_of_photos_only_is_refused(tmp_path: Path) -> None:
    tf = graph_kinds.import_tensorflow()
    module = tf.Module()

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "image_bytes")])
    def photos(image_bytes):  # type: ignore[no-untyped-def]
        return {"scores": tf.strings.length(image_bytes)}

    tf.saved_model.save(module, str(tmp_path), signatures={"serving_default": photos})
    with pytest.raises(RetrainError, match=r"takes no batch of RGB pictures .*image_bytes: string"):
        describe_graph(tmp_path)


def test_labels_beside_the_graph_are_those_that_fit(kinds: Path, tmp_path: Path) -> None:
    graph = Path(shutil.copy(kinds / "hub.pb", tmp_path / "mine.pb"))
    spec = describe_graph(graph)
    with pytest.raises(RetrainError, match="does not carry its labels: give --labels"):
        open_classifier(graph, spec)
    (tmp_path / "mine.txt").write_text("not\nmany\n")
    with pytest.raises(RetrainError, match="; mine.txt beside it has 2 labels for 5 classes"):
        open_classifier(graph, spec)
    (tmp_path / "output_labels.txt").write_text("\n".join(LABELS))
    (tmp_path / "labels.txt").write_text("1\n2\n3\n4\n5\n")
    classifier = open_classifier(graph, spec)
    assert classifier.labels == LABELS
    assert any(f"taken from {tmp_path}/output_labels.txt" in said for said in classifier.remarks)
    (tmp_path / "mine_labels.txt").write_text("0:a\n1:b\n2:c\n3:d\n4:e\n")
    assert open_classifier(graph, spec).labels == ("a", "b", "c", "d", "e")
    (tmp_path / "mine_labels.txt").write_text("0:a\n1:b\n2:c\n4:d\n3:e\n")
    assert open_classifier(graph, spec).labels == ("0:a", "1:b", "2:c", "4:d", "3:e")


def test_labels_of_the_wrong_length_name_both_numbers_and_the_file(
    kinds: Path, tmp_path: Path
) -> None:
    (tmp_path / "six.txt").write_text("a\nb\nc\nd\ne\nf\n")
    with pytest.raises(RetrainError, match=r"/six.txt: 6 labels for a graph with 5 classes: give"):
        load(kinds / "float.tflite", labels=tmp_path / "six.txt").label(PHOTOS[:1])


@pytest.mark.parametrize("name", ["keras", "float.tflite"])
def test_evaluate_judges_them(name: str, kinds: Path, run: Run, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    for number, label in enumerate(LABELS):
        (tree / label).mkdir(parents=True)
        shutil.copy(PHOTOS[number], tree / label / "photo.jpg")
    done = run("retrain", "evaluate", "--graph", kinds / name, "--image_dir", tree, "--no-report")
    assert done.returncode == 0, done.stderr
    assert "labels are taken from" in done.stderr and "INFO" not in done.stderr
    folder = tmp_path / "work" / f"{Path(name).stem}_on_tree"
    assert "ash" in (folder / "predictions.csv").read_text()
