"""Suffixes of outputs: the end of a name says what is written there, or the name is refused."""

import re
from collections.abc import Sequence
from pathlib import Path

from retrain.errors import UsageFault

CLAIM = re.compile(r"\.[a-z][a-z0-9_]*")  # `.pb` claims a format; the `.0` of `flowers-1.0` none


def suffix_of(path: Path) -> str:
    """Return the suffix with which a name claims a format, in lower case; "" if it has none."""
    suffix = path.suffix.lower()
    return suffix if CLAIM.fullmatch(suffix) else ""


def check_suffix(
    path: Path, flag: str, suffixes: Sequence[str], *, what: str, instead: str = ""
) -> None:
    """Raise UsageFault for an output file whose name claims another format than it gets.

    Args:
        path: The file. A name without suffix claims nothing.
        flag: How the user named it.
        suffixes: Those that are right.
        what: Is written there, as `a frozen graph`.
        instead: What else to do, as a sentence's end.
    """
    if suffix_of(path) not in ("", *suffixes):
        raise UsageFault(
            f"{flag} {path}: {what} is written there, so give a name that ends in "
            f"{either(suffixes)}{instead and f'; {instead}'}"
        )


def check_folder_name(path: Path, flag: str, *, what: str, instead: str = "") -> None:
    """Raise UsageFault for an output folder whose name claims to be a file, unless it is there.

    Args:
        path: The folder.
        flag: How the user named it.
        what: It becomes, as `a SavedModel`.
        instead: What else to do, as a sentence's end.
    """
    if suffix_of(path) and not path.is_dir():
        raise UsageFault(
            f"{flag} {path}: {what} is a folder, so give a name without {suffix_of(path)}"
            f"{instead and f'; {instead}'}"
        )


def either(suffixes: Sequence[str]) -> str:
    """Return suffixes as a sentence names them: `.a`, `.a or .b`, `.a, .b or .c`."""
    *first, last = suffixes
    return f"{', '.join(first)} or {last}" if first else last
