"""Progress of long work: bars on a terminal, log lines elsewhere."""

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Protocol

from retrain.utils.text import printable

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

log = logging.getLogger(__name__)
PLAIN_INTERVAL_S = 5.0
LONG_WORK_S = 1.0  # work that took longer also logs its end


class Meter(Protocol):
    """Counts units of work done."""

    def advance(self, done: int = 1, aside: int = 0) -> None:
        """Count `done` more units, of which `aside` were left out as unusable."""
        ...


_on_console = False
_bar: "Progress | None" = None


def shows_bars() -> bool:
    """Tell whether progress is shown as bars: in a command whose stderr is a terminal."""
    return _on_console and sys.stderr is not None and sys.stderr.isatty()


@contextmanager
def on_console() -> Iterator[None]:
    """Allow bars within a `with` block: they are for people, not for programs' logs."""
    global _on_console
    before, _on_console = _on_console, True
    try:
        yield
    finally:
        _on_console = before


@contextmanager
def progress(what: str, total: int, unit: str, *, shown: bool = True) -> Iterator[Meter]:
    """Show how far a piece of work has come, its rate and its ETA: a bar, or log lines.

    Nothing is shown where the level of the logger `retrain` hides INFO.

    Args:
        what: The work, as the first word of the line.
        total: The number of units; 0 where it is not known.
        unit: What is counted, in the plural.
        shown: False where a bar would break up rows that go to the same terminal.

    Yields:
        A meter to count the units.
    """
    global _bar
    what = printable(what)
    if not (shown and log.isEnabledFor(logging.INFO)):
        yield _Silent()
    elif shows_bars():
        with _rich_progress() as bar:
            _bar = bar
            try:
                yield _Bar(
                    bar, bar.add_task(what, total=total or None, unit=unit, rate="", aside="")
                )
            finally:
                _bar = None
    else:
        meter = _Lines(what, total, unit)
        yield meter
        meter.finish()


def print_line(line: str) -> None:
    """Print to stderr, above the bar if there is one.

    A line that nobody can get, because stderr is full or closed, does not end the work.
    """
    if _bar is not None:
        from rich.text import Text

        _bar.console.print(Text.from_ansi(line), soft_wrap=True)
    elif sys.stderr is not None:  # None would mean stdout to print()
        with suppress(OSError):
            print(line, file=sys.stderr, flush=True)


def _rich_progress() -> "Progress":
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as EtaColumn

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}", markup=False),
        EtaColumn(),
        TextColumn("{task.fields[aside]}", markup=False),
        console=Console(stderr=True),
        transient=False,
    )


class _Silent:
    def advance(self, done: int = 1, aside: int = 0) -> None:
        pass


class _Bar:
    def __init__(self, bar: "Progress", task: "TaskID") -> None:
        self.bar, self.task, self.aside = bar, task, 0
        self.start = time.monotonic()
        self.done = 0

    def advance(self, done: int = 1, aside: int = 0) -> None:
        self.done += done
        self.aside += aside
        elapsed = max(time.monotonic() - self.start, 1e-6)
        unit = self.bar.tasks[self.task].fields["unit"]
        self.bar.update(
            self.task,
            advance=done,
            rate=_pace(self.done / elapsed, f" {unit}"),
            aside=f"{self.aside} set aside" if self.aside else "",
        )


class _Lines:
    """Logs one line every few seconds, and one at the end if the work was long."""

    def __init__(self, what: str, total: int, unit: str) -> None:
        self.what, self.total, self.unit = what, total, unit
        self.done = self.aside = 0
        self.start = self.last = time.monotonic()

    def advance(self, done: int = 1, aside: int = 0) -> None:
        self.done += done
        self.aside += aside
        now = time.monotonic()
        if now - self.last >= PLAIN_INTERVAL_S:
            self.last = now
            rate = self.done / (now - self.start)
            left = (self.total - self.done) / rate if rate else 0.0
            self._print(rate, f", {left:.0f} s left" if self.total else "")

    def finish(self) -> None:
        elapsed = time.monotonic() - self.start
        if elapsed >= LONG_WORK_S:
            self._print(self.done / elapsed, f", took {elapsed:.1f} s")

    def _print(self, rate: float, tail: str) -> None:
        aside = f", {self.aside} set aside" if self.aside else ""
        done = f"{self.done} of {self.total}" if self.total else str(self.done)
        line = f"{self.what}: {done} {self.unit}, {_pace(rate)}{tail}{aside}"
        log.info(line)


def _pace(rate: float, unit: str = "") -> str:
    """Return units per second, or the time for one where that is more than a second."""
    return f"{rate:.0f}{unit}/s" if rate >= 1 or not rate else f"{1 / rate:.1f} s each"
