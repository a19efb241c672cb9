"""Exporting a frozen graph to other formats, each checked in its own runtime."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from retrain.artifacts.graphdef import read_graph
from retrain.artifacts.manifest import Manifest
from retrain.artifacts.safety.tensorflow_graphs import check_graph
from retrain.backbones.backbone import reference_pixels
from retrain.data.decoding.decode import Recipe
from retrain.data.read import read_photos_ahead
from retrain.errors import ParityFault
from retrain.export.companions import Companions
from retrain.export.config import ExportConfig, Target
from retrain.export.format_module import Conversion
from retrain.export.formats import INT8
from retrain.export.parity import Parity, compare, graph_scores
from retrain.export.runtimes import own_scores
from retrain.utils.files import (
    check_file_can_be_written,
    check_folder_can_be_written,
    drafted,
    publish,
)
from retrain.utils.optional import require
from retrain.utils.progress import Meter, progress
from retrain.utils.tensorflow import require_tensorflow

log = logging.getLogger(__name__)

MOST_CHECKED = 200
REPRESENTATIVE = 100


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
            for other in wanted.rejected().targets():  # before the work, as all else
                _path_of(other)
        else:
            check_file_can_be_written(target.path, target.flag)
        require_tensorflow(f"making {target.format.name} files")
        for package, extra in target.format.needs:
            require(package, extra, f"making and checking {target.format.name} files")


@dataclass(frozen=True)
class Draft:
    """An export that has been checked, and has no name yet: see files.drafted."""

    target: Target
    place: Path
    what: str
    parity: Parity
    least: float

    def published(self, path: Path) -> Export:
        """Return the export that it is at `path`."""
        size = _size(self.place)
        return Export(self.target.kind, path, size, self.what, self.parity, self.least)


def write_exports(
    wanted: ExportConfig,
    graph: Path,
    manifest: Manifest,
    *,
    photos: Photos,
    audit: Mapping[str, Any] | None = None,
) -> tuple[Export, ...]:
    """Make the exports of a frozen graph, with labels, manifest and a model card beside.

    If one does not agree with the graph, none replaces an earlier file: all get the names that
    `ExportConfig.rejected` gives. The caller calls `check_agreement` once all else is written.

    Args:
        wanted: The exports.
        graph: The frozen graph's file.
        manifest: The graph's.
        photos: For checks and for int8.
        audit: As of `model_card`.

    Returns:
        The files that were made.

    Raises:
        RetrainError: A file cannot be made or written.
    """
    with drafted_exports(wanted, graph, manifest, photos=photos) as drafts:
        places = wanted if all_agree(drafts) else wanted.rejected()
        return publish_exports(drafts, places, manifest, audit=audit)


def all_agree(drafts: Sequence[Draft]) -> bool:
    """Tell whether enough photos get the graph's answer from each."""
    return all(draft.published(draft.place).agrees for draft in drafts)


@contextmanager
def drafted_exports(
    wanted: ExportConfig, graph: Path, manifest: Manifest, *, photos: Photos
) -> Iterator[tuple[Draft, ...]]:
    """Make the exports of a frozen graph and check them; `publish_exports` gives them their names.

    Each is asked about the same photos as the graph itself: those to be checked, or, without any,
    three pictures that every module is tested with. What is not published is removed at the end of
    the block.

    Args:
        wanted: The exports.
        graph: The frozen graph's file.
        manifest: The graph's.
        photos: For checks and for int8.

    Yields:
        The exports, in the order in which they were made.

    Raises:
        RetrainError: A file cannot be made or written.
    """
    with ExitStack() as stack:
        yield tuple(_drafts(stack, wanted, graph, manifest=manifest, photos=photos))


def _drafts(
    stack: ExitStack, wanted: ExportConfig, graph: Path, *, manifest: Manifest, photos: Photos
) -> Iterator[Draft]:
    """Make each export in a folder that `stack` removes."""
    if not wanted.targets():
        return
    recipe = Recipe.parse(manifest.recipe)
    what, pixels = photos.what, _decoded(photos.checked, MOST_CHECKED, recipe)
    if not pixels:
        what, pixels = "test pictures", list(reference_pixels(recipe.height, recipe.width))
    expected = graph_scores(graph, pixels)
    check_graph(read_graph(graph), graph)
    content = graph.read_bytes()
    for target in wanted.targets():
        log.info(f"Making {target.kind}")
        place = stack.enter_context(drafted(_path_of(target)))
        needed = photos.representative if target.numbers == INT8 else ()
        representative = _decoded(needed, REPRESENTATIVE, recipe)
        conversion = Conversion(content, manifest, target.numbers, representative)
        target.format.load().write(conversion, place)
        with progress(f"Checking {target.kind}", len(pixels), "photos") as meter:
            found = own_scores(place, manifest, _counted(pixels, meter))
        draft = Draft(target, place, what, compare(found, expected), wanted.least(target))
        log.info(f"Checked {target.kind}: {draft.published(place).sentence()}")
        yield draft


def publish_exports(
    drafts: Sequence[Draft],
    places: ExportConfig,
    manifest: Manifest,
    *,
    audit: Mapping[str, Any] | None,
) -> tuple[Export, ...]:
    """Give the drafts the names that `places` has for them, and write what lies beside them.

    A folder gets labels, manifest and model card before it gets its name: a server takes a version
    as soon as it sees its folder.

    Args:
        drafts: The exports, in the order of their formats.
        places: Where they go.
        manifest: The graph's.
        audit: As of `model_card`.

    Returns:
        The files that were made.

    Raises:
        RetrainError: The disk refuses.
    """
    made, files = [], []
    beside = Companions(manifest, audit, places.is_rejected)
    for draft, target in zip(drafts, places.targets(), strict=True):
        path = _path_of(target)
        export = draft.published(path)
        folder = target.format.load_folder()
        if folder is not None:
            replace(beside, is_rejected=False).write(draft.place / folder.COMPANIONS, [export])
        else:
            files.append(export)
        publish(draft.place, path)
        made.append(export)
    for place in dict.fromkeys(export.path.parent for export in files):
        beside.write(place, [one for one in files if one.path.parent == place])
    return tuple(made)


def _path_of(target: Target) -> Path:
    """Return the file, or for a folder of versions the next one."""
    folder = target.format.load_folder()
    return target.path if folder is None else folder.target_of(target.path)


def agreement_faults(exports: Sequence[Export]) -> list[str]:
    """Return a text for each export that answers too differently; empty if none does."""
    return [
        f"{export.path.absolute()} ({export.kind}) gives the graph's answer for only "
        f"{export.parity.agree} of {export.parity.photos} {export.what}, "
        f"--parity_min_agreement {export.least:g}"
        for export in exports
        if not export.agrees
    ]


def check_agreement(exports: Sequence[Export]) -> None:
    """Raise ParityFault, in one line that names each export that answers too differently."""
    faults = agreement_faults(exports)
    if faults:
        raise ParityFault("; ".join(faults) + "; no earlier file was replaced")


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


def _size(path: Path) -> int:
    """Return the size in bytes; of a folder, that of all its files."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())
