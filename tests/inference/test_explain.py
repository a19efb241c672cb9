"""Class-activation maps: what they are, that they come with the scores, and what is drawn."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import EXAMPLE_FLOWERS, Run
from PIL import Image

import retrain
from retrain.commands.evaluate import evaluate_graph
from retrain.commands.report import report_evaluation
from retrain.data.decoding.decode import Recipe, decode
from retrain.data.decoding.upright import read_upright
from retrain.errors import RetrainError
from retrain.inference.classifier import open_classifier
from retrain.inference.config import Overrides
from retrain.inference.explain.explainer import Explainer, NotExplainable
from retrain.inference.explain.overlay import COLOURS, SIDE, overlay
from retrain.inference.spec.resolve import describe_graph
from retrain.inference.spec.spec import InputSpec
from retrain.utils.numerics import softmax

pytestmark = pytest.mark.slow

DAISY = sorted((EXAMPLE_FLOWERS / "daisy").iterdir())[0]

onnx = pytest.importorskip("onnx")

SIZE, CHANNELS, HIDDEN, CLASSES = 32, 8, 6, 5
RNG = np.random.default_rng(0)
KERNEL = RNG.normal(0, 0.2, (CHANNELS, 3, 4, 4)).astype(np.float32)
WEIGHTS = RNG.normal(0, 1, (CHANNELS, CLASSES)).astype(np.float32)
BIASES = RNG.normal(0, 1, CLASSES).astype(np.float32)
INNER = RNG.normal(0, 1, (HIDDEN, CHANNELS, 1, 1)).astype(np.float32)
OUTER = RNG.normal(0, 1, (CLASSES, HIDDEN)).astype(np.float32)
SHIFT = RNG.normal(0, 1, (1, HIDDEN, 1, 1)).astype(np.float32)


def spec_of(classes: int = CLASSES) -> InputSpec:
    labels = tuple(f"class {number}" for number in range(classes))
    return InputSpec("image", "result", Recipe(SIZE, SIZE), 0.0, 255.0, labels)


def write_network(path: Path, ending: Sequence[tuple[Any, ...]]) -> Path:
    """A 4x4 convolution in steps of 4 with ReLU, `map` (n, 8, 8, 8), and the layers of `ending`:
    (operation, inputs, output, attributes)."""
    helper, tensor = onnx.helper, onnx.numpy_helper.from_array
    nodes = [
        helper.make_node("Transpose", ["image"], ["first"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["first", "kernel"], ["c"], strides=[4, 4]),
        helper.make_node("Relu", ["c"], ["map"]),
        *(
            helper.make_node(kind, inputs, [output], **more)
            for kind, inputs, output, more in ending
        ),
    ]
    arrays = dict(
        kernel=KERNEL, weights=WEIGHTS, biases=BIASES, inner=INNER, outer=OUTER, shift=SHIFT,
        half=WEIGHTS.astype(np.float16), scale=np.float32([2.5]),
        flat=np.tile(WEIGHTS, (64, 1)), square=INNER[:, :, 0, 0].T.copy(),
    )  # fmt: skip
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("image", 1, ["n", SIZE, SIZE, 3])],
        [helper.make_tensor_value_info("result", 1, None)],
        [tensor(array, name) for name, array in arrays.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    onnx.save(model, str(path))
    return path


def feature_map(pixels: np.ndarray) -> np.ndarray:
    """The network's `map` (8, 8, 8), rows and columns first, in NumPy."""
    patches = (pixels / np.float32(255)).reshape(8, 4, 8, 4, 3)
    found: np.ndarray = np.maximum(np.einsum("yixjc,kcij->yxk", patches, KERNEL), 0)
    return found


POOL = ("GlobalAveragePool", ["map"], "pooled", {})
FLAT = ("Flatten", ["pooled"], "p", {})
LINEAR = ("MatMul", ["p", "weights"], "m", {}), ("Add", ["biases", "m"], "logits", {})
SOFTMAX = ("Softmax", ["logits"], "result", {"axis": 1})
TWO_LAYERS = INNER[:, :, 0, 0].T @ OUTER.T

