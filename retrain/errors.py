"""Errors that a user can mend. Each message is one line: what happened, with what, what to do."""

from collections.abc import Sequence


class RetrainError(Exception):
    """An expected error. The commands print its text on one line and exit with `exit_code`."""

    exit_code = 1


class GateFault(RetrainError):
    """A result is worse than the user allows; no earlier classifier was replaced. Exit code 3."""

    exit_code = 3


class ParityFault(RetrainError):
    """An exported file does not answer as the trained classifier does. Exit code 4."""

    exit_code = 4


class UsageFault(RetrainError):
    """The command line asks for something impossible; nothing was read or written."""

    exit_code = 2


def counted(number: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun: `1 photo`, `2 photos`."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def few(names: Sequence[str], most: int = 5) -> str:
    """Return the first of any number of names, for one line: `'a', 'b', ...`."""
    return ", ".join(map(repr, names[:most])) + (", ..." if len(names) > most else "")


def one_line(error: BaseException) -> str:
    """Return the first line of an exception's own text, or its type where it has none."""
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__
