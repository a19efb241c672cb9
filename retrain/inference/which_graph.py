"""Which graph labels the photos when none is named: one among the names, or one that is here."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from retrain.errors import UsageFault
from retrain.inference.inputs import list_inputs, may_be_photo

IMAGENET = "imagenet"  # the word for the bundled network; a file of that name is ./imagenet
USUAL = ("output_graph.pb", "output_graph.onnx")  # as `retrain` calls them
SUFFIXES = (".pb", ".onnx", ".tflite")


@dataclass(frozen=True)
class Choice:
    """A graph, and the names that are left to be labelled.

    Attributes:
        graph: Its file or folder; None is the bundled network with ImageNet's classes.
        names: Of the photos, folders and patterns.
        remark: What the user did not say; "" where nothing was chosen.
    """

    graph: Path | None
    names: tuple[str, ...]
    remark: str = ""


def choose_graph(given: Path | None, names: Sequence[str], folder: Path = Path()) -> Choice:
    """Return the graph to label `names` with, and those of the names that are none.

    Args:
        given: The graph that the user named with --graph, or None.
        names: Photos, folders and patterns, among which there may be a graph.
        folder: The current one, in which a graph may lie.

    Raises:
        UsageFault: It cannot be told which graph is meant.
    """
    graphs = [name for name in names if is_graph(name)]
    photos = tuple(name for name in names if name not in graphs)
    if given is not None and str(given) != IMAGENET:
        if graphs:
            raise UsageFault(f"{graphs[0]} is a graph, and so is --graph {given}: give one")
        return Choice(given, photos)
    if len(graphs) > 1 or (graphs and given is not None):
        raise UsageFault(
            f"{graphs[0]} is a graph, no photo: say with --graph which one labels the photos"
        )
    if graphs:
        return Choice(Path(graphs[0]), photos, f"graph {graphs[0]}, the one among the names")
    if given is not None:
        return Choice(None, photos)
    usual = [name for name in USUAL if (folder / name).is_file()]
    if usual:
        return Choice(
            folder / usual[0],
            photos,
            f"graph {usual[0]}, which is here (--graph names another; {IMAGENET}: its classes)",
        )
    others = sorted(path.name for path in folder.iterdir() if is_graph(path))
    if others:
        raise UsageFault(
            f"no graph given, and here is {others[0]}: give --graph {others[0]}, or --graph "
            f"{IMAGENET} for ImageNet's classes"
        )
    return Choice(None, photos, "no graph given or here: the answers are ImageNet's 1001 classes")


def is_graph(name: str | os.PathLike[str]) -> bool:
    """Tell whether there is a graph: a file so called that is no photo, or a SavedModel."""
    path = Path(name)
    if path.is_dir():
        saved = any(path.glob("saved_model.pb")) or any(path.glob("[0-9]*/saved_model.pb"))
        return saved and all(one is None or one.problem for one in list_inputs([str(path)]))
    return path.suffix.lower() in SUFFIXES and path.is_file() and not may_be_photo(path)
