"""A backbone: one frozen inference graph and the facts about it."""

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

INPUT_NODE = "Placeholder"  # float32 [None, H, W, 3], values in [0, 1]
FEATURE_NODE = "feature_vector"  # float32 [None, D]
LOGITS_NODE = "logits"  # float32 [None, 1001]; only in modules that kept their classifier

GRAPH_FILE = "frozen_graph.pb"
ONNX_FILE = "frozen_graph.onnx"  # in place of GRAPH_FILE, for a module that came in ONNX
INFO_FILE = "backbone.json"
REFERENCE_FILE = "reference.npz"


@dataclass(frozen=True)
class BackboneInfo:
    """The facts about a backbone.

    Attributes:
        name: Of the module.
        fingerprint: Hex BLAKE2b-128 of the module's own files, with the user's settings of its
            input: the identity of its features.
        height: Of its pictures, in pixels.
        width: Of its pictures, in pixels.
        feature_width: How many numbers a feature vector has.
        has_logits: It kept its classifier.
        kind: The format that it came in.
        channels: The module's own; the frozen graph always takes three.
        input_range: The module's own (low, high); the frozen graph always takes [0, 1].
        graph_digest: Hex BLAKE2b-128 of the frozen graph.
    """

    name: str
    fingerprint: str
    height: int
    width: int
    feature_width: int
    has_logits: bool
    kind: str = "TF2 SavedModel"
    channels: int = 3
    input_range: tuple[float, float] = (0.0, 1.0)
    graph_digest: str = ""


@dataclass(frozen=True)
class Backbone:
    """A folder with the graph, its facts and TensorFlow's own answers on a few pictures."""

    info: BackboneInfo
    folder: Path

    @property
    def is_onnx(self) -> bool:
        """Whether the graph is an ONNX file."""
        return self.graph_path.name == ONNX_FILE

    @property
    def graph_path(self) -> Path:
        """The graph's file."""
        return graph_in(self.folder)

    def read_reference(self) -> tuple[np.ndarray, np.ndarray]:
        """Return test pictures (n, H, W, 3) uint8 and TensorFlow's features (n, D) for them."""
        with open(self.folder / REFERENCE_FILE, "rb") as file, np.load(file) as stored:
            return stored["pixels"], stored["features"]


def graph_in(folder: Path) -> Path:
    """Return the frozen graph's path in a backbone's folder."""
    onnx = folder / ONNX_FILE
    return onnx if onnx.is_file() else folder / GRAPH_FILE


def read_backbone(folder: Path) -> Backbone:
    """Read a backbone's folder, its facts as they are; raise OSError, ValueError, TypeError."""
    facts = json.loads((folder / INFO_FILE).read_text(encoding="utf-8"))
    if "input_range" in facts:
        facts["input_range"] = tuple(facts["input_range"])
    return Backbone(BackboneInfo(**facts), folder)


def write_info(folder: Path, info: BackboneInfo) -> None:
    """Write the facts, and the digest of the graph, beside the graph in `folder`."""
    info = replace(info, graph_digest=digest_of_graph(folder))
    (folder / INFO_FILE).write_text(json.dumps(asdict(info), indent=1) + "\n", encoding="utf-8")


def digest_of_graph(folder: Path) -> str:
    """Return hex BLAKE2b-128 of the frozen graph in the folder."""
    content = graph_in(folder).read_bytes()
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def reference_pixels(height: int, width: int) -> np.ndarray:
    """Return three smooth, differing test pictures (3, H, W, 3) uint8, to compare engines on."""
    row, column = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    pictures = []
    for waves in (1.0, 3.0, 9.0):
        channels = [
            np.sin(2 * np.pi * (waves * row + shift)) * np.cos(2 * np.pi * waves * (column - shift))
            for shift in (0.0, 0.21, 0.45)
        ]
        pictures.append(127.5 + 127.5 * np.stack(channels, axis=-1))
    return np.rint(np.stack(pictures)).astype(np.uint8)
