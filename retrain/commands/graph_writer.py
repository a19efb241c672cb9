"""Writing a run's graphs with their manifests, labels and checkpoints."""

import logging
import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from retrain._version import __version__
from retrain.artifacts.graphdef import read_graph
from retrain.artifacts.manifest import Manifest, labels_bytes
from retrain.artifacts.onnx import read_onnx
from retrain.backbones.backbone import INPUT_NODE
from retrain.config import TrainConfig
from retrain.data.split import SETS
from retrain.evaluation.assessment import Assessment, Calibration
from retrain.evaluation.metrics import Metrics
from retrain.export.config import GraphConfig
from retrain.export.frozen_graph import graph_bytes
from retrain.export.onnx_classifier import onnx_bytes
from retrain.features.dataset import Dataset
from retrain.training.head import Head, write_checkpoint
from retrain.utils.files import cannot_write, drafted, publish, write_bytes

log = logging.getLogger(__name__)

LIBRARIES = ("numpy", "openvino", "pillow")


class Exporter:
    """Knows what a run's graphs have in common; each gets the head of its step."""

    def __init__(self, config: TrainConfig, dataset: Dataset, labels: tuple[str, ...]) -> None:
        self.config, self.dataset, self.labels = config, dataset, labels
        self.classes = len(labels)
        path = dataset.backbone.graph_path
        self._bytes: Callable[[Head, Manifest], bytes]
        if dataset.backbone.is_onnx:
            self._bytes = partial(onnx_bytes, read_onnx(path))
        else:
            self._bytes = partial(graph_bytes, read_graph(path))

    def manifest(self, judged: tuple[Calibration, Assessment] | None = None) -> Manifest:
        """Return the manifest, without a time stamp, so that the same run gives the same file."""
        calibration, assessment = judged if judged is not None else (None, None)
        config, dataset, info = self.config, self.dataset, self.dataset.backbone.info
        counts = dataset.split.counts(dataset.photo_labels, len(self.labels)).sum(axis=0)
        return Manifest(
            labels=self.labels,
            input_node=INPUT_NODE,
            height=info.height,
            width=info.width,
            recipe=dataset.recipe.text,
            output_node=config.graph.final_tensor_name,
            backbone={
                "handle": config.extract.tfhub_module,
                "name": info.name,
                "fingerprint": info.fingerprint,
                "feature_width": info.feature_width,
            },
            data={
                **dataset.digests,
                **dict(zip(SETS, counts.tolist(), strict=True)),
            },
            training={
                "split": config.data.split,  # first, as in the graphs of earlier versions
                **config.recorded(),
                **(
                    {"keep_together": config.data.keep_together}
                    if config.data.keeps_duplicates
                    else {}
                ),
                "learning_rate": config.head.rate,
                **({"temperature": calibration.temperature} if calibration is not None else {}),
            },
            metrics=_metrics(assessment.metrics) if assessment is not None else {},
            unknown_below=calibration.threshold if calibration is not None else None,
            versions=_versions(),
        )

    def after_step(self, step: int, head: Head) -> None:
        """Write the graph of this step, and the checkpoint, if it is time for one."""
        snapshots = self.config.snapshots
        frequency = snapshots.intermediate_store_frequency
        if not frequency or step == 0 or step % frequency:
            return
        name = f"intermediate_{step}{self.config.graph.output_graph.suffix}"
        path = snapshots.intermediate_output_graphs_dir / name
        write_bytes(path, self._bytes(head, self.manifest()))
        if snapshots.checkpoint_path:
            write_checkpoint(snapshots.checkpoint_path, head, step)
        log.info(f"Saved intermediate graph {path}")

    @contextmanager
    def drafted(self, calibration: Calibration, assessment: Assessment) -> Iterator[Path]:
        """Write the graph of the calibrated head, yet without its name, and yield where it is.

        `publish` gives it its name. Raises RetrainError when the disk refuses.
        """
        content = self._bytes(calibration.head, self.manifest((calibration, assessment)))
        graph = self.config.graph.output_graph
        with drafted(graph) as draft:
            try:
                draft.write_bytes(content)
            except OSError as error:
                raise cannot_write(graph, error) from error
            yield draft

    def publish(self, draft: Path, places: GraphConfig) -> None:
        """Give the graph its name, and write its labels."""
        publish(draft, places.output_graph)
        write_bytes(places.output_labels, labels_bytes(self.labels))


def library_versions() -> str:
    """Return retrain's version, Python's and those of the libraries that results depend on."""
    return ", ".join(f"{name} {number}" for name, number in _versions().items())


def _versions() -> dict[str, str]:
    return {
        "retrain": __version__,
        "python": platform.python_version(),
        **{name: version(name) for name in LIBRARIES},
    }


def _metrics(metrics: Metrics) -> dict[str, Any]:
    """Return the headline figures, and test photos of each class, all and found.

    In the order of the labels; all other figures are in `evaluation.json`.
    """
    if metrics.accuracy_interval is None:
        return {}
    interval = metrics.accuracy_interval
    return {
        "test_accuracy": metrics.accuracy,
        "test_accuracy_interval": [interval.low, interval.high],
        "test_photos": metrics.count,
        "macro_f1": metrics.macro_f1,
        "log_loss": metrics.log_loss,
        "calibration_error": metrics.calibration_error,
        "support": [each.support for each in metrics.classes],
        "right": [round(each.recall * each.support) for each in metrics.classes],
    }