ENDINGS: dict[str, tuple[list[Any], np.ndarray, np.ndarray]] = {
    "linear": ([POOL, FLAT, *LINEAR, SOFTMAX], WEIGHTS, BIASES),
    "mean of rows and columns last": (
        [
            ("Transpose", ["map"], "last", {"perm": [0, 2, 3, 1]}),
            ("ReduceMean", ["last"], "p", {"axes": [1, 2], "keepdims": 0}),
            *LINEAR,
            SOFTMAX,
        ],
        WEIGHTS,
        BIASES,
    ),
    "a window as large as the map": (
        [("AveragePool", ["map"], "pooled", {"kernel_shape": [8, 8]}), FLAT, *LINEAR, SOFTMAX],
        WEIGHTS,
        BIASES,
    ),
    "1x1 convolution and a layer on top": (
        [
            POOL,
            ("Conv", ["pooled", "inner"], "c2", {}),
            ("Add", ["c2", "shift"], "shifted", {}),
            ("Flatten", ["shifted"], "p", {}),
            ("Gemm", ["p", "outer", "biases"], "logits", {"transB": 1}),
            SOFTMAX,
        ],
        TWO_LAYERS,
        BIASES + SHIFT.ravel() @ OUTER.T,
    ),
    "half precision, scaled": (
        [
            POOL,
            FLAT,
            ("Cast", ["half"], "whole", {"to": 1}),
            ("MatMul", ["p", "whole"], "m", {}),
            ("Sub", ["m", "biases"], "s", {}),
            ("Mul", ["s", "scale"], "u", {}),
            ("Div", ["u", "biases"], "logits", {}),
            SOFTMAX,
        ],
        2.5 * WEIGHTS.astype(np.float16).astype(np.float32) / BIASES,
        np.full(CLASSES, -2.5, np.float32),
    ),
    "pooling alone": (
        [POOL, ("Flatten", ["pooled"], "logits", {}), SOFTMAX],
        np.eye(CHANNELS, dtype=np.float32),
        np.zeros(CHANNELS, np.float32),
    ),
    "independent classes": (
        [POOL, FLAT, *LINEAR, ("Sigmoid", ["logits"], "result", {})],
        WEIGHTS,
        BIASES,
    ),
}


@pytest.mark.parametrize("name", ENDINGS)
def test_the_map_is_what_the_linear_layer_makes_of_each_position(name: str, tmp_path: Path) -> None:
    ending, weights, biases = ENDINGS[name]
    path = write_network(tmp_path / "tiny.onnx", ending)
    pixels = np.random.default_rng(1).integers(0, 256, (SIZE, SIZE, 3)).astype(np.uint8)
    ((token, scores, maps),) = Explainer(path, spec_of(len(biases))).explain([("a", pixels)])
    expected = np.moveaxis(feature_map(pixels) @ weights, -1, 0)
    assert token == "a" and maps.dtype == np.float32
    np.testing.assert_allclose(maps, expected, rtol=1e-4, atol=1e-4)
    logits = maps.mean(axis=(1, 2)) + biases
    sigmoid = name == "independent classes"
    answers = 1 / (1 + np.exp(-logits)) if sigmoid else softmax(logits[None])[0]
    np.testing.assert_allclose(answers, scores, atol=1e-5)


HIDDEN_LAYER = [POOL, FLAT, ("MatMul", ["p", "square"], "m", {}), ("Relu", ["m"], "h", {}),
                ("Gemm", ["h", "outer"], "logits", {"transB": 1}), SOFTMAX]  # fmt: skip
