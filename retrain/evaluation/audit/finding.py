"""One finding of the audit."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One line of the audit.

    Attributes:
        kind: A check of CHECKS.
        severity: error, warning or note.
        detail: In words.
        path: Relative to the image folder; "" where no photo is meant, also below.
        label: Its class.
        set: Its set.
        other: The other photo of a pair, relative to the image folder.
        other_label: Its class.
        other_set: Its set.
        suggested: The class that a suspected label should rather be.
        score: Similarity of a pair in [-1, 1], chance in [0, 1] that a suspected label is wrong,
            robust z-score of an outlier; None for other kinds.
        exclude: To leave the photo out may be as good a remedy.
    """

    kind: str
    severity: str
    detail: str
    path: str = ""
    label: str = ""
    set: str = ""
    other: str = ""
    other_label: str = ""
    other_set: str = ""
    suggested: str = ""
    score: float | None = None
    exclude: bool = False
