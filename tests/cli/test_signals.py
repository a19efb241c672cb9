"""A signal that ends a process ends a command as Ctrl-C does: what it began is put right."""

import os
import signal
from pathlib import Path

import click
import pytest
from conftest import Run

import retrain.cli.label_image as label_image_module
from retrain.cli.command import GroupedCommand
from retrain.utils.files import atomic_path

SIGNALS = [name for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]


def command_that_gets(number: int, **more: str) -> click.Command:
    @click.command(cls=GroupedCommand, name="label-image", **more)
    def ended() -> None:
        with atomic_path(Path("file")) as temporary:
            temporary.write_text("half")
            os.kill(os.getpid(), number)

    command: click.Command = ended
    return command


@pytest.mark.parametrize("name", SIGNALS)
def test_it_leaves_nothing_half_written(
    name: str, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    number = signal.Signals[name]
    monkeypatch.setattr(label_image_module, "label_image", command_that_gets(number))
    done = run("label-image")
    assert done.returncode == 128 + number
    assert (done.stdout, done.stderr) == ("", f"label-image: ended by {name}\n")
    assert list((tmp_path / "work").iterdir()) == []


def test_the_words_for_ctrl_c_are_said(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    command = command_that_gets(signal.SIGTERM, interrupted="interrupted; go on with --resume")
    monkeypatch.setattr(label_image_module, "label_image", command)
    assert run("label-image").stderr == "label-image: ended by SIGTERM; go on with --resume\n"


def test_what_ignores_a_signal_goes_on(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """As under nohup."""
    monkeypatch.setattr(label_image_module, "label_image", command_that_gets(signal.SIGHUP))
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert run("label-image").returncode == 0
    finally:
        signal.signal(signal.SIGHUP, before)