REFUSED: dict[str, tuple[list[Any], str]] = {
    "a hidden layer": (HIDDEN_LAYER, r"hidden layer \(Relu\)"),
    "no pooling": (
        [("Flatten", ["map"], "p", {}), ("MatMul", ["p", "flat"], "logits", {}), SOFTMAX],
        "not averaged",
    ),
    "a mean of rows only": (
        [
            ("ReduceMean", ["map"], "rows", {"axes": [2], "keepdims": 0}),
            ("ReduceMean", ["rows"], "p", {"axes": [2], "keepdims": 0}),
            *LINEAR,
            SOFTMAX,
        ],
        "all positions",
    ),
    "the largest instead of the mean": (
        [("GlobalMaxPool", ["map"], "pooled", {}), FLAT, *LINEAR, SOFTMAX],
        "not averaged",
    ),
    "layers side by side": (
        [
            POOL,
            FLAT,
            ("MatMul", ["p", "weights"], "m", {}),
            ("MatMul", ["p", "weights"], "n", {}),
            ("Add", ["m", "n"], "logits", {}),
            SOFTMAX,
        ],
        "hidden layer",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_other_networks_are_refused_in_one_line(name: str, tmp_path: Path) -> None:
    ending, said = REFUSED[name]
    path = write_network(tmp_path / "tiny.onnx", ending)
    with pytest.raises(NotExplainable, match=said) as caught:
        Explainer(path, spec_of())
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_a_tflite_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(b"\x1c\0\0\0TFL3")
    with pytest.raises(NotExplainable, match="shows only the scores"):
        Explainer(path, spec_of())


def test_labels_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    path = write_network(tmp_path / "tiny.onnx", ENDINGS["linear"][0])
    with pytest.raises(RetrainError, match="4 labels for a graph with 5 classes"):
        Explainer(path, spec_of(4))


@pytest.fixture
def flowers(trained: Path) -> Path:
    return trained / "output_graph.pb"


def ours(request: pytest.FixtureRequest) -> tuple[Path, InputSpec]:
    path: Path = request.getfixturevalue("flowers")
    return path, describe_graph(path)


def poets(request: pytest.FixtureRequest) -> tuple[Path, InputSpec]:
    """The old tool's: a retrained layer on the 1001 classes of a 1x1 convolution."""
    shared: Path = request.getfixturevalue("shared")
    path = shared / "legacy" / "poets_mobilenet_v1_0.25_128" / "retrained_graph.pb"
    spec = describe_graph(path, Overrides())
    return path, InputSpec(
        spec.input_layer, spec.output_layer, spec.recipe, spec.mean, spec.std, tuple("abcdef")
    )


@pytest.mark.parametrize("graph", [ours, poets])
def test_the_maps_of_a_graph_sum_up_to_its_scores(
    graph: Callable[[pytest.FixtureRequest], tuple[Path, InputSpec]],
    request: pytest.FixtureRequest,
) -> None:
    path, spec = graph(request)
    pixels = decode(DAISY.read_bytes(), spec.recipe)
    ((_, plain),) = open_classifier(path, spec, 1).scores([(0, pixels)])
    explainer = Explainer(path, spec)
    ((_, scores, maps),) = explainer.explain([(0, pixels)])
    np.testing.assert_allclose(scores, plain, atol=1e-6)
    logits = maps.mean(axis=(1, 2)) + explainer.engine.ending.biases
    relative = np.log(scores) - np.log(scores[0])  # softmax forgets what all logits share
    np.testing.assert_allclose(logits - logits[0], relative, atol=1e-3)


def test_the_heat_lies_where_the_flower_is() -> None:
    """A daisy in one quarter of an otherwise blue picture, with ImageNet's classes."""
    with Image.open(DAISY) as photo:
        flower = photo.convert("RGB").resize((224, 224))
    for column, row in ((0, 0), (1, 0), (0, 1), (1, 1)):
        picture = Image.new("RGB", (448, 448), (60, 90, 160))
        picture.paste(flower, (224 * column, 224 * row))
        path, spec = imagenet()
        pixels = np.asarray(picture.resize((224, 224), Image.Resampling.BILINEAR))
        explainer = Explainer(path, spec)
        ((_, _, maps),) = explainer.explain([(0, pixels)])
        heat = np.maximum(maps[explainer.classifier.labels.index("daisy")], 0)
        quarter = np.array_split(np.array_split(heat, 2)[row], 2, axis=1)[column]
        assert quarter.sum() > 0.45 * heat.sum()
        assert heat.max() == quarter.max()


def imagenet() -> tuple[Path, InputSpec]:
    from retrain.inference.imagenet import imagenet_graph

    return imagenet_graph()


def test_the_api_gives_labels_and_heat(flowers: Path, tmp_path: Path) -> None:
    labeller = retrain.load(flowers)
    (row,) = labeller.label([DAISY], top_k=1)
    found = labeller.explain(DAISY)
    assert row.labels[0] == (found.label, pytest.approx(found.score, abs=1e-5))
    assert found.heat.shape == (4, 4) and found.heat.dtype == np.float32
    (tmp_path / "no.jpg").write_bytes(b"no picture")
    with pytest.raises(RetrainError, match=r"no\.jpg: not a JPEG"):
        labeller.explain(tmp_path / "no.jpg")


def test_the_warmest_part_is_light_and_the_rest_grey() -> None:
    photo = Image.new("RGB", (90, 60), (40, 200, 90))
    heat = np.full((2, 3), -1, np.float32)
    heat[0, 2] = 4
    drawn = np.asarray(overlay(photo, heat), np.float32)
    assert drawn.shape == (60, 90, 3)
    brightness = drawn.sum(axis=2)
    y, x = np.unravel_index(brightness.argmax(), brightness.shape)
    assert y < 30 and x > 60
    assert np.ptp(drawn[59, 0]) <= 2  # no colour where nothing speaks for the label
    cold = np.asarray(overlay(photo, -np.ones((2, 3), np.float32)))
    assert (cold == cold[0, 0]).all()


def test_the_colours_are_inferno() -> None:
    from matplotlib import colormaps

    inferno = np.array([colormaps["inferno"](place)[:3] for place in np.linspace(0, 1, 9)])
    np.testing.assert_allclose(COLOURS, 255 * inferno, atol=1)


def test_label_image_draws_and_says_what_it_always_says(
    flowers: Path, run: Run, tmp_path: Path
) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter: upright it is 3 wide and 4 high
    with Image.open(DAISY) as photo:
        photo.resize((400, 300)).save(tmp_path / "turned.jpg", exif=exif)
    for photo_path, name, size in ((DAISY, "a.png", None), (tmp_path / "turned.jpg", "b.JPG",
                                                            (SIDE * 3 // 4, SIDE))):  # fmt: skip
        plain = run("label-image", "--graph", flowers, photo_path)
        done = run("label-image", "--graph", flowers, "--explain", tmp_path / name, photo_path)
        assert (done.returncode, done.stdout, done.stderr) == (0, plain.stdout, "")
        with Image.open(tmp_path / name) as drawn:
            assert drawn.format == ("PNG" if name == "a.png" else "JPEG")
            pixels = np.asarray(drawn.convert("RGB"), np.float32)
        upright = read_upright(str(photo_path), SIDE)
        size = size or (SIDE, round(SIDE * upright.height / upright.width))
        left = Image.fromarray(pixels[: size[1], : size[0]].astype(np.uint8))
        shown = np.asarray(left.resize(upright.size), np.float32)
        assert abs(shown - np.asarray(upright, np.float32)).mean() < 8  # the photo itself
        right = pixels[: size[1], -size[0] :]
        assert right.shape == (size[1], size[0], 3)
        assert abs(right - pixels[: size[1], : size[0]]).mean() > 15
        caption = pixels[size[1] :, -size[0] :]
        assert (caption < 100).any() and (pixels[size[1] :, : size[0]] > 245).all()


def test_what_cannot_be_explained_is_said(flowers: Path, run: Run, tmp_path: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no picture")
    own = tmp_path / "own.jpg"
    own.write_bytes(DAISY.read_bytes())
    picture = tmp_path / "out.png"
    for arguments, code, said in (
        (("--explain", picture, DAISY, DAISY), 2, "draws one photo: name one"),
        (("--explain", picture, DAISY.parent), 2, "draws one photo: name one"),
        (("--explain", tmp_path / "out.gif", DAISY), 2, "must end in .png or .jpg"),
        (("--explain", own, own), 2, "would overwrite the photo"),
        (("--explain", broken / "out.png", DAISY), 1, "cannot write into"),
        (("--explain", picture, broken), 1, "broken.jpg: not a JPEG"),
        (("--explain", picture, tmp_path / "no.jpg"), 1, "cannot be read"),
    ):
        done = run("label-image", "--graph", flowers, *arguments)
        assert (done.returncode, done.stdout) == (code, ""), done.stderr
        assert said in done.stderr and done.stderr.count("\n") == 1
    assert own.read_bytes() == DAISY.read_bytes()
    assert not picture.exists()


def test_the_report_shows_where_a_judged_graph_was_misled(flowers: Path, tmp_path: Path) -> None:
    """Daisies in the folder of the roses are mistakes, each with its map. All photos are saved
    anew: those that the graph was made of are left out."""
    for name, source in (("roses", "daisy"), ("tulips", "tulips")):
        (tmp_path / "tree" / name).mkdir(parents=True)
        for photo in sorted((EXAMPLE_FLOWERS / source).iterdir())[:5]:
            with Image.open(photo) as picture:
                picture.save(tmp_path / "tree" / name / photo.name, quality=90)
    judged = evaluate_graph(flowers, str(tmp_path / "tree"), Overrides(), labels_file=None)
    report_evaluation(judged, flowers, tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    wrong = int((judged.probabilities.argmax(axis=1) != judged.truth).sum())
    assert wrong >= 3
    assert text.count('alt="where it speaks for the answer"') == wrong
