"""The commands in this process behave as they do in one of their own, and leave it as it was."""

import logging
import os
import signal
import sys
import warnings
from pathlib import Path

import click
import pytest
from conftest import EXAMPLE_FLOWERS, Run

import retrain.cli.label_image as label_image_module

PHOTO = str(next((EXAMPLE_FLOWERS / "daisy").glob("*.jpg")))


@pytest.mark.parametrize(
    ("command", "arguments", "given", "code"),
    [
        ("retrain", ("--version",), None, 0),
        ("retrain", ("tran",), None, 2),
        ("retrain", ("--image_dir", "nowhere"), None, 1),
        ("label-image", ("--help",), None, 0),
        ("label-image", ("--format", "csv", "-"), f"{PHOTO}\nnowhere.jpg\n", 1),
        ("label-image", ("--format", "csv", "-"), None, 0),
    ],
)
def test_a_process_says_the_same(
    command: str, arguments: tuple[str, ...], given: str | None, code: int, run: Run
) -> None:
    here = run(command, *arguments, input=given)
    there = run(command, *arguments, input=given, process=True)
    assert (here.returncode, here.stdout, here.stderr) == (code, there.stdout, there.stderr)
    assert there.returncode == code and here.stdout + here.stderr


def state() -> dict[str, object]:
    return {
        "folder": os.getcwd(),
        "environment": dict(os.environ),
        "arguments": sys.argv,
        "streams": (sys.stdin, sys.stdout, sys.stderr, sys.__stdin__, sys.__stdout__),
        "files": [os.fstat(number).st_ino for number in range(3)],
        "open": len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0,
        "signals": [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)],
        "handlers": list(logging.getLogger().handlers),
        "warnings": (list(warnings.filters), warnings.showwarning),
    }


@click.command(name="retrain")
def rude() -> None:
    """Changes all that a command can change, writes in every way, and breaks."""
    os.chdir("/")
    os.environ["LEFT"] = "behind"
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    warnings.warn("a warning that a user sees", stacklevel=1)
    warnings.warn("one for developers", DeprecationWarning, stacklevel=1)
    logging.getLogger("a library").warning("a line of its log")
    print("by Python")
    os.write(1, b"by C\n")
    os.system("echo by a child")
    raise ZeroDivisionError("and broke")


def test_whatever_a_command_does_is_seen_and_undone(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(label_image_module, "label_image", rude)
    before = state()
    done = run("label-image", COLUMNS="77")
    assert state() == before
    assert done.returncode == 1
    assert sorted(done.stdout.splitlines()) == ["by C", "by Python", "by a child"]
    assert "UserWarning: a warning that a user sees" in done.stderr
    assert "for developers" not in done.stderr
    assert "\na line of its log\n" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("retrain: internal error, ZeroDivisionError")
    shown = run("label-image", "--debug")
    assert shown.stderr.splitlines()[-1] == "ZeroDivisionError: and broke"
    assert (shown.returncode, state()) == (1, before)
