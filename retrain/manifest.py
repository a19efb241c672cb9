"""What an exported graph says about itself, as JSON in a constant node of the graph."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from tensorboard.compat.proto.graph_pb2 import GraphDef

from retrain.errors import RetrainError
from retrain.graphs import add_text_constant, find_node, read_text_constant

NODE = "retrain/manifest"
FILE = "manifest.json"  # where it lies beside, or in, a file that is no frozen graph
LABELS_FILE = "labels.txt"
FORMAT = 1


@dataclass(frozen=True)
class Manifest:
    """Pixels reach `input_node` as float32 [n, height, width, 3] in [0, 1], made by `recipe`;
    `output_node` gives a probability for each label; a photo whose best is under `unknown_below` is
    to be called unknown. The other fields are provenance."""

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
    """A labels file, one a line; bytes of folder names that are no UTF-8 are kept."""
    return "".join(f"{label}\n" for label in labels).encode("utf-8", "surrogateescape")


def manifest_text(manifest: Manifest) -> str:
    return json.dumps(asdict(manifest), indent=1)


def parse_manifest(text: str) -> Manifest:
    """What `manifest_text` wrote. Raises RetrainError for one that a later version wrote."""
    facts = json.loads(text)
    if facts.get("format") != FORMAT:
        raise RetrainError(
            f"the graph's manifest has format {facts.get('format')}, this version reads {FORMAT}: "
            "install the version of retrain that made the graph"
        )
    return Manifest(**{**facts, "labels": tuple(facts["labels"])})


def add_manifest(graph: GraphDef, manifest: Manifest) -> None:
    add_text_constant(graph, NODE, manifest_text(manifest))


def find_manifest(graph: GraphDef) -> Manifest | None:
    """The graph's manifest, or None for a graph that other tools made. Raises RetrainError."""
    node = find_node(graph, NODE)
    return None if node is None else parse_manifest(read_text_constant(node))
