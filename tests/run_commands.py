"""Runs `retrain` and `label-image` in this process, or as a process where that is the point."""

import ctypes
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from importlib import import_module
from pathlib import Path
from typing import IO

import pytest

MAINS = {"retrain": "retrain.cli.main", "label-image": "retrain.cli.label_image"}

# What the commands read while they work. Other variables are read when Python, its libraries or
# the C library start, so a command that is given one of those is run as a process.
READ_LATE = {"COLUMNS", "KAGGLEHUB_CACHE", "RETRAIN_CACHE_DIR", "TFHUB_CACHE_DIR",
             "http_proxy", "https_proxy", "no_proxy"}  # fmt: skip
PATIENCE_S = 600.0  # before a process is taken to hang; a loaded machine is slow
SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGPIPE)
# As Python starts, without its exception for __main__.
SILENT = (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning)


def run_command(
    command: str,
    *arguments: object,
    cwd: Path,
    input: str | bytes | None = None,
    process: bool = False,
    **more: str,
) -> "subprocess.CompletedProcess[str]":
    """Runs the command in the folder `cwd`; returns its exit code and what it wrote, as text.

    `input` is all of its standard input, which is empty without. `more` are variables of the
    environment. It runs in this process, seconds faster, unless `process` is true, a variable is
    read while a process starts, or several are run at once.
    """
    words = [str(argument) for argument in arguments]
    given = input.encode() if isinstance(input, str) else input or b""
    alone = threading.current_thread() is threading.main_thread()
    if process or not alone or not READ_LATE.issuperset(more):
        code, out, err = _as_process(command, words, cwd, given, more)
    else:
        code, out, err = _in_this_process(command, words, cwd, given, more)
    return subprocess.CompletedProcess([command, *words], code, _text(out), _text(err))


def start_of(command: str) -> list[str]:
    """The words that start the command as a process, for tests that hold its pipes or kill it."""
    return [sys.executable, "-c", f"import {MAINS[command]} as m; m.main()"]


def _text(written: bytes) -> str:
    return written.decode().replace("\r\n", "\n").replace("\r", "\n")


def _as_process(
    command: str, words: list[str], cwd: Path, given: bytes, more: dict[str, str]
) -> tuple[int, bytes, bytes]:
    start = [sys.executable, "-m", "retrain"] if command == "retrain" else start_of(command)
    done = subprocess.run([*start, *words], cwd=cwd, env={**os.environ, **more}, input=given,
                          capture_output=True, timeout=PATIENCE_S)  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def _in_this_process(
    command: str, words: list[str], cwd: Path, given: bytes, more: dict[str, str]
) -> tuple[int, bytes, bytes]:
    main = import_module(MAINS[command]).main
    with ExitStack() as files:
        streams = [files.enter_context(tempfile.TemporaryFile()) for _ in range(3)]
        streams[0].write(given)
        streams[0].seek(0)
        with _folder(cwd), _environment(more), _handlers(), _own_warnings(), _streams(streams):
            sys.argv = [command, *words]
            code = _code_of(main)
        for stream in streams:
            stream.seek(0)
        return code, streams[1].read(), streams[2].read()


def _code_of(main: Callable[[], None]) -> int:
    """The exit code that a process would have, which also says what Python says then."""
    try:
        main()
    except SystemExit as stop:
        if stop.code is None or isinstance(stop.code, int):
            return stop.code or 0
        print(stop.code, file=sys.stderr)
        return 1
    except Exception:
        traceback.print_exc()
        return 1
    return 0


@contextmanager
def _folder(cwd: Path) -> Iterator[None]:
    before = os.getcwd()
    os.chdir(cwd)
    try:
        yield
    finally:
        os.chdir(before)


@contextmanager
def _environment(more: dict[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(more)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def _handlers() -> Iterator[None]:
    """Puts back what the command does about signals and where Python's logging goes."""
    root = logging.getLogger()
    signals = {number: signal.getsignal(number) for number in SIGNALS}
    handlers, root.handlers = root.handlers, []  # pytest's would swallow what is logged
    try:
        yield
    finally:
        root.handlers = handlers
        for number, handler in signals.items():
            signal.signal(number, handler)


@contextmanager
def _own_warnings() -> Iterator[None]:
    """Shows warnings on stderr, and those only that a user sees, where pytest makes them errors."""

    def show(message: Warning | str, category: type[Warning], filename: str, lineno: int,
             file: IO[str] | None = None, line: str | None = None) -> None:  # fmt: skip
        (file or sys.stderr).write(
            warnings.formatwarning(message, category, filename, lineno, line)
        )

    with warnings.catch_warnings():
        warnings.resetwarnings()
        for category in SILENT:
            warnings.simplefilter("ignore", category)
        warnings.showwarning = show
        yield


@contextmanager
def _streams(files: Sequence[IO[bytes]]) -> Iterator[None]:
    """Makes these files standard input, output and errors, for Python and for C."""
    names = ("stdin", "stdout", "stderr")
    before = [getattr(sys, name) for name in names]
    argv = sys.argv
    _flush()
    kept = [os.dup(number) for number in range(3)]
    try:
        for number, file in enumerate(files):
            os.dup2(file.fileno(), number)
        sys.stdin = open(0, encoding="utf-8", closefd=False)
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)
        sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", buffering=1,
                          closefd=False)  # fmt: skip
        yield
    finally:
        _flush()
        for name, stream in zip(names, before, strict=True):
            setattr(sys, name, stream)
        sys.argv = argv
        for number, descriptor in enumerate(kept):
            os.dup2(descriptor, number)
            os.close(descriptor)


def _flush() -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    ctypes.CDLL(None).fflush(None)  # what C has not written yet would come out elsewhere


def in_namespace(flags: str, script: str, **more: str) -> "subprocess.CompletedProcess[str]":
    """Runs a shell script in its own mount (m) or network (n) namespace, where root may do that."""
    if not shutil.which("unshare") or subprocess.run(["unshare", flags, "true"]).returncode:
        pytest.skip("a namespace of its own needs root")
    return subprocess.run(
        ["unshare", flags, "bash", "-ec", script],
        env={**os.environ, **more},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
