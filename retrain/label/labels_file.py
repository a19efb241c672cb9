"""A labels file beside a graph, as the old tools wrote and read it."""

from pathlib import Path

from retrain.files import cannot_read


def read_labels(path: Path) -> tuple[str, ...]:
    """Labels, one a line, in class order. Raises RetrainError."""
    try:
        text = path.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError as error:
        raise cannot_read("labels", path, error) from error
    return tuple(line.rstrip("\r") for line in text.removesuffix("\n").split("\n"))
