"""The test photos' results, as TensorBoard's run `test` beside train and validation."""

import io
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.image import metadata
from tensorboard.util.tensor_util import make_tensor_proto

from retrain.errors import counted
from retrain.evaluation.headline import scalars
from retrain.evaluation.metrics import Metrics
from retrain.reporting.tensorboard.confusion import draw_confusion
from retrain.reporting.tensorboard.gallery import PHOTO, Mistake, draw_mistake, surest_mistakes
from retrain.reporting.tensorboard.pr_curves import pr_curve_points, pr_curve_value
from retrain.reporting.thumbnails import draw_photos
from retrain.utils.event_file import EventFile
from retrain.utils.files import cannot_write
from retrain.utils.progress import progress
from retrain.utils.text_drawing import printable

log = logging.getLogger(__name__)

RUN = "test"
MISTAKES = 36


def write_test_summaries(
    folder: Path,
    step: int,
    metrics: Metrics,
    *,
    probabilities: np.ndarray,
    truth: np.ndarray,
    paths: Sequence[str],
) -> None:
    """Write scalars, the confusion matrix, the surest mistakes, a PR curve for each class.

    A photo that cannot be read any more is shown blank, with a warning.

    Args:
        folder: The training's log folder, in which `test` is made.
        step: Of the training.
        metrics: Of `probabilities` and `truth`.
        probabilities: (n, C).
        truth: (n,) true classes.
        paths: Where the n photos lie.

    Raises:
        RetrainError: The disk refuses.
    """
    labels = [each.label for each in metrics.classes]
    mistakes = surest_mistakes(probabilities, truth, paths, most=MISTAKES)
    try:
        with (
            EventFile(folder / RUN) as events,
            progress("TensorBoard", len(labels) + len(mistakes), "pictures") as meter,
        ):
            values = scalars(metrics).items()
            events.add(step, [Summary.Value(tag=tag, simple_value=one) for tag, one in values])
            events.add(step, [_images("confusion_matrix", [draw_confusion(metrics)], "")])
            if mistakes:
                drawn, lost = [], 0
                chosen = [paths[mistake.row] for mistake in mistakes]
                photos = draw_photos(chosen, lambda _, photo: photo.inside(PHOTO))
                for mistake, path, photo in zip(mistakes, chosen, photos, strict=True):
                    drawn.append(draw_mistake(photo, mistake, labels, name=Path(path).name))
                    lost += photo is None
                    meter.advance()
                events.add(
                    step, [_images("misclassified", drawn, _listing(mistakes, labels, chosen))]
                )
                if lost:
                    log.warning(f"{counted(lost, 'misclassified photo')} cannot be read any more")
            for number, label in enumerate(labels):
                points = pr_curve_points(probabilities[:, number], truth == number)
                events.add(step, [pr_curve_value(f"pr_curves/{printable(label)}", points)])
                meter.advance()
    except OSError as error:
        raise cannot_write(folder / RUN, error) from error


def _images(tag: str, images: Sequence[Image.Image], about: str) -> Summary.Value:
    """Return several pictures under one tag, as TensorBoard's plugin images takes them."""
    contents: list[bytes] = [str(length).encode() for length in images[0].size]
    for image in images:
        stream = io.BytesIO()
        image.save(stream, "PNG")
        contents.append(stream.getvalue())
    return Summary.Value(
        tag=tag,
        metadata=metadata.create_summary_metadata(tag, about),
        tensor=make_tensor_proto(contents),
    )


def _listing(mistakes: Sequence[Mistake], labels: Sequence[str], paths: Sequence[str]) -> str:
    """Return the mistakes as a list in Markdown: browsers have characters that our fonts lack."""
    lines = [
        f"1. {printable(labels[each.truth])} taken for {printable(labels[each.predicted])} "
        f"({each.probability:.1%}): `{printable(path)}`"
        for each, path in zip(mistakes, paths, strict=True)
    ]
    return "\n".join(lines)
