"""The manifest: what an exported graph says about itself, as JSON in one of its constant nodes."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from tensorboard.compat.proto.graph_pb2 import GraphDef

from retrain.artifacts.graphdef import add_text_constant, find_node, read_text_constant
from retrain.errors import RetrainError
from retrain.utils.json_types import fits
from retrain.utils.text import decoded

NODE = "retrain/manifest"
FILE = "manifest.json"  # its file beside, or in, exports that are no frozen graph
LABELS_FILE = "labels.txt"
FORMAT = 1
NEEDED = ("labels", "input_node", "height", "width", "recipe", "output_node")
LONGEST_LABEL = 4096  # characters; a folder's name has 255 at most
MOST_SIDE = 8192  # pixels of the network's input
PLAIN = str | int | float | bool | None
TABLE = dict[str, PLAIN | tuple[PLAIN, ...]]
KINDS = {
    "labels": tuple[str, ...], "input_node": str, "output_node": str, "height": int, "width": int,
    "recipe": str, "unknown_below": float | None, "format": int, "versions": dict[str, str],
    "backbone": TABLE, "data": TABLE, "training": TABLE, "metrics": TABLE,
}  # fmt: skip
# The metrics that are shown, if they are there; others are ignored.
METRICS = {
    "test_accuracy": float, "test_accuracy_interval": tuple[float, float], "test_photos": int,
    "macro_f1": float, "log_loss": float, "calibration_error": float,
    "support": tuple[int, ...], "right": tuple[int, ...],
}  # fmt: skip


@dataclass(frozen=True)
class Manifest:
    """What retrain writes into each exported classifier about itself.

    Pixels reach `input_node` as float32 [n, height, width, 3] in [0, 1], made by `recipe`.
    `output_node` gives a probability for each label. A photo whose best probability is below
    `unknown_below` is called unknown. The other fields say how the classifier was made.
    """

    labels: tuple[str, ...]
    input_node: str
    height: int
    width: int
    recipe: str
    output_node: str
    backbone: dict[str, Any] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    unknown_below: float | None = None
    versions: dict[str, str] = field(default_factory=dict)
    format: int = FORMAT


def labels_bytes(labels: Sequence[str]) -> bytes:
    """Return the content of a labels file: one label a line.

    Bytes of folder names that are no UTF-8 are kept as they are.
    """
    return "".join(f"{label}\n" for label in labels).encode("utf-8", "surrogateescape")


def manifest_text(manifest: Manifest) -> str:
    """Return a manifest as JSON."""
    return json.dumps(asdict(manifest), indent=1)


def parse_manifest(text: str | bytes, where: str = "the graph") -> Manifest:
    """Parse the JSON of `manifest_text` and return the manifest.

    Unknown fields are left out. `where` names the file in error messages. A manifest may come from
    anywhere: raises RetrainError, naming the field, for one of a later version, for a damaged one,
    and for values that retrain never writes.
    """
    name = f"the manifest of {where}"
    try:
        text = decoded(text, name) if isinstance(text, bytes) else text
        facts = json.loads(text, parse_constant=lambda _: None)  # NaN is no JSON
    except (ValueError, RecursionError) as error:
        raise _damaged(name, "is no JSON") from error
    if not isinstance(facts, dict):
        raise _damaged(name, "is no table of fields")
    if fits(facts.get("format"), int) and facts["format"] != FORMAT:
        raise RetrainError(
            f"{name} has format {facts['format']}, this version reads {FORMAT}: "
            "install the version of retrain that made the graph"
        )
    known = {each.name: facts[each.name] for each in fields(Manifest) if each.name in facts}
    for field_name in ("format", *NEEDED):
        if field_name not in known:
            raise _damaged(name, f"has no {field_name}")
    for field_name, value in known.items():
        if not fits(value, KINDS[field_name]):
            raise _damaged(name, f"has a {field_name} of a kind that retrain does not write")
    manifest = Manifest(**{**known, "labels": tuple(known["labels"])})
    for wrong in _faults(manifest):
        raise _damaged(name, wrong)
    return manifest


def _faults(manifest: Manifest) -> Iterator[str]:
    """Yield what is wrong with a manifest's values, each as the end of a sentence."""
    if not manifest.labels:
        yield "has no labels"
    if any(len(label) > LONGEST_LABEL for label in manifest.labels):
        yield f"has a label of more than {LONGEST_LABEL} characters"
    if not (manifest.input_node and manifest.output_node):
        yield "names no input or output"
    size = manifest.height, manifest.width
    if not all(0 < side <= MOST_SIDE for side in size):
        yield f"has pictures of {size[0]} x {size[1]} pixels, not 1 to {MOST_SIDE} a side"
    stated = re.search(r"squash:([0-9]+)x([0-9]+),", manifest.recipe)
    if stated and (stated[1], stated[2]) != (str(size[0]), str(size[1])):
        yield "has a recipe for another size than its pictures"
    if manifest.unknown_below is not None and not 0 <= manifest.unknown_below <= 1:
        yield f"has an unknown_below of {manifest.unknown_below:g}, not 0 to 1"
    yield from _metric_faults(manifest.metrics, len(manifest.labels))


def _metric_faults(metrics: dict[str, Any], classes: int) -> Iterator[str]:
    given = {key: value for key, value in metrics.items() if key in METRICS and value is not None}
    if not all(fits(value, METRICS[key]) for key, value in given.items()):
        yield "has metrics of a kind that retrain does not write"
        return
    shares = [given.get("test_accuracy", 0), *given.get("test_accuracy_interval", ())]
    support = given.get("support", (0,) * classes)
    right = given.get("right", (0,) * len(support))
    if not (
        all(0 <= share <= 1 for share in shares)
        and len(right) == len(support) == classes
        and all(0 <= found <= count for found, count in zip(right, support, strict=True))
    ):
        yield "has metrics that cannot be"


def _damaged(name: str, problem: str) -> RetrainError:
    return RetrainError(f"{name} is damaged, it {problem}: export the classifier anew")


def add_manifest(graph: GraphDef, manifest: Manifest) -> None:
    """Append a manifest to a graph as a constant node."""
    add_text_constant(graph, NODE, manifest_text(manifest))


def find_manifest(graph: GraphDef, where: str | Path = "the graph") -> Manifest | None:
    """Return the manifest in a graph, or None for a graph that other tools made.

    `where` names the file in error messages. Raises RetrainError for a damaged manifest.
    """
    node = find_node(graph, NODE)
    return None if node is None else parse_manifest(read_text_constant(node), str(where))
