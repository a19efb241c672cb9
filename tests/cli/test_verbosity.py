"""What a line says of itself is its level: --logging_verbosity hides no line called worse."""

import logging

import pytest

from retrain.utils.logs import LEVELS, console, log_lines

LINES = ["ERROR: 1 pair", "  a and b: equal", "warning: blank (no pixels): 2", "  c: blank",
         "note: tiny (few pixels): 1", "  d: tiny", "nothing else"]  # fmt: skip


@pytest.mark.parametrize("verbosity", LEVELS)
def test_a_line_is_shown_from_its_own_level_on(
    verbosity: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with console(verbosity) as messages:
        log_lines(logging.getLogger("retrain.test"), LINES)
        logging.getLogger("retrain.test").warning("one more")
    shown = {"FATAL": 0, "ERROR": 2, "WARN": 4}.get(verbosity, len(LINES))
    more = ["warning: one more"] if verbosity not in ("FATAL", "ERROR") else []
    assert capsys.readouterr().err.splitlines() == LINES[:shown] + more
    assert messages.warnings == [text.removeprefix("warning: ") for text in more]
