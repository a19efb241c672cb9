"""Warnings and errors are coloured on a terminal that shows colours, and plain everywhere else."""

import io
import logging

import pytest

from retrain.cli.command import _complain
from retrain.utils.logs import console


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


PLACES = [
    (Terminal, {"TERM": "xterm"}, True),
    (Terminal, {"TERM": "xterm", "NO_COLOR": ""}, True),  # as no-color.org has it
    (Terminal, {"TERM": "xterm", "NO_COLOR": "1"}, False),
    (Terminal, {"TERM": "dumb"}, False),
    (Terminal, {}, False),
    (io.StringIO, {"TERM": "xterm"}, False),
]


@pytest.mark.parametrize(("stream", "environment", "colours"), PLACES)
def test_warnings_and_errors_have_colours_where_they_show(
    stream: type[io.StringIO],
    environment: dict[str, str],
    colours: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("TERM", "NO_COLOR", "WT_SESSION"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    place = stream()
    monkeypatch.setattr("sys.stderr", place)
    log = logging.getLogger("retrain.some.module")
    with console():
        log.warning("odd")
        log.info("plain")
        log.error("ERROR: two pairs")
    _complain("retrain", "no such file")
    expected = ["warning: odd", "plain", "ERROR: two pairs", "retrain: no such file"]
    if colours:
        expected = ["\x1b[1;33mwarning:\x1b[0m odd", "plain",
                    "\x1b[1;31mERROR:\x1b[0m two pairs",
                    "\x1b[1;31mretrain:\x1b[0m no such file"]  # fmt: skip
    assert place.getvalue().splitlines() == expected
