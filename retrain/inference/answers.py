"""Answers: the labels of photos, as Python and notebooks show them."""

from dataclasses import dataclass
from pathlib import Path

from retrain.utils.notebook import table_html
from retrain.utils.text import percent, plain

SHOWN = 3  # labels in a short answer


@dataclass(frozen=True, repr=False)
class LabelledPhoto:
    """The labels of one photo, or why it has none.

    Attributes:
        name: The photo's path as it was given; `photo 2` for the second of several in memory.
        labels: The likeliest with their scores in [0, 1], best first. Where the graph has a rule
            for unknown photos and it applies, UNKNOWN comes first, with the best score (or another
            word, if a class has that name: `class_names.unknown_answer`).
        problem: Why the photo cannot be used, or None.
    """

    name: str
    labels: list[tuple[str, float]]
    problem: str | None = None

    @property
    def path(self) -> Path:
        """`name` as a Path."""
        return Path(self.name)

    def __repr__(self) -> str:
        labels = [f"{label} {percent(score)}" for label, score in self.labels[:SHOWN]]
        said = self.problem or ", ".join(labels) or "no label"
        return plain(f"<{self.name}: {said}>")

    def _repr_html_(self) -> str:
        rows = [(label, score) for label, score in self.labels]
        return table_html([self.name, self.problem or "score"], rows)


class Answers(list[LabelledPhoto]):
    """The answers for several photos, in their order."""

    def _repr_html_(self) -> str:
        rows = [
            (one.name, *(one.labels[0] if one.labels else (one.problem or "no label", "")))
            for one in self
        ]
        return table_html(["photo", "label", "score"], rows)
