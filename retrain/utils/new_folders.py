"""Folders that a run makes for its files: a run that fails removes those that stayed empty."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_made: list[Path] = []


def make_folder(folder: Path, *, exist_ok: bool = True) -> None:
    """Make the folder, and its parents where they are missing; raise OSError.

    FileExistsError, which is one, if the folder is there and may not be.
    """
    missing, place = [], folder.absolute()
    while not place.exists() and place != place.parent:
        missing.append(place)
        place = place.parent
    folder.mkdir(parents=True, exist_ok=exist_ok)
    _made.extend(reversed(missing))


@contextmanager
def empty_folders_removed(*, always: bool = False) -> Iterator[None]:
    """Remove, after an exception in the block, folders made within it that are still empty.

    `always`: also when the block ends well.

    Never a folder that was there before, nor one that holds anything.
    """
    start = len(_made)
    try:
        yield
    except BaseException:
        always = True
        raise
    finally:
        if always:
            for folder in reversed(_made[start:]):
                with suppress(OSError):
                    folder.rmdir()
        del _made[start:]
