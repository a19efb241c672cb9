"""Small classifiers in each format that people have, built with TensorFlow.

All are the same network on 32 x 32 pixels in [0, 1] with the five classes of LABELS, so that one
answer of TensorFlow is the truth for all of them.
"""

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from retrain.backbones.tensorflow import import_tensorflow

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
