"""The verdict on a file that would do more than compute: it is refused, or warned of if allowed."""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from retrain.errors import RetrainError

FLAG = "--allow_unsafe_module"
WITH_FLAG = f"take one from a maker you trust, or give {FLAG} if you trust this one"
WITHOUT_FLAG = "ask its maker for one that only computes"

# The first pattern that fits an operation says what it can do. Only for the message: an
# operation that is not among the pure ones is refused, whether it is listed here or not.
CONSEQUENCES = (
    (r"^(EagerPyFunc|PyFunc.*|Lambda)$", "runs Python code"),
    (r"^(WriteFile|Save.*|Print.*|Debug.*|Dump.*|MergeV2.*|.*SummaryWriter.*|.*Summary.*Writer"
     r"|Write.*Summary|.*ToTFRecord|DistributedSave|Calibration.*|CustomAggregator|DTensorSave.*"
     r"|ShardedFile.*|Snapshot.+|CacheDataset.*)$", "can write files"),
    (r"^(ReadFile|MatchingFiles.*|.*Restore.*|.*FromTextFile.*|.*Reader.*|.*LineDataset"
     r"|TFRecordDataset.*|FixedLength.*|ImmutableConst|LoadAnd.*|LoadDataset|.*VocabRemapping"
     r"|RecordInput|.*CSVDataset.*|.*SqlDataset|LMDB.*|.*LMDBDataset|DecodeProtoV2|EncodeProto)$",
     "can read files"),
    (r"^(.*Rpc.*|DataService.*|RemoteCall|_?Send|_?Recv|_Host(Send|Recv)|Collective.*|Nccl.*)$",
     "can open connections"),
    (r"^(Abort|Sleep.*)$", "can stop this program"),
)  # fmt: skip


class UnsafeGraph(RetrainError):
    """A file would do more than compute; the message names the operation."""


@dataclass(frozen=True)
class Finding:
    """An operation that is not known to only compute, and in words where it is."""

    operation: str
    where: str

    @property
    def text(self) -> str:
        """The finding in words, such as `op SaveV2 can write files (node save/SaveV2)`."""
        for pattern, consequence in CONSEQUENCES:
            if re.match(pattern, self.operation):
                return f"op {self.operation} {consequence} ({self.where})"
        return f"op {self.operation} is not known to only compute ({self.where})"


def said_of(findings: Sequence[Finding]) -> tuple[str, ...]:
    """Return one text for each kind of operation among the findings."""
    return tuple({finding.operation: finding.text for finding in findings}.values())


_warn: Callable[[str], None] | None = None
_said: set[str] = set()


@contextmanager
def unsafe_allowed(*, allowed: bool, warn: Callable[[str], None]) -> Iterator[None]:
    """Allow unsafe graphs within a `with` block: `warn` is called once where they were refused.

    The switch is one of the whole process, because graphs are read by the lowest layers, and what
    the user allowed holds for all of one command. An inner block with `allowed=False` does not end
    it.
    """
    global _warn
    before = _warn
    if allowed and before is None:
        _warn = warn
        _said.clear()
    try:
        yield
    finally:
        _warn = before


def refuse_unless_allowed(
    findings: Sequence[Finding], what: Path, remedy: str = WITH_FLAG, *, allowable: bool = True
) -> None:
    """Raise UnsafeGraph, in one line, if anything was found and the user did not allow it.

    Args:
        findings: What was found in the file.
        what: The file or folder to name.
        remedy: What to do, which ends the line.
        allowable: Whether the user can have allowed it; then `warn` is called instead.

    Raises:
        UnsafeGraph: There are findings that are not allowed.
    """
    if not findings:
        return
    kinds = len({finding.operation for finding in findings})
    more = f", and {kinds - 1} other such operations" if kinds > 2 else ", and another"
    said = f"{findings[0].text}{more if kinds > 1 else ''}"
    if _warn is not None and allowable:
        text = f"{what.absolute()} does more than compute: {said}; run because of {FLAG}"
        if text not in _said:
            _said.add(text)
            _warn(text)
        return
    raise UnsafeGraph(
        f"{what.absolute()} is not run, because it does more than compute: {said}; {remedy}"
    )
