"""Why a photo cannot be used, for good or only now; the same words wherever it is said."""

from os import PathLike, fspath

from retrain.errors import RetrainError, one_line


class BadPhoto(Exception):
    """The file is not a usable photo; the message says why."""


class TooLittleMemory(OSError):
    """The photo may be usable, but not now: the message says how much memory it needs."""


class Changed(OSError):
    """The file no longer holds the photo that this run has seen in it."""

    def __init__(self) -> None:
        super().__init__("changed while this run was working; run again")


def reason_of(fault: BadPhoto | OSError) -> str:
    """Return why a photo cannot be used, in one line that goes behind its path and a colon."""
    if isinstance(fault, OSError) and fault.strerror:  # the system's, in its words
        return f"cannot be read: {fault.strerror}"
    return one_line(fault)


def gone(path: str | PathLike[str], fault: BadPhoto | OSError) -> RetrainError:
    """Return the error to raise for a photo that was read in this run and cannot be read again."""
    return RetrainError(
        f"{fspath(path)} could be read before and cannot now ({one_line(fault)}): run again"
    )
