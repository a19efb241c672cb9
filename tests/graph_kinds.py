"""Small classifiers in each format that people have, built with TensorFlow.

All are the same network on 32 x 32 pixels in [0, 1] with the five classes of LABELS, so that one
answer of TensorFlow is the truth for all of them.
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from retrain.utils.tensorflow import import_tensorflow

LABELS = ("ash", "beech", "cedar", "date", "elm")
SIZE = 32
_rng = np.random.default_rng(7)
KERNEL = _rng.normal(0, 0.6, (3, 3, 3, 8)).astype(np.float32)
BIAS = _rng.normal(0, 0.3, 8).astype(np.float32)
HEAD = _rng.normal(0, 2, (8, 5)).astype(np.float32)


def network(tf: Any, pixels: Any) -> Any:
    """Logits [n, 5] of pixels [n, 32, 32, 3] in [0, 1]."""
    maps = tf.nn.relu(tf.nn.conv2d(pixels, KERNEL, 2, "SAME") + BIAS)
    return tf.matmul(tf.reduce_mean(maps, [1, 2]), HEAD)


def answers(pixels: np.ndarray) -> np.ndarray:
    """TensorFlow's probabilities (n, 5) for pixels (n, 32, 32, 3) uint8."""
    tf = import_tensorflow()
    scores: np.ndarray = tf.nn.softmax(network(tf, pixels.astype(np.float32) / 255)).numpy()
    return scores


def run_graph(graph: bytes, output: str, fed: dict[str, Any]) -> np.ndarray:
    """What TensorFlow gives at `output` of a frozen graph."""
    tf = import_tensorflow()
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        tf.import_graph_def(tf.compat.v1.GraphDef.FromString(graph), name="")
        found: np.ndarray = session.run(output, fed)
        return found


def hub_script_graph(path: Path) -> None:
    """As the retrain.py of TensorFlow Hub wrote them: `Placeholder` in [0, 1], `final_result`."""
    tf = import_tensorflow()
    v1 = tf.compat.v1
    with tf.Graph().as_default() as graph:
        image = v1.placeholder(tf.float32, [None, SIZE, SIZE, 3], name="Placeholder")
        maps = tf.nn.relu(tf.nn.conv2d(image, KERNEL, 2, "SAME") + BIAS)
        features = v1.placeholder_with_default(
            tf.reduce_mean(maps, [1, 2]), [None, 8], name="input/BottleneckInputPlaceholder"
        )
        tf.nn.softmax(tf.matmul(features, HEAD), name="final_result")
    path.write_bytes(graph.as_graph_def().SerializeToString())


def decoding_graph(path: Path, contents: bytes | None = None) -> None:
    """As the script of 2016 wrote Inception v3: DecodeJpeg up to `Mul`, then convolution and the
    batch normalisation of that time. `contents`: a constant in place of the string placeholder."""
    tf = import_tensorflow()
    v1 = tf.compat.v1
    with tf.Graph().as_default() as graph:
        name = "DecodeJpeg/contents"
        if contents is None:
            photo = v1.placeholder(tf.string, [], name=name)
        else:
            photo = tf.constant(contents, name=name)
        image = tf.cast(tf.io.decode_jpeg(photo, channels=3, name="DecodeJpeg"), tf.float32, "Cast")
        image = tf.expand_dims(image, tf.constant(0, name="ExpandDims/dim"), name="ExpandDims")
        size = tf.constant([SIZE, SIZE], name="ResizeBilinear/size")
        image = tf.raw_ops.ResizeBilinear(images=image, size=size, name="ResizeBilinear")
        image = tf.subtract(image, tf.constant(128.0, name="Sub/y"), name="Sub")
        image = tf.multiply(image, tf.constant(1 / 128, name="Mul/y"), name="Mul")
        maps = tf.nn.conv2d(image, KERNEL, 2, "SAME", name="conv/Conv2D")
        maps = tf.nn.relu(tf.identity(maps, name="conv/normalised"), name="conv")
        features = v1.placeholder_with_default(
            tf.reduce_mean(maps, [1, 2]), [None, 8], name="input/BottleneckInputPlaceholder"
        )
        tf.nn.softmax(tf.matmul(features, HEAD), name="final_result")
    old = graph.as_graph_def()
    old.versions.producer = 8  # later ones may not hold the operation
    values = {"moving_mean": 0.1, "moving_variance": 2.0, "beta": 0.2, "gamma": 1.5}
    for key, value in values.items():
        node = old.node.add(op="Const", name=f"conv/batchnorm/{key}")
        node.attr["dtype"].type = tf.float32.as_datatype_enum
        node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(np.full(8, value, np.float32)))
    node = next(node for node in old.node if node.name == "conv/normalised")
    node.op = "BatchNormWithGlobalNormalization"
    node.input.extend(f"conv/batchnorm/{key}" for key in values)
    node.attr["variance_epsilon"].f = 0.001
    node.attr["scale_after_normalization"].b = True
    path.write_bytes(old.SerializeToString())


