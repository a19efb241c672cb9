"""Teach an image classifier your own classes, from folders of photos.

    import retrain

    result = retrain.train("flowers/", how_many_training_steps=500)
    print(result.assessment.metrics.accuracy)
    classifier = retrain.load("output_graph.pb")
    print(classifier.label("a.jpg"))
    for photo in classifier.label(["a.jpg", "b.jpg"]):
        print(photo.path, photo.labels[0])

`evaluate`, `audit` and `export` are the commands of these names. `Extractor` does the part of the
work that may go to many machines: see retrain.features.extractor.
"""

import logging
from typing import TYPE_CHECKING, Any

from retrain._version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterable
    from os import PathLike

    from retrain.commands.graph_evaluation import GraphEvaluation
    from retrain.commands.result import TrainResult
    from retrain.evaluation.audit.audit import Audit
    from retrain.export.export import Export
    from retrain.features.extractor import Extractor, Receipt, Work
    from retrain.inference.labeller import Labeller


__all__ = [
    "Extractor",
    "Receipt",
    "Work",
    "__version__",
    "audit",
    "evaluate",
    "export",
    "load",
    "train",
]


def __getattr__(name: str) -> Any:
    """Import and return a name that is heavy to import, when it is first asked for."""
    if name in ("Extractor", "Receipt", "Work"):
        from retrain.features import extractor

        return getattr(extractor, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def train(image_dir: "str | PathLike[str]", **settings: Any) -> "TrainResult":
    """Train a classifier on the photos below `image_dir`, a folder for each class.

    Files are written as the command writes them: the graph, its labels, the report and so on, in
    the current folder unless said otherwise. After a missed gate the result's `fault` says so, and
    the new files lie beside the earlier ones, under the names in its `places`. How the run goes is
    logged under the name `retrain`; unless logging is set up, only warnings show.

    Args:
        image_dir: Holds one folder of photos for each class.
        **settings: The flat names of retrain.config.TrainConfig, which are those of the command's
            options; paths may be text.

    Returns:
        The result: the head, its test, the files.

    Raises:
        retrain.errors.RetrainError: The run cannot be done (UsageFault for settings that make no
            sense).
        TypeError: A setting does not exist.
    """
    from retrain.commands.run_record import DEFAULT
    from retrain.commands.train import train as run
    from retrain.config import SETTINGS, TrainConfig
    from retrain.utils.new_folders import empty_folders_removed

    sources = dict.fromkeys(SETTINGS.keys() - settings.keys() - {"image_dir"}, DEFAULT)
    with empty_folders_removed():
        result = run(TrainConfig.from_flat(image_dir, **settings), sources)
    if result.fault is not None:
        logging.getLogger(__name__).warning("%s", result.fault)
    return result


def load(
    graph: "str | PathLike[str] | None" = None,
    *,
    labels: "str | PathLike[str] | None" = None,
    **overrides: Any,
) -> "Labeller":
    """Return a classifier from a graph that `train` or an older tool wrote.

    The file is read when the first photo is labelled; retrain.errors.RetrainError is raised then if
    it cannot be used.

    Args:
        graph: Its file or folder; None: ImageNet's 1001 classes.
        labels: A file to use instead of the graph's own labels.
        **overrides: The fields of retrain.inference.config.Overrides, for a graph that does not
            say how it is fed.

    Returns:
        The classifier.
    """
    from pathlib import Path

    from retrain.inference.config import Overrides
    from retrain.inference.labeller import Labeller
    from retrain.utils.settings import check_names, settings_in

    check_names(overrides, settings_in(Overrides))
    return Labeller(
        Path(graph) if graph is not None else None,
        Overrides(**overrides),
        Path(labels) if labels is not None else None,
    )


def evaluate(
    graph: "str | PathLike[str]",
    image_dir: "str | PathLike[str]",
    *,
    set: str | None = None,
    output_dir: "str | PathLike[str] | None" = None,
    labels: "str | PathLike[str] | None" = None,
    **overrides: Any,
) -> "GraphEvaluation":
    """Judge a graph by the labelled photos below `image_dir`, and return what was found.

    Photos that the graph was made of are known by their bytes and left out of the figures.

    Args:
        graph: Its file or folder.
        image_dir: Holds one folder of photos for each class.
        set: Of a tree with folders of sets: test, validation, train or all; None: the test photos.
        output_dir: Where `evaluation.json`, `predictions.csv` and `report.html` go; None: nowhere.
        labels: A file to use instead of the graph's own labels.
        **overrides: As of `load`.

    Returns:
        The photos with their probabilities and metrics.

    Raises:
        retrain.errors.RetrainError: The graph or the photos cannot be used.
        TypeError: An override does not exist.
    """
    import os
    from pathlib import Path

    from retrain.commands.evaluate import check_output_folder, evaluate_graph
    from retrain.commands.report import write_judged
    from retrain.inference.config import Overrides
    from retrain.utils.files import check_folder_can_be_written
    from retrain.utils.settings import check_names, settings_in

    check_names(overrides, settings_in(Overrides))
    photos = os.fspath(image_dir)
    folder = None if output_dir is None else Path(output_dir)
    if folder is not None:
        check_output_folder(folder, photos)
        check_folder_can_be_written(folder, "output_dir")
    judged = evaluate_graph(
        Path(graph),
        photos,
        Overrides(**overrides),
        labels_file=None if labels is None else Path(labels),
        which=set,
    )
    if folder is not None:
        write_judged(judged, Path(graph), folder, page=folder / "report.html")
    return judged


def audit(
    image_dir: "str | PathLike[str]",
    *,
    output_dir: "str | PathLike[str] | None" = None,
    **settings: Any,
) -> "Audit":
    """Look for photos that harm below `image_dir`, and return the findings; nothing is trained.

    Args:
        image_dir: Holds one folder of photos for each class.
        output_dir: Where `audit.csv` and `audit.json` go; None: nowhere.
        **settings: As of `train`; those of the photos, their sets and the module matter.

    Returns:
        The findings.

    Raises:
        retrain.errors.RetrainError: The photos or the module cannot be used.
        TypeError: A setting does not exist.
    """
    from pathlib import Path

    from retrain.commands.audit import audit_photos, write_audit
    from retrain.config import TrainConfig
    from retrain.utils.files import check_folder_can_be_written

    config = TrainConfig.from_flat(image_dir, **settings)
    if output_dir is not None:
        check_folder_can_be_written(Path(output_dir), "output_dir")
    found = audit_photos(config)
    if output_dir is not None:
        write_audit(found, Path(output_dir), csv_safe=config.report.csv_safe)
    return found


def export(
    graph: "str | PathLike[str]",
    to: "str | PathLike[str] | Iterable[str | PathLike[str]]",
    *,
    image_dir: "str | PathLike[str] | None" = None,
    tflite_quantization: str = "float32",
    parity_min_agreement: float | None = None,
    allow_unsafe_module: bool = False,
) -> "tuple[Export, ...]":
    """Write a graph in other formats, check each in its own runtime, and return them.

    Args:
        graph: A frozen graph that `train` wrote.
        to: One name or several, by whose end the format is known: `.tflite`, `.onnx`; a name
            without such an end is the folder for a SavedModel.
        image_dir: Photos to check with, and to find the ranges of int8 numbers from; None: three
            test pictures.
        tflite_quantization: float32, float16, dynamic or int8.
        parity_min_agreement: Least share of photos that must get the graph's answer; None: as the
            format and its numbers let expect.
        allow_unsafe_module: Run a graph that does more than compute.

    Returns:
        What was written.

    Raises:
        retrain.errors.RetrainError: It cannot be done; ParityFault for a file that does not answer
            as the graph does.
    """
    import os
    from pathlib import Path

    from retrain.commands.export import export_graph, wanted_exports
    from retrain.export.export import check_agreement

    places = [to] if isinstance(to, (str, os.PathLike)) else list(to)
    exports = export_graph(
        Path(graph),
        wanted_exports(map(Path, places), tflite_quantization, parity_min_agreement),
        image_dir=None if image_dir is None else os.fspath(image_dir),
        allow_unsafe_module=allow_unsafe_module,
    )
    check_agreement(exports)
    return exports


_export = export  # for the package of that name, see retrain/export/__init__.py
