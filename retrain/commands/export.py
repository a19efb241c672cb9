"""`retrain export`: a finished graph in other formats."""

import json
import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from retrain.artifacts.graphdef import read_graph
from retrain.artifacts.manifest import Manifest, find_manifest
from retrain.artifacts.onnx import SUFFIX as ONNX
from retrain.artifacts.safety.verdict import unsafe_allowed
from retrain.data.file_kinds import is_side_file
from retrain.data.folder import read_tree
from retrain.errors import RetrainError, UsageFault
from retrain.export.config import REJECTED, ExportConfig, GraphConfig
from retrain.export.export import Export, Photos, check_exports, write_exports
from retrain.export.formats import INT8, format_of
from retrain.reporting.records import EVALUATION
from retrain.utils.json_types import fits
from retrain.utils.text import read_text

log = logging.getLogger(__name__)


def wanted_exports(
    places: Iterable[Path], quantization: str, least: float | None = None
) -> ExportConfig:
    """Return the exports that the names ask for; raise UsageFault for two of one kind.

    `least`: `parity_min_agreement`.
    """
    found: dict[str, Any] = {}
    for place in places:
        setting = format_of(place).setting
        if setting in found:
            raise UsageFault(
                f"--to {found[setting]} and --to {place} are of one format: give one at a time"
            )
        found[setting] = place
    return ExportConfig(
        **found, tflite_quantization=quantization, parity_min_agreement=least, flag="--to"
    )


def export_graph(
    graph: Path, wanted: ExportConfig, *, image_dir: str | None, allow_unsafe_module: bool = False
) -> tuple[Export, ...]:
    """Write a graph in other formats, run each in its own runtime, and return them.

    Args:
        graph: A frozen graph that retrain wrote.
        wanted: What to write.
        image_dir: Photos to check with and to find the ranges of int8 numbers from; None: three
            test pictures.
        allow_unsafe_module: Run a graph that does more than compute.

    Returns:
        What was written; whether it answers as the graph does is for the caller to judge
        (`check_agreement`).

    Raises:
        RetrainError: It cannot be done.
    """
    if wanted.tflite_quantization == INT8 and image_dir is None:
        raise UsageFault(
            "--tflite_quantization int8 needs photos to find the ranges of numbers from: give "
            "--image_dir, the folder that the graph was trained on"
        )
    check_exports(wanted)
    manifest = read_exportable(graph)
    with unsafe_allowed(allowed=allow_unsafe_module, warn=log.warning):
        return write_exports(
            wanted,
            graph,
            manifest,
            photos=photos_in(image_dir),
            audit=audit_beside(graph, manifest),
        )


def read_exportable(graph: Path) -> Manifest:
    """Return the manifest of a frozen graph; raise RetrainError if retrain did not write it."""
    if graph.suffix.lower() == ONNX:
        raise RetrainError(
            f"{graph.absolute()} is an ONNX file already, and no other format can be made of it"
        )
    manifest = find_manifest(read_graph(graph), graph.absolute())
    if manifest is None:
        raise RetrainError(
            f"{graph.absolute()} was not made by retrain, so its labels and pixels are not known: "
            "give a graph that retrain wrote"
        )
    return manifest


def photos_in(image_dir: str | None) -> Photos:
    """Return every other photo of the tree for checking, and the others as representative."""
    if image_dir is None:
        return Photos((), (), "test pictures")
    index = read_tree(image_dir, least_classes=1)
    paths = [index.full_path(photo) for photo in index.photos if not is_side_file(photo.path)]
    return Photos(paths[::2], paths[1::2], f"photos in {index.root}")


def audit_beside(graph: Path, manifest: Manifest) -> dict[str, Any] | None:
    """Return the counts of the audit in the `evaluation.json` of the graph's run; else None.

    It lies beside the graph, and is believed if it is of the very photos that the manifest names.
    """
    run = GraphConfig(None, graph, is_rejected=graph.stem.endswith(REJECTED))
    try:
        facts = json.loads(read_text(run.beside(EVALUATION), "evaluation"))
    except (RetrainError, ValueError, RecursionError):
        return None
    if not fits(facts, dict[str, Any]) or not fits(facts.get("audit"), dict[str, Any]):
        return None
    audit, data, photos = facts["audit"], facts.get("data"), manifest.data.get("split_digest")
    of_graph = isinstance(data, dict) and photos and data.get("split_digest") == photos
    whole = fits(audit.get("leaks"), int) and fits(audit.get("counts"), dict[str, int])
    return audit if of_graph and whole else None
