"""Precision and recall over thresholds, as TensorBoard's plugin pr_curves takes them."""

import numpy as np
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.pr_curve import metadata
from tensorboard.util.tensor_util import make_tensor_proto

THRESHOLDS = 201  # the plugin's own number


def pr_curve_points(scores: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Compute a PR curve (6, THRESHOLDS) float32 of scores (n,) in [0, 1].

    `inside` (n,): whether a photo is of the class. Rows are true and false positives, true and
    false negatives, precision, recall; columns are the thresholds from 0 to 1, and a score equal to
    the threshold is a positive. Precision without positives and recall without photos inside are 0.
    """
    thresholds = np.linspace(0, 1, THRESHOLDS)

    def positives(of: np.ndarray) -> np.ndarray:
        return of.size - np.sort(of).astype(np.float64).searchsorted(thresholds)

    true, false = positives(scores[inside]), positives(scores[~inside])
    precision = true / np.maximum(true + false, 1)
    recall = true / max(true[0], 1)
    points = (true, false, false[0] - false, true[0] - true, precision, recall)
    return np.stack(points).astype(np.float32)


def pr_curve_value(tag: str, points: np.ndarray) -> Summary.Value:
    """Return the result of `pr_curve_points` as a value for an event file."""
    about = metadata.create_summary_metadata(tag, "", num_thresholds=points.shape[1])
    return Summary.Value(tag=tag, metadata=about, tensor=make_tensor_proto(points))
