"""What classes are called in labels files and exported graphs."""

import re
from collections.abc import Sequence

from retrain.errors import RetrainError


def labels_of(classes: Sequence[str], legacy: bool) -> tuple[str, ...]:
    """A label for each class folder, in order: the name as it is, or the ancestor's form of it.

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


def legacy_label(name: str) -> str:
    """The ancestor's form: lower case, each run of other characters than a-z and 0-9 one blank."""
    return re.sub(r"[^a-z0-9]+", " ", name.lower())
