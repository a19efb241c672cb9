"""TensorBoard logs of a training, with the tags of TF Hub's retrain.py, without TensorFlow."""

import time
from pathlib import Path
from types import TracebackType

import numpy as np
from tensorboard.compat.proto.summary_pb2 import HistogramProto, Summary

from retrain.training.head import Head
from retrain.training.sgd import BatchResult, StepResult
from retrain.utils.event_file import EventFile
from retrain.utils.new_folders import make_folder
from retrain.utils.numerics import softmax

SCOPE = "final_retrain_ops"
BUCKETS = 30
HISTOGRAMS = 40


def new_run_folder(summaries_dir: Path) -> Path:
    """Make and return a folder named by the time that no run has used; raise OSError."""
    stamp = time.strftime("%Y%m%d-%H%M%S")
    for attempt in range(1000):
        folder = summaries_dir / (f"{stamp}-{attempt}" if attempt else stamp)
        try:
            make_folder(folder, exist_ok=False)
        except FileExistsError:
            continue
        return folder
    raise FileExistsError(str(summaries_dir / stamp))


class TrainingSummaries:
    """Two event files, `train` and `validation`, with the same tags.

    Scalars are written at each evaluated step; histograms, which cost a hundred times more, at
    `HISTOGRAMS` of them, spread evenly, the first and the last among them.
    """

    def __init__(self, folder: Path, steps: int) -> None:
        """Open the two files; `steps`: how many the training has."""
        self.steps = steps
        self._next_histograms = 0.0
        self._train = EventFile(folder / "train")
        self._validation = EventFile(folder / "validation")

    def __enter__(self) -> "TrainingSummaries":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._train.close()
        self._validation.close()

    def add(self, result: StepResult) -> None:
        """Write an evaluated step's values."""
        histograms = result.step >= self._next_histograms or result.step == self.steps - 1
        if histograms:
            self._next_histograms += self.steps / HISTOGRAMS
        of_head = _head_values(result.head, histograms=histograms)
        self._train.add(result.step, _batch_values(result.train, histograms=histograms) + of_head)
        checked = result.validation
        if checked is not None:
            self._validation.add(
                result.step, _batch_values(checked, histograms=histograms) + of_head
            )


def _batch_values(batch: BatchResult, *, histograms: bool) -> list[Summary.Value]:
    values = [
        Summary.Value(tag="accuracy_1", simple_value=batch.accuracy),
        Summary.Value(tag="cross_entropy_1", simple_value=batch.cross_entropy),
    ]
    if histograms:
        values.append(_histogram(f"{SCOPE}/Wx_plus_b/pre_activations", batch.logits))
        values.append(_histogram("activations", softmax(batch.logits)))
    return values


def _head_values(head: Head, *, histograms: bool) -> list[Summary.Value]:
    found = []
    for name, values in (("weights", head.weights), ("biases", head.biases)):
        scope = f"{SCOPE}/{name}/summaries"
        for statistic in ("mean", "stddev", "max", "min"):
            number = float(getattr(values, {"stddev": "std"}.get(statistic, statistic))())
            found.append(Summary.Value(tag=f"{scope}/{statistic}_1", simple_value=number))
        if histograms:
            found.append(_histogram(f"{scope}/histogram", values))
    return found


def _histogram(tag: str, values: np.ndarray) -> Summary.Value:
    counts, edges = np.histogram(values, bins=BUCKETS)
    flat = values.astype(np.float64).ravel()
    histogram = HistogramProto(
        min=float(np.min(flat)),
        max=float(np.max(flat)),
        num=flat.size,
        sum=flat.sum(),
        sum_squares=flat @ flat,
        bucket_limit=edges[1:],
        bucket=counts,
    )
    return Summary.Value(tag=tag, histo=histogram)
