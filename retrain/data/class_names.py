"""The names of classes in labels files and exported graphs."""

from collections.abc import Sequence

from retrain.data.name_matching import legacy_label, loose
from retrain.errors import RetrainError

UNKNOWN = "unknown"  # the answer for a photo whose best score is too low
OTHERWISE = "no_answer"  # the same answer, if a class is called unknown


def labels_of(classes: Sequence[str], *, legacy: bool) -> tuple[str, ...]:
    """Return a label for each class folder, in order: its name, or retrain.py's form of it.

    Raises RetrainError where two classes would get one label, or a label would break the labels
    file.
    """
    labels = tuple(legacy_label(name) if legacy else name for name in classes)
    owners: dict[str, str] = {}
    for label, name in zip(labels, classes, strict=True):
        if "\n" in label or "\r" in label:
            raise RetrainError(f"class folder {name!r} has a line break in its name: rename it")
        other = owners.setdefault(label, name)
        if other != name:
            raise RetrainError(
                f"class folders {other!r} and {name!r} both become the label {label!r}: "
                "rename one, or leave out --legacy_labels"
            )
    return labels


def unknown_answer(labels: Sequence[str]) -> str:
    """Return the word for a photo that none of the labels fits.

    `unknown`, or another word if that is the name of a class.
    """
    taken = {loose(label) for label in labels}
    word = OTHERWISE if UNKNOWN in taken else UNKNOWN
    while word in taken:
        word += "_"
    return word
