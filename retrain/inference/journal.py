"""The journal of a labelling: its rows as they come, so that one that was ended goes on.

    labels.csv.partial.jsonl    beside labels.csv, for as long as that is not there

It is JSON lines: what the rows depend on, then a row for each photo. Each row is handed to the
system at once, so that rows outlive their process, whatever ended it.
"""

import json
import logging
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from retrain.errors import RetrainError, counted
from retrain.inference.answers import LabelledPhoto
from retrain.inference.inputs import Input
from retrain.utils.files import cannot_write

log = logging.getLogger(__name__)

SUFFIX = ".partial.jsonl"


@dataclass
class Journal:
    """The rows of a labelling that is under way.

    Attributes:
        path: Of the file.
        descriptor: Of the file, open for appending.
        before: How many rows an earlier process has left.
        problems: How many of those photos had a problem.
        added: How many rows this one has added.
    """

    path: Path
    descriptor: int
    before: int = 0
    problems: int = 0
    added: int = 0

    def add(self, row: LabelledPhoto) -> None:
        """Write a row; raise RetrainError if the disk refuses."""
        facts = {"name": row.name, "labels": row.labels, "problem": row.problem}
        self.write(json.dumps(facts))
        self.added += 1

    def write(self, line: str) -> None:
        """Write a line of JSON; raise RetrainError if the disk refuses."""
        content = f"{line}\n".encode()
        try:
            while content:  # a disk that becomes full takes a part, and refuses the rest
                content = content[os.write(self.descriptor, content) :]
        except OSError as error:
            raise cannot_write(self.path, error) from error

    def rows(self) -> Iterator[LabelledPhoto]:
        """Yield all rows, in their order, from the first."""
        with open(self.path, "rb") as file:
            file.readline()
            for line in file:
                yield _row(line)

    def rest(self, inputs: Iterable[Input | None]) -> Iterator[Input | None]:
        """Yield the inputs that have no row yet; raise RetrainError if the earlier were others."""
        found = iter(inputs)
        for number, row in enumerate(islice(self.rows(), self.before), 1):
            one = next((one for one in found if one is not None), None)
            if one is None or one.name != row.name:
                now = "no photo" if one is None else repr(one.name)
                raise RetrainError(
                    f"{self.path.absolute()} is of other photos: its row {number} is {row.name!r}, "
                    f"where now {now} comes; name the same ones, or leave out --resume"
                )
        yield from found


@contextmanager
def journal(output: Path, facts: Mapping[str, Any], *, resume: bool) -> Iterator[Journal]:
    """Open the journal of an output file, and remove it when the block has ended well.

    Otherwise it stays, if it has rows, and its name is said.

    Args:
        output: The file that all rows go to in the end.
        facts: What the rows depend on, as JSON has it.
        resume: Go on after the rows of an earlier process.

    Yields:
        The journal.

    Raises:
        RetrainError: It cannot be written, another process writes it, or what is to be gone on with
            was made otherwise or is damaged.
    """
    path = output.with_name(output.name + SUFFIX)
    with _opened(path) as descriptor:
        kept = Journal(path, descriptor)
        head = json.dumps({"format": 1, **facts}, sort_keys=True)
        if resume:
            _take_up(kept, head)
        elif path.stat().st_size:
            log.info(f"Rows of an earlier run in {path} are dropped; --resume goes on after them")
        try:
            if not kept.before:
                os.ftruncate(descriptor, 0)
                kept.write(head)
            yield kept
        except BaseException as end:
            rows = kept.before + kept.added
            if not rows:
                _remove(path)
            elif kept.added or not isinstance(end, RetrainError):  # else it was not gone on with
                log.warning(
                    f"{counted(rows, 'row')} are kept in {path.absolute()}: the same command with "
                    "--resume goes on after them"
                )
            raise
        _remove(path)


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink()


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    """Open the file for appending, for this process alone, and yield its descriptor."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    except OSError as error:
        raise cannot_write(path, error) from error
    try:
        if not _locked(descriptor):
            raise RetrainError(
                f"another process writes {path.absolute()}: wait for it, or name another --output"
            )
        yield descriptor
    finally:
        os.close(descriptor)


def _locked(descriptor: int) -> bool:
    """Tell whether this process is now the only one with a lock on the file."""
    try:
        import fcntl
    except ImportError:  # Windows
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _take_up(kept: Journal, head: str) -> None:
    """Count the rows that are there; cut off a last one that is not whole."""
    with open(kept.path, "rb") as file:
        whole = len(first := file.readline())
        if not first.endswith(b"\n"):
            log.info(f"There are no rows in {kept.path} to go on after: beginning anew")
            return
        if first != f"{head}\n".encode():
            raise RetrainError(
                f"{kept.path.absolute()} was made with another graph or other options: give the "
                "same, or leave out --resume"
            )
        try:
            while (line := file.readline()).endswith(b"\n"):  # else its process was killed
                kept.problems += _row(line).problem is not None
                kept.before += 1
                whole += len(line)
        except (ValueError, TypeError, KeyError) as error:
            raise RetrainError(
                f"{kept.path.absolute()} is damaged (line {kept.before + 2}): leave out --resume, "
                "and all photos are labelled anew"
            ) from error
    os.ftruncate(kept.descriptor, whole)
    log.info(f"Going on after {counted(kept.before, 'row')} of {kept.path}")


def _row(line: bytes) -> LabelledPhoto:
    facts = json.loads(line)
    return LabelledPhoto(
        facts["name"], [(label, score) for label, score in facts["labels"]], facts["problem"]
    )
