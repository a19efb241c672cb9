"""What a run says while it works: remarks, warnings that come back at the end, progress."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Protocol

from retrain.utils.text import printable

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

LEVELS = ("DEBUG", "INFO", "WARN", "ERROR", "FATAL")
PLAIN_INTERVAL_S = 5.0
LONG_WORK_S = 1.0  # after which the end is told, too


class Meter(Protocol):
    """Counts units of work done; `aside` of them were left out because they could not be used."""

    def advance(self, done: int = 1, aside: int = 0) -> None: ...


class Talk:
    """Talk goes to stderr: bars on a terminal, plain lines elsewhere. Each text is one line,
    whatever names stand in it."""

    def __init__(self, verbosity: str = "INFO", *, terminal: bool | None = None) -> None:
        self.threshold = LEVELS.index(verbosity)
        self.terminal = _is_terminal() if terminal is None else terminal
        self.warnings: list[str] = []
        self._bar: Progress | None = None

    def _say(self, level: str, text: str) -> None:
        if LEVELS.index(level) < self.threshold:
            return
        text = printable(text)
        if self._bar is not None:
            self._bar.console.print(text, markup=False, highlight=False, soft_wrap=True)
        else:
            _print(text)

    def result(self, text: str) -> None:
        """A result of the run, for people and scripts: the only thing that goes to stdout."""
        print(printable(text), flush=True)

    def debug(self, text: str) -> None:
        self._say("DEBUG", text)

    def info(self, text: str) -> None:
        self._say("INFO", text)

    def warn(self, text: str) -> None:
        """Says it now and remembers it, for the list at the end of the run."""
        self.warnings.append(text)
        self._say("WARN", f"warning: {text}")

    def warn_once(self, text: str) -> None:
        """The same, unless it was said before."""
        if text not in self.warnings:
            self.warn(text)

    @contextmanager
    def progress(self, what: str, total: int, unit: str) -> Iterator[Meter]:
        """Shows how far a piece of work of `total` units has come, its rate and its ETA.

        A total of 0 is one that is not known.
        """
        what = printable(what)
        if self.threshold > LEVELS.index("INFO"):
            yield _Silent()
        elif self.terminal:
            with self._rich_progress() as bar:
                self._bar = bar
                try:
                    yield _Bar(
                        bar, bar.add_task(what, total=total or None, unit=unit, rate="", aside="")
                    )
                finally:
                    self._bar = None
        else:
            meter = _Lines(what, total, unit)
            yield meter
            meter.finish()

    def _rich_progress(self) -> "Progress":
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
    """One line every few seconds, and one at the end if any was printed or the work was long."""

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
        _print(line)


def _pace(rate: float, unit: str = "") -> str:
    """Units per second, or the time for one where that is more than a second."""
    return f"{rate:.0f}{unit}/s" if rate >= 1 or not rate else f"{1 / rate:.1f} s each"


def _is_terminal() -> bool:
    return sys.stderr is not None and sys.stderr.isatty()


def _print(line: str) -> None:
    """To stderr. Talk that nobody can get, for stderr is full or closed, must not end the work."""
    if sys.stderr is not None:  # None would mean stdout to print()
        with suppress(OSError):
            print(line, file=sys.stderr, flush=True)
