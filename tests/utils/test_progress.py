"""Progress: plain lines with rate and time left, or a bar on a terminal."""

import logging
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import TINY, Run

from retrain.utils.logs import console, print_result, warn_once
from retrain.utils.progress import progress


def test_plain_lines_tell_rate_and_time_left(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("retrain.utils.progress.PLAIN_INTERVAL_S", 0.0)
    with console(), progress("Reading", 4, "photos") as meter:
        for aside in (0, 1, 0, 0):
            meter.advance(1, aside=aside)
    lines = capsys.readouterr().err.splitlines()
    assert re.fullmatch(r"Reading: 1 of 4 photos, \d+/s, \d+ s left", lines[0])
    assert re.fullmatch(r"Reading: 3 of 4 photos, \d+/s, \d+ s left, 1 set aside", lines[2])


def test_short_work_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with console(), progress("Reading", 2, "photos") as meter:
        meter.advance(2)
    assert capsys.readouterr().err == ""


def test_verbosity_silences_talk_but_not_results(capsys: pytest.CaptureFixture[str]) -> None:
    log = logging.getLogger("retrain.some.module")
    with console("ERROR"):
        log.info("talk")
        log.warning("a warning")
        print_result("a result")
        with progress("Reading", 1, "photos") as meter:
            meter.advance()
    said = capsys.readouterr()
    assert (said.out, said.err) == ("a result\n", "")


def test_warnings_are_kept_for_the_end_and_said_once_where_asked(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with console() as messages:
        for _ in range(2):
            warn_once("again and again")
        logging.getLogger("retrain.some.module").warning("a warning")
    assert messages.warnings == ["again and again", "a warning"]
    assert capsys.readouterr().err == "warning: again and again\nwarning: a warning\n"


def test_a_program_that_imports_retrain_hears_it_by_its_own_handlers(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str], monkeypatch
) -> None:
    monkeypatch.setattr("retrain.utils.progress.PLAIN_INTERVAL_S", 0.0)
    with caplog.at_level("INFO", logger="retrain"), progress("Reading", 1, "photos") as meter:
        meter.advance()
    assert [record.name for record in caplog.records] == ["retrain.utils.progress"]
    with progress("Reading", 1, "photos") as meter:  # nothing is set up: only warnings show
        meter.advance()
    assert len(caplog.records) == 1 and capsys.readouterr().err == ""


def test_debug_tells_where_features_are(colour_tree: Path, run: Run, tmp_path: Path) -> None:
    command = ("--image_dir", colour_tree, "--tfhub_module", TINY, "--how_many_training_steps", 5,
               "--bottleneck_dir", tmp_path / "b")  # fmt: skip
    done = run("retrain", *command, "--logging_verbosity", "DEBUG")
    said = re.search(r"^features in (\S+): 72 photos to be opened$", done.stderr, re.M)
    assert said and Path(said[1]).is_dir()
    assert "features in" not in run("retrain", *command).stderr


@pytest.mark.slow
def test_a_terminal_shows_bars_and_no_step_lines(colour_tree: Path, tmp_path: Path) -> None:
    (colour_tree / "red" / "[red]bad.jpg").write_text("no")  # brackets mean something to rich
    control, terminal = pty.openpty()
    command = ["--image_dir", str(colour_tree), "--how_many_training_steps", "300",
               "--tfhub_module", TINY, "--bottleneck_dir", str(tmp_path / "b")]  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-m", "retrain", *command], cwd=tmp_path, stdout=terminal,
        stderr=terminal, stdin=terminal, env={**os.environ, "COLUMNS": "120", "TERM": "xterm"},
    )  # fmt: skip
    os.close(terminal)
    shown = b""
    while True:
        try:
            block = os.read(control, 65536)
        except OSError:  # the other end is closed
            break
        if not block:
            break
        shown += block
    os.close(control)
    assert process.wait() == 0
    text = shown.decode()
    assert re.search(r"Computing features .*73/73.* photos/s .*1 set aside", text)
    assert "set aside red/[red]bad.jpg: not a JPEG" in text
    assert re.search(r"Training .*300/300", text)
    assert len(re.findall(r"Step \d+: ", text)) == 3  # the last one's only
