"""Folders that a run makes for what it will write: one that fails takes its empty ones with it."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_made: list[Path] = []


def make_folder(folder: Path, *, exist_ok: bool = True) -> None:
    """Makes the folder, and its parents where they are missing. Raises OSError, of the kind
    FileExistsError if it is there and may not be."""
    missing, place = [], folder.absolute()
    while not place.exists() and place != place.parent:
        missing.append(place)
        place = place.parent
    folder.mkdir(parents=True, exist_ok=exist_ok)
    _made.extend(reversed(missing))


@contextmanager
def empty_folders_removed() -> Iterator[None]:
    """After an exception, the folders that were made meanwhile and are still empty are gone.

    Never a folder that was there before, nor one that holds anything.
    """
    start = len(_made)
    try:
        yield
    except BaseException:
        for folder in reversed(_made[start:]):
            with suppress(OSError):
                folder.rmdir()
        raise
    finally:
        del _made[start:]
