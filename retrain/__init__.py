"""Teach an image classifier your own classes, from folders of photos.

    import retrain

    result = retrain.train("flowers/", how_many_training_steps=500)
    print(result.assessment.metrics.accuracy)
    for photo in retrain.load("output_graph.pb").label(["a.jpg", "b.jpg"]):
        print(photo.path, photo.labels[0])

The commands `retrain` and `label-image` are these two functions. `Extractor` does the part of the
work that may go to many machines: see retrain.features.extractor.
"""

import logging
from typing import TYPE_CHECKING, Any

from retrain._version import __version__

if TYPE_CHECKING:
    from os import PathLike

    from retrain.commands.result import TrainResult
    from retrain.features.extractor import Extractor, Receipt, Work
    from retrain.inference.labeller import Labeller


__all__ = ["Extractor", "Receipt", "Work", "__version__", "load", "train"]


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
