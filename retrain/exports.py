"""From a finished frozen graph to the formats that travel, each checked by its own runtime."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from retrain.backbones.backbone import reference_pixels
from retrain.errors import ParityFault
from retrain.export.onnx_file import onnx_from_graph
from retrain.export.parity import Parity, compare, graph_scores
from retrain.export.runtimes import own_scores
from retrain.export.saved_model import (
    check_saved_model_dir,
    saved_model_target,
    write_saved_model,
)
from retrain.export.tflite import tflite_bytes
from retrain.export.wanted import INT8, Target, Wanted
from retrain.extras import require
from retrain.files import check_file_can_be_written, write_bytes
from retrain.graphs import read_graph
from retrain.images.decode import Recipe
from retrain.images.reading import read_photos_ahead
from retrain.manifest import FILE as MANIFEST_FILE
from retrain.manifest import LABELS_FILE, Manifest, labels_bytes, manifest_text
from retrain.model_card import model_card
from retrain.progress import Meter, Talk
from retrain.safety.tensorflow_graphs import check_graph
from retrain.saved_models import EXTRA

MOST_CHECKED = 200
REPRESENTATIVE = 100
NEEDED = {  # packages, and the extras that bring them
    "ONNX": (("onnx", "onnx"), ("tf2onnx", "onnx"), ("onnxruntime", "onnx")),
    "TFLite": (("ai-edge-litert", "tflite"),),
}
CARD = "MODEL_CARD.md"


@dataclass(frozen=True)
class Photos:
    """Paths of photos for what an export needs them for; `what` those `checked` are: test photos.

    `representative`: photos of the kind that the classifier will see, for int8's value ranges.
    """

    checked: Sequence[str]
    representative: Sequence[str]
    what: str


@dataclass(frozen=True)
class Export:
    """A file, or SavedModel folder, that was made, and whether it answers as the graph does."""

    kind: str
    path: Path
    size: int
    what: str
    parity: Parity
    least: float

    @property
    def agrees(self) -> bool:
        return self.parity.agree / self.parity.photos >= self.least

    def sentence(self) -> str:
        return (
            f"{self.parity.agree} of {self.parity.photos} {self.what} get the graph's answer "
            f"(largest difference of a score: {self.parity.largest_gap:.1e})"
        )


def check_exports(wanted: Wanted) -> None:
    """All that can be known before the work starts. Raises UsageFault or RetrainError."""
    wanted.check()
    for target in wanted.targets():
        if target.format == "SavedModel":
            check_saved_model_dir(target.path, target.flag)
        else:
            check_file_can_be_written(target.path, target.flag)
        for package, extra in NEEDED.get(target.format, ()):
            require(package, extra, f"making and checking {target.format} files")


def write_exports(
    wanted: Wanted, graph: Path, manifest: Manifest, photos: Photos, talk: Talk
) -> tuple[Export, ...]:
    """Makes what is wanted of the frozen `graph`, with labels, manifest and a model card beside.

    Each is asked about the same photos as the graph itself: those to be checked, or, without any,
    three pictures that every module is tested with. Raises RetrainError; `check_agreement` is for
    the caller, once all else is written.
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
    made = []
    for target in wanted.targets():
        talk.info(f"Making {target.kind}")
        path = _write(target, content, manifest, photos, recipe)
        with talk.progress(f"Checking {target.kind}", len(pixels), "photos") as meter:
            found = own_scores(path, manifest, _counted(pixels, meter))
        parity = compare(found, expected)
        made.append(Export(target.kind, path, _size(path), what, parity, wanted.least(target)))
        talk.info(f"Checked {target.kind}: {made[-1].sentence()}")
    for folder in dict.fromkeys(_beside(export.path) for export in made):
        for name, text in _companions(manifest).items():
            write_bytes(folder / name, text)
        card = model_card(manifest, [a for a in made if _beside(a.path) == folder])
        write_bytes(folder / CARD, card.encode("utf-8", "surrogateescape"))
    return tuple(made)


def check_agreement(exports: Sequence[Export]) -> None:
    """Raises ParityFault, in one line that names each export that answers too differently."""
    faults = [
        f"{export.path.absolute()} ({export.kind}) gives the graph's answer for only "
        f"{export.parity.agree} of {export.parity.photos} {export.what}, "
        f"--parity_min_agreement {export.least:g}"
        for export in exports
        if not export.agrees
    ]
    if faults:
        raise ParityFault("; ".join(faults) + "; all files were written")


def _write(
    target: Target, graph: bytes, manifest: Manifest, photos: Photos, recipe: Recipe
) -> Path:
    if target.format == "SavedModel":
        folder = saved_model_target(target.path)
        write_saved_model(graph, manifest, folder, _companions(manifest))
        return folder
    if target.format == "ONNX":
        write_bytes(target.path, onnx_from_graph(graph, manifest))
        return target.path
    needed = photos.representative if target.numbers == INT8 else ()
    representative = _decoded(needed, REPRESENTATIVE, recipe)
    write_bytes(target.path, tflite_bytes(graph, manifest, target.numbers, representative))
    return target.path


def _decoded(paths: Sequence[str], most: int, recipe: Recipe) -> list[np.ndarray]:
    """The pixels of up to `most` of the photos, evenly spread. Those that are broken now are left
    out."""
    spread = np.linspace(0, len(paths) - 1, min(most, len(paths))).astype(int)
    chosen = [paths[position] for position in spread.tolist()]
    return [
        found for _, found in read_photos_ahead(chosen, recipe) if isinstance(found, np.ndarray)
    ]


def _counted(pixels: Sequence[np.ndarray], meter: Meter) -> Iterator[np.ndarray]:
    for picture in pixels:
        yield picture
        meter.advance()


def _companions(manifest: Manifest) -> dict[str, bytes]:
    return {
        LABELS_FILE: labels_bytes(manifest.labels),
        MANIFEST_FILE: manifest_text(manifest).encode() + b"\n",
    }


def _beside(path: Path) -> Path:
    """Where what belongs to an export lies; in a SavedModel, the place that TensorFlow has for
    it."""
    return path / EXTRA if path.is_dir() else path.parent


def _size(path: Path) -> int:
    """In bytes; of a folder, all its files."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())
