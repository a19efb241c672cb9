"""What a mistyped word was meant to be."""

from collections.abc import Iterable
from pathlib import Path


def nearest(word: str, names: Iterable[str], *, least: float = 0.6) -> str | None:
    """Return the name that looks most like a word, or None if none is alike.

    `least`: how alike it must be, from 0 to 1 (`difflib.SequenceMatcher.ratio`).
    """
    from difflib import get_close_matches  # only a mistake is worth importing it

    near = get_close_matches(word, list(names), n=1, cutoff=least)
    return near[0] if near else None


def nearest_folder(path: Path) -> Path | None:
    """Return the folder that looks most like a path that does not exist, or None.

    The first part that is wrong is looked for among the folders that are in its place.
    """
    wrong, rest = path, Path()
    while not wrong.parent.is_dir():
        if wrong == wrong.parent:
            return None
        wrong, rest = wrong.parent, Path(wrong.name, rest)
    try:
        folders = {child.name.lower(): child for child in wrong.parent.iterdir() if child.is_dir()}
    except OSError:
        return None
    near = nearest(wrong.name.lower(), folders)
    if near is None:
        return None
    whole = folders[near] / rest
    return whole if whole.is_dir() else folders[near]
