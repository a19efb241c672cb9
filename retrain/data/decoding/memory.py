"""Memory for decoding: how much one photo may take, and all that are decoded at the same time."""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from retrain.data.decoding.faults import TooLittleMemory

ONE = 800_000_000  # bytes that a photo, its file included, may need: with Python's own under 1 GB
TOGETHER = 1_000_000_000  # bytes that all photos being decoded may need
LARGE = 64_000_000  # bytes from which the system is asked for its free memory
SPARE = 100_000_000  # bytes left to other programs

CGROUP = Path("/sys/fs/cgroup")


class Allowance:
    """A number of bytes that threads share, first come first served.

    So a huge photo gets its turn, and small ones do not wait for ever behind others of their size.
    """

    def __init__(self, total: int) -> None:
        """Start with `total` bytes free."""
        self._free = self._total = total
        self._changed = threading.Condition()
        self._queue: deque[object] = deque()

    @contextmanager
    def taken(self, wanted: int) -> Iterator[None]:
        """Wait until `wanted` bytes are free and hold them within a `with` block.

        More than the total counts as the total.
        """
        wanted, ticket = min(wanted, self._total), object()
        with self._changed:
            self._queue.append(ticket)
            self._changed.wait_for(lambda: self._queue[0] is ticket and self._free >= wanted)
            self._queue.popleft()
            self._free -= wanted
            self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._free += wanted
                self._changed.notify_all()


PIXELS = Allowance(TOGETHER)
FILES = Allowance(TOGETHER // 2)  # for the bytes of large files that wait to be decoded


@contextmanager
def decoding(needed: int) -> Iterator[None]:
    """Hold `needed` bytes while a photo is decoded in a `with` block; wait for others first.

    Raises TooLittleMemory if the system has less left, or says so later.
    """
    with PIXELS.taken(needed):
        left = bytes_left() if needed >= LARGE else None
        if left is not None and needed > left - SPARE:
            raise TooLittleMemory(
                f"needs {needed / 1e6:,.0f} MB of memory, and {left / 1e6:,.0f} MB are left: "
                "close other programs, or scale it down"
            )
        try:
            yield
        except MemoryError:
            raise TooLittleMemory(
                f"needs {needed / 1e6:,.0f} MB of memory, more than is left: "
                "close other programs, or scale it down"
            ) from None


def bytes_left() -> int | None:
    """Return the bytes that this process may still take, by the system and its container's limit.

    None where neither says it.
    """
    left = []
    with suppress(OSError, ValueError, KeyError):
        facts = _table(Path("/proc/meminfo"))
        left.append(1024 * facts["MemAvailable:"])
    with suppress(OSError, ValueError, KeyError):
        most = int((CGROUP / "memory.max").read_text())  # "max" where there is no limit
        used = int((CGROUP / "memory.current").read_text())
        cached = _table(CGROUP / "memory.stat")["inactive_file"]
        left.append(most - used + cached)
    return min(left, default=None)


def _table(path: Path) -> dict[str, int]:
    rows = [line.split() for line in path.read_text().splitlines()]
    return {row[0]: int(row[1]) for row in rows if len(row) > 1}