def saved_model_tf1(folder: Path) -> None:
    """With variables, and three outputs."""
    tf = import_tensorflow()
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        image = v1.placeholder(tf.float32, [None, SIZE, SIZE, 3], name="x")
        kernel = v1.get_variable("kernel", initializer=KERNEL, use_resource=False)
        head = v1.get_variable("head", initializer=HEAD, use_resource=True)
        maps = tf.nn.relu(tf.nn.conv2d(image, kernel, 2, "SAME") + BIAS)
        logits = tf.matmul(tf.reduce_mean(maps, [1, 2]), head)
        session.run(v1.global_variables_initializer())
        outputs = {
            "prediction": tf.nn.softmax(logits),
            "logits": logits,
            "classes": tf.argmax(logits, 1),
        }
        v1.saved_model.simple_save(session, str(folder), {"image": image}, outputs)


def saved_model_two_signatures(folder: Path) -> None:
    """Frozen, as ours are: pixels to `prediction`, and encoded photos to labels and scores."""
    tf = import_tensorflow()
    module = tf.Module()

    def decoded(content: Any) -> Any:
        image = tf.io.decode_image(content, channels=3, expand_animations=False)
        return tf.image.resize(tf.cast(image, tf.float32) / 255, [SIZE, SIZE], antialias=True)

    @tf.function(input_signature=[tf.TensorSpec([None, SIZE, SIZE, 3], tf.float32, "image")])
    def pixels(image: Any) -> Any:
        return {"prediction": tf.nn.softmax(network(tf, image))}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "image_bytes")])
    def photos(image_bytes: Any) -> Any:
        images = tf.map_fn(decoded, image_bytes, fn_output_signature=tf.float32)
        scores = tf.nn.softmax(network(tf, tf.ensure_shape(images, [None, SIZE, SIZE, 3])))
        best = tf.argsort(-scores)
        labels = tf.gather(tf.constant(LABELS), best)
        return {"labels": labels, "scores": tf.gather(scores, best, batch_dims=1)}

    signatures = {"serving_default": pixels, "serving_bytes": photos}
    tf.saved_model.save(module, str(folder), signatures=signatures)


