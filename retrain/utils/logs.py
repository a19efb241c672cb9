"""Messages: through `logging`, under the name `retrain`; results go to stdout.

Every module logs under its own name (`retrain.features.dataset`, ...), so a program that imports
retrain sets levels and handlers as for any library. The commands add a `Console`.
"""

import logging
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from retrain.utils import progress
from retrain.utils.colour import with_coloured_start
from retrain.utils.text import printable

LEVELS = ("DEBUG", "INFO", "WARN", "ERROR", "FATAL")
logger = logging.getLogger("retrain")
LEVEL_OF = {"ERROR:": logging.ERROR, "warning:": logging.WARNING}  # by a line's first word
SAYS_SO = ("warning:", " ")  # a line that begins so belongs to a warning
_said: set[str] = set()


class Console(logging.Handler):
    """Prints records to stderr, each on one line, and keeps the warnings for the end of the run."""

    def __init__(self) -> None:
        super().__init__()
        self.warnings: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Print the record, as `warning: ...` if it is one and does not say so itself."""
        text = record.getMessage()
        if record.levelno == logging.WARNING and not text.startswith(SAYS_SO):
            self.warnings.append(text)
            text = f"warning: {text}"
        progress.print_line(with_coloured_start(printable(text), sys.stderr))


@contextmanager
def console(verbosity: str = "INFO") -> Iterator[Console]:
    """Show people records from `verbosity` (one of LEVELS) on, within a `with` block.

    They go to stderr, as does the progress of long work.
    """
    handler = Console()
    before = logger.level, logger.propagate
    logger.setLevel(verbosity)
    logger.propagate = False  # a handler of the root would print each line twice
    logger.addHandler(handler)
    _said.clear()
    try:
        with progress.on_console():
            yield handler
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before[0])
        logger.propagate = before[1]


def log_lines(log: logging.Logger, lines: Iterable[str]) -> None:
    """Log each line at the level that its first word says; indented ones as the line above them."""
    level = logging.INFO
    for line in lines:
        if not line.startswith(" "):
            level = LEVEL_OF.get(line.partition(" ")[0], logging.INFO)
        log.log(level, line)


def warn_once(text: str) -> None:
    """Log a warning, unless this text was a warning of this run (or process) before."""
    if text not in _said:
        _said.add(text)
        logger.warning(text)


def print_result(text: str) -> None:
    """Print a result of the run to stdout, on one line, for people and scripts."""
    print(printable(text), flush=True)
