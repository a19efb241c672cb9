"""Exporting a frozen graph to other formats, each checked in its own runtime."""

import logging
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from retrain.artifacts.graphdef import read_graph
from retrain.artifacts.manifest import FILE as MANIFEST_FILE
from retrain.artifacts.manifest import LABELS_FILE, Manifest, labels_bytes, manifest_text
from retrain.artifacts.safety.tensorflow_graphs import check_graph
from retrain.backbones.backbone import reference_pixels
from retrain.data.decoding.decode import Recipe
from retrain.data.read import read_photos_ahead
from retrain.errors import ParityFault
from retrain.export.config import ExportConfig, Target
from retrain.export.format_module import Conversion
from retrain.export.formats import INT8
from retrain.export.model_card import model_card
from retrain.export.parity import Parity, compare, graph_scores
from retrain.export.runtimes import own_scores
from retrain.utils.files import (
    cannot_write,
    check_file_can_be_written,
    check_folder_can_be_written,
    write_bytes,
)
from retrain.utils.optional import require
from retrain.utils.progress import Meter, progress
from retrain.utils.temporary import temporary_name

log = logging.getLogger(__name__)

MOST_CHECKED = 200
REPRESENTATIVE = 100
CARD = "MODEL_CARD.md"


@dataclass(frozen=True)
class Photos:
    """Paths of the photos that an export needs.

    Attributes:
        checked: Those whose answers are compared.
        representative: Photos of the kind that the classifier will see, for int8's value ranges.
        what: What the checked ones are, in words: test photos.
    """

    checked: Sequence[str]
    representative: Sequence[str]
    what: str


@dataclass(frozen=True)
class Export:
    """A file, or folder, that was made, and whether it answers as the graph does."""

    kind: str
    path: Path
    size: int
    what: str
    parity: Parity
    least: float

    @property
    def agrees(self) -> bool:
        """Whether enough photos get the graph's answer."""
        return self.parity.agree / self.parity.photos >= self.least

    def sentence(self) -> str:
        """Say how many photos get the graph's answer."""
        return (
            f"{self.parity.agree} of {self.parity.photos} {self.what} get the graph's answer "
            f"(largest difference of a score: {self.parity.largest_gap:.1e})"
        )


def check_exports(wanted: ExportConfig) -> None:
    """Check, before the work starts, that the exports can be made.

    Raises UsageFault or RetrainError if not.
    """
    for target in wanted.targets():
        folder = target.format.load_folder()
        if folder is not None:
            parent = folder.target_of(target.path).absolute().parent
            check_folder_can_be_written(parent, target.flag)
        else:
            check_file_can_be_written(target.path, target.flag)
        for package, extra in target.format.needs:
            require(package, extra, f"making and checking {target.format.name} files")


def write_exports(
    wanted: ExportConfig, graph: Path, manifest: Manifest, *, photos: Photos
) -> tuple[Export, ...]:
    """Make the exports of a frozen graph, with labels, manifest and a model card beside.

    Each is asked about the same photos as the graph itself: those to be checked, or, without any,
    three pictures that every module is tested with. The caller calls `check_agreement` once all
    else is written.

    Args:
        wanted: The exports.
        graph: The frozen graph's file.
        manifest: The graph's.
        photos: For checks and for int8.

    Returns:
        The files that were made.

    Raises:
        RetrainError: A file cannot be made or written.
    """
    if not wanted.targets():
        return ()
    recipe = Recipe.parse(manifest.recipe)
    what, pixels = photos.what, _decoded(photos.checked, MOST_CHECKED, recipe)
    if not pixels:
        what, pixels = "test pictures", list(reference_pixels(recipe.height, recipe.width))
    expected = graph_scores(graph, pixels)
    check_graph(read_graph(graph), graph)
    content = graph.read_bytes()
    made, files = [], []
    for target in wanted.targets():
        log.info(f"Making {target.kind}")
        with _place_of(target) as (place, path):
            needed = photos.representative if target.numbers == INT8 else ()
            representative = _decoded(needed, REPRESENTATIVE, recipe)
            conversion = Conversion(content, manifest, target.numbers, representative)
            target.format.load().write(conversion, place)
            with progress(f"Checking {target.kind}", len(pixels), "photos") as meter:
                found = own_scores(place, manifest, _counted(pixels, meter))
            parity, least = compare(found, expected), wanted.least(target)
            made.append(Export(target.kind, path, _size(place), what, parity, least))
            folder = target.format.load_folder()
            if folder is not None:
                _write_beside(place / folder.COMPANIONS, manifest, made[-1:])
            else:
                files.append(made[-1])
        log.info(f"Checked {target.kind}: {made[-1].sentence()}")
    for place in dict.fromkeys(export.path.parent for export in files):
        _write_beside(place, manifest, [one for one in files if one.path.parent == place])
    return tuple(made)


def check_agreement(exports: Sequence[Export]) -> None:
    """Raise ParityFault, in one line that names each export that answers too differently."""
    faults = [
        f"{export.path.absolute()} ({export.kind}) gives the graph's answer for only "
        f"{export.parity.agree} of {export.parity.photos} {export.what}, "
        f"--parity_min_agreement {export.least:g}"
        for export in exports
        if not export.agrees
    ]
    if faults:
        raise ParityFault("; ".join(faults) + "; all files were written")


@contextmanager
def _place_of(target: Target) -> Iterator[tuple[Path, Path]]:
    """Yield where to write a target, and where that goes at the end.

    A folder has a temporary name until all that belongs into it is there: a server takes a version
    as soon as it sees its folder.
    """
    folder = target.format.load_folder()
    if folder is None:
        yield target.path, target.path
        return
    path = folder.target_of(target.path)
    place = temporary_name(path.absolute())
    try:
        yield place, path
        try:
            os.replace(place, path)
        except OSError as error:
            raise cannot_write(path, error) from error
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _decoded(paths: Sequence[str], most: int, recipe: Recipe) -> list[np.ndarray]:
    """Decode up to `most` of the photos, evenly spread; those that are broken now are left out."""
    spread = np.linspace(0, len(paths) - 1, min(most, len(paths))).astype(int)
    chosen = [paths[position] for position in spread.tolist()]
    return [
        found for _, found in read_photos_ahead(chosen, recipe) if isinstance(found, np.ndarray)
    ]


def _counted(pixels: Sequence[np.ndarray], meter: Meter) -> Iterator[np.ndarray]:
    for picture in pixels:
        yield picture
        meter.advance()


def _write_beside(folder: Path, manifest: Manifest, exports: Sequence[Export]) -> None:
    """Write labels, manifest and a model card for the exports, into the folder."""
    write_bytes(folder / LABELS_FILE, labels_bytes(manifest.labels))
    write_bytes(folder / MANIFEST_FILE, manifest_text(manifest).encode() + b"\n")
    card = model_card(manifest, exports)
    write_bytes(folder / CARD, card.encode("utf-8", "surrogateescape"))


def _size(path: Path) -> int:
    """Return the size in bytes; of a folder, that of all its files."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())
