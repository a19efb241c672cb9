"""The ways things were, and are, done elsewhere: real code, to be measured beside ours."""

from pathlib import Path
from typing import Any

import numpy as np

from retrain.backbones.backbone import FEATURE_NODE, INPUT_NODE, Backbone
from retrain.training.head import Head, accuracy, cross_entropy
from retrain.utils.numerics import softmax
from retrain.utils.tensorflow import import_tensorflow


class RetrainPy:
    """As TensorFlow's retrain.py worked: decode and network in two separate session calls, one
    photo at a time, and a comma-separated text file for each photo's features."""

    def __init__(self, backbone: Backbone) -> None:
        tf = import_tensorflow()
        definition = tf.compat.v1.GraphDef.FromString(backbone.graph_path.read_bytes())
        with tf.Graph().as_default() as graph:
            self.jpeg = tf.compat.v1.placeholder(tf.string)
            pixels = tf.cast(tf.image.decode_jpeg(self.jpeg, channels=3), tf.float32) / 255.0
            size = (backbone.info.height, backbone.info.width)
            self.decoded = tf.compat.v1.image.resize_bilinear(pixels[None], size)
            self.images, self.features = tf.graph_util.import_graph_def(
                definition, return_elements=[f"{INPUT_NODE}:0", f"{FEATURE_NODE}:0"]
            )
        self.session = tf.compat.v1.Session(graph=graph)

    def extract(self, photos: list[Path], folder: Path) -> list[Path]:
        """Writes one text file per photo; returns their paths."""
        written = []
        folder.mkdir(parents=True, exist_ok=True)
        for photo in photos:
            images = self.session.run(self.decoded, {self.jpeg: photo.read_bytes()})
            features = self.session.run(self.features, {self.images: images})[0]
            path = folder / f"{photo.name}_module.txt"
            path.write_text(",".join(str(value) for value in features))
            [float(value) for value in path.read_text().split(",")]  # as retrain.py did
            written.append(path)
        return written


def retrain_py_steps(
    files: list[Path], labels: np.ndarray, head: Head, steps: int, batch: int, rate: float
) -> None:
    """N steps that read a text file for each sample of each step; evaluation every 10."""
    rng = np.random.default_rng(0)

    def read() -> tuple[np.ndarray, np.ndarray]:
        rows = rng.integers(len(files), size=batch)
        texts = [files[row].read_text().split(",") for row in rows]
        return np.array([[float(v) for v in text] for text in texts], np.float32), labels[rows]

    for step in range(steps):
        features, truth = read()
        gradient = softmax(head.logits(features))
        gradient[np.arange(batch), truth] -= 1
        head.weights[...] -= features.T @ (gradient * (rate / batch))
        head.biases[...] -= gradient.sum(0) * (rate / batch)
        if step % 10 == 0:
            for checked in ((features, truth), read()):
                found = softmax(head.logits(checked[0]))
                accuracy(found, checked[1])
                cross_entropy(found, checked[1])


class KerasWay:
    """`image_dataset_from_directory` and `predict`, as Keras' guides do transfer learning."""

    def __init__(self, size: int) -> None:
        self.tf: Any = import_tensorflow()
        keras = self.tf.keras
        network = keras.applications.MobileNet(
            weights=None, include_top=False, pooling="avg", input_shape=(size, size, 3)
        )
        rescale = keras.layers.Rescaling(1 / 127.5, offset=-1)
        self.size = size
        self.model = keras.Sequential([keras.Input((size, size, 3)), rescale, network])

    def extract(self, tree: Path) -> np.ndarray:
        photos = self.tf.keras.utils.image_dataset_from_directory(
            str(tree), image_size=(self.size, self.size), shuffle=False, verbose=False
        )
        features: np.ndarray = self.model.predict(photos, verbose=0)
        return features