def keras_model(softmax: bool = True) -> Any:
    """Takes pixels from 0 to 255 and scales them itself."""
    tf = import_tensorflow()
    layers = tf.keras.layers
    model = tf.keras.Sequential(
        [
            tf.keras.Input((SIZE, SIZE, 3)),
            layers.Rescaling(1 / 255),
            layers.Conv2D(8, 3, 2, "same", activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(5, activation="softmax" if softmax else None),
        ]
    )
    model.layers[1].set_weights([KERNEL, BIAS])
    model.layers[3].set_weights([HEAD, np.zeros(5, np.float32)])
    return model


def tflite_file(path: Path, saved_model: Path, quantized: bool = False) -> None:
    """Of the signature `serving_default`; `quantized`: from and to 8-bit whole numbers."""
    tf = import_tensorflow()
    converter = tf.lite.TFLiteConverter.from_saved_model(
        str(saved_model), signature_keys=["serving_default"]
    )
    if quantized:
        rng = np.random.default_rng(1)
        photos = [rng.random((1, SIZE, SIZE, 3), np.float32) for _ in range(20)]
        photos += [np.zeros_like(photos[0]), np.ones_like(photos[0])]
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([photo] for photo in photos)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.uint8
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TensorFlow's, of statistics that it works out itself
        path.write_bytes(converter.convert())


# Other people's graphs: classifiers by mean colour, each fed in its own way. What one of them
# should answer is known without TensorFlow: see `colour_truth`.

COLOURS = ("red", "green", "blue")
SHADES = ("dark", "light")
Body = Callable[..., Any]


@dataclass(frozen=True)
class Kind:
    """`body` makes the scores of the input, of this `shape` and `dtype`, and of the `extras`: name,
    dtype and, where it has one, default. `refused`: what the refusal must say; None: it is to be
    fed right. `grey`: it tells SHADES apart, else COLOURS."""

    shape: Sequence[int | None] | None
    body: Body
    dtype: str = "float32"
    extras: tuple[tuple[str, str, Any], ...] = ()
    refused: str | None = None
    grey: bool = False

    @property
    def labels(self) -> tuple[str, ...]:
        return SHADES if self.grey else COLOURS


def colour_truth(kind: Kind, pixels: np.ndarray) -> np.ndarray:
    """Probabilities (n, C) for decoded photos (n, H, W, 3) uint8."""
    if kind.grey:
        grey = np.array([np.array(Image.fromarray(each).convert("L")) for each in pixels]) / 255
        light = grey.mean(axis=(1, 2))
        logits = 5 * np.stack([1 - light, light], axis=1)
    else:
        logits = 12 * (pixels / 255).mean(axis=(1, 2))
    powers = np.exp(logits)
    truth: np.ndarray = powers / powers.sum(axis=1, keepdims=True)
    return truth


def _colour(tf: Any, x: Any, axes: Sequence[int] = (1, 2), scale: float = 1.0) -> Any:
    return tf.nn.softmax(12 * tf.reduce_mean(tf.cast(x, tf.float32) * scale, axes))


def _shade(tf: Any, x: Any, axes: Sequence[int] = (1, 2)) -> Any:
    light = tf.reduce_mean(x, axes)
    return tf.nn.softmax(5 * tf.concat([1 - light, light], 1))


def _kept(tf: Any, x: Any, keep: Any) -> Any:
    means = tf.reduce_mean(x, [1, 2])
    return tf.nn.softmax(12 * means / keep * tf.floor(keep + tf.random.uniform(tf.shape(means))))


def _dropped(tf: Any, x: Any, rate: Any) -> Any:
    means = tf.reduce_mean(x, [1, 2])
    kept = tf.cast(tf.random.uniform(tf.shape(means)) >= rate, tf.float32)
    return tf.nn.softmax(12 * means * (1 / (1 - rate)) * kept)


def _switched(tf: Any, x: Any, training: Any) -> Any:
    means = tf.reduce_mean(x, [1, 2])
    wanted = tf.cast(training, tf.float32)
    return tf.nn.softmax(12 * means * (1 - 2 * wanted))


def _convolved(tf: Any, x: Any) -> Any:
    """Through a convolution that changes nothing, so that channels can be seen in it."""
    same = np.eye(3, dtype=np.float32)[None, None]
    return _colour(tf, tf.nn.conv2d(x, same, 1, "SAME"))


def _as(*shape: int) -> Body:
    return lambda tf, x: tf.reshape(_colour(tf, x), shape)


RGB = (None, SIZE, SIZE, 3)
FIRST = (None, 3, SIZE, SIZE)
KINDS: dict[str, Kind] = {
    "plain": Kind(RGB, _colour),
    "channels first": Kind(FIRST, lambda tf, x: _colour(tf, x, (2, 3))),
    "channels first, sizes open": Kind(
        (None, 3, None, None),
        lambda tf, x: _colour(tf, x, (2, 3)),
        refused="give --input_height and --input_width",
    ),
    "nothing said, convolution": Kind(
        None, _convolved, refused="give --input_height and --input_width"
    ),
    "grey": Kind((None, SIZE, SIZE, 1), _shade, grey=True),
    "grey, channels first": Kind(
        (None, 1, SIZE, SIZE), lambda tf, x: _shade(tf, x, (2, 3)), grey=True
    ),
    "grey and size open": Kind(
        (None, None, None, 1), _shade, grey=True, refused="give --input_height and --input_width"
    ),
    "four channels": Kind(
        (None, SIZE, SIZE, 4), lambda tf, x: _colour(tf, x[..., :3]), refused="of 4 channels"
    ),
    "four channels first": Kind(
        (None, 4, SIZE, SIZE), lambda tf, x: _colour(tf, x[:, :3], (2, 3)), refused="of 4 channels"
    ),
    "two channels": Kind(
        (None, SIZE, SIZE, 2),
        lambda tf, x: tf.nn.softmax(tf.reduce_mean(x, [1, 2])),
        refused="of 2 channels",
    ),
    "rows of numbers": Kind(
        (None, SIZE * SIZE * 3),
        lambda tf, x: _colour(tf, tf.reshape(x, [-1, SIZE, SIZE, 3])),
        refused="takes rows of numbers at ",
    ),
    "no batch": Kind(
        (SIZE, SIZE, 3), lambda tf, x: _colour(tf, x[None]), refused="without a batch around it"
    ),
    "film": Kind(
        (None, 5, SIZE, SIZE, 3), lambda tf, x: _colour(tf, x, (1, 2, 3)), refused="films"
    ),
    "bytes": Kind(RGB, lambda tf, x: _colour(tf, x, scale=1 / 255), "uint8"),
    "whole numbers": Kind(RGB, lambda tf, x: _colour(tf, x, scale=1 / 255), "int32"),
    "half": Kind(RGB, _colour, "float16"),
    "double": Kind(RGB, _colour, "float64"),
    "signed bytes": Kind(
        RGB, lambda tf, x: _colour(tf, tf.cast(x, tf.float32) + 128, scale=1 / 255), "int8"
    ),
    "batch of 4": Kind((4, SIZE, SIZE, 3), _colour),
    "batch of 4, reshaped": Kind(
        (4, SIZE, SIZE, 3), lambda tf, x: tf.reshape(_colour(tf, x), [4, 3])
    ),
    "batch of 4, first": Kind((4, 3, SIZE, SIZE), lambda tf, x: _colour(tf, x, (2, 3))),
    "scores [n, 1, 1, C]": Kind(RGB, _as(-1, 1, 1, 3)),
    "scores [n, C, 1, 1]": Kind(RGB, _as(-1, 3, 1, 1)),
    "scores [n, 1, C]": Kind(RGB, _as(-1, 1, 3)),
    "scores [C]": Kind((1, SIZE, SIZE, 3), _as(3)),
    "a map of scores": Kind(
        RGB,
        lambda tf, x: tf.nn.softmax(12 * x),
        refused=r"gives \[1, 32, 32, 3\] at .*, which is no row of scores",
    ),
    "a sequence": Kind(
        RGB,
        lambda tf, x: tf.nn.softmax(12 * tf.reduce_mean(x, 1)),
        refused="which is no row of scores",
    ),
    "a lost batch": Kind((4, SIZE, SIZE, 3), lambda tf, x: _colour(tf, x)[0], refused="no row of"),
    "dropout, by use": Kind(
        RGB, _kept, extras=(("final_layer/dropout/Placeholder", "float32", None),)
    ),
    "dropout rate, by use": Kind(RGB, _dropped, extras=(("dropout/Placeholder", "float32", None),)),
    "keep_prob": Kind(RGB, _kept, extras=(("keep_prob", "float32", None),)),
    "keepProb": Kind(RGB, _kept, extras=(("model/keepProb", "float32", None),)),
    "keep_prob with default": Kind(RGB, _kept, extras=(("keep_prob", "float32", 0.5),)),
    "dropout_rate": Kind(RGB, _dropped, extras=(("dropout_rate", "float32", None),)),
    "is_training": Kind(RGB, _switched, extras=(("is_training", "bool", None),)),
    "is_training, true if not said": Kind(RGB, _switched, extras=(("is_training", "bool", True),)),
    "phase_train": Kind(RGB, _switched, extras=(("phase_train", "bool", None),)),
    "learning phase": Kind(RGB, _switched, extras=(("keras_learning_phase", "int32", None),)),
    "a default": Kind(
        RGB, lambda tf, x, odd: _colour(tf, x * odd), extras=(("odd", "float32", 1.0),)
    ),
    "an unknown switch": Kind(
        RGB,
        _switched,
        extras=(("fast", "bool", None),),
        refused=r"takes '(\w*_)?fast.*' \(bool( \[\])?\) beside",
    ),
    "an unknown number": Kind(
        RGB,
        lambda tf, x, alpha: _colour(tf, x * alpha),
        extras=(("alpha", "float32", None),),
        refused=r"takes '(\w*_)?alpha.*' \(float(32)?( \[\])?\) beside",
    ),
    "one output, tanh": Kind(
        RGB,
        lambda tf, x: tf.tanh(tf.reduce_mean(x, [1, 2, 3], True)[:, 0, 0]),
        refused="has one output, and nobody knows what its last operation, Tanh, gives",
    ),
    "one output, softmax": Kind(
        RGB,
        lambda tf, x: tf.nn.softmax(tf.reduce_mean(x, [1, 2, 3], True)[:, 0, 0]),
        refused="a softmax over one number is always 1",
    ),
}


def frozen_kind(path: Path, kind: Kind) -> None:
    """As a frozen graph: `Placeholder`, `final_result`."""
    tf = import_tensorflow()
    v1 = tf.compat.v1
    with tf.Graph().as_default() as graph:
        image = v1.placeholder(kind.dtype, kind.shape, name="Placeholder")
        extras = [
            v1.placeholder(dtype, [], name=name)
            if default is None
            else v1.placeholder_with_default(tf.constant(default, dtype), [], name=name)
            for name, dtype, default in kind.extras
        ]
        tf.identity(kind.body(tf, image, *extras), name="final_result")
    path.write_bytes(graph.as_graph_def().SerializeToString())


def kind_function(kind: Kind) -> Any:
    """As TensorFlow 2's function of `image` and the extras, whose defaults are forgotten."""
    tf = import_tensorflow()
    specs = [tf.TensorSpec(kind.shape, kind.dtype, "image")]
    specs += [tf.TensorSpec([], dtype, name.split("/")[-1]) for name, dtype, _ in kind.extras]

    @tf.function(input_signature=specs, autograph=False)
    def classify(*given: Any) -> Any:
        return {"scores": kind.body(tf, *given)}

    return classify


def saved_kind(folder: Path, kind: Kind) -> None:
    """As a SavedModel with the signature `serving_default`."""
    tf = import_tensorflow()
    module = tf.Module()
    module.classify = kind_function(kind)
    tf.saved_model.save(module, str(folder), signatures=module.classify)


def tflite_kind(path: Path, kind: Kind) -> None:
    """As a TensorFlow Lite file."""
    tf = import_tensorflow()
    module = tf.Module()
    module.classify = kind_function(kind)
    concrete = module.classify.get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], module)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path.write_bytes(converter.convert())
