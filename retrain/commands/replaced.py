"""The classifier that stands where a run is going to write its own: what users are told of it."""

import logging
from collections.abc import Sequence
from pathlib import Path

from retrain.artifacts.inspect.inspect import inspect_artefact
from retrain.artifacts.manifest import Manifest
from retrain.data.split import SETS
from retrain.errors import RetrainError, counted, few
from retrain.features.dataset import Dataset

log = logging.getLogger(__name__)

KEEP = "give --output_dir or --output_graph to keep it"


def say_replaced(graph: Path, dataset: Dataset, labels: Sequence[str]) -> None:
    """Log what the run will replace at `graph`, in one line; nothing for the same photos.

    A warning where the classes are others. With more photos of the same classes, as each night of
    a job has them, it is no more than a line.

    Args:
        graph: Where the run's graph goes.
        dataset: The run's photos.
        labels: Of the run, in class order.
    """
    if not graph.is_file():
        return
    manifest = _manifest_of(graph)
    where = graph.absolute()
    if manifest is None:
        log.warning(f"{where}, which retrain did not write, will be replaced: {KEEP}")
    elif manifest.data.get("digest") == dataset.digests["digest"]:
        return
    elif manifest.labels == tuple(labels):
        log.info(f"{where}, made of {_photos(manifest)} of the same classes, will be replaced")
    else:
        classes = counted(len(manifest.labels), "class", "classes")
        log.warning(
            f"{where}, made of {_photos(manifest)} of {classes} ({few(manifest.labels)}), will be "
            f"replaced by a classifier of other classes ({few(labels)}): {KEEP}"
        )


def _manifest_of(graph: Path) -> Manifest | None:
    """Return the graph's manifest; None for other tools' graphs, and for what is no graph."""
    try:
        return inspect_artefact(graph).contents.manifest
    except RetrainError:
        return None


def _photos(manifest: Manifest) -> str:
    """Return how many photos the classifier was made of, in words."""
    counts = [manifest.data.get(name) for name in SETS]
    known = [count for count in counts if isinstance(count, int)]
    return counted(sum(known), "photo") if known else "other photos"
