"""The ranges of numbers that a user may give when photos are labelled."""

from retrain.utils.settings import Range, real

TOP_K = Range(1, 1_000_000)  # labels of a photo
THRESHOLD = real(0, 1)  # a score
