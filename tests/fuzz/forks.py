"""Runs a command in a fork of this process, without the seconds that a process takes to start.

A fork knows nothing of the commands before it: what a process remembers (caches of functions,
warnings that were said) would hide a damage from the next one. What is damaged may crash native
code: then the fork dies, and this process sees with which signal.
"""

import faulthandler
import gc
import os
import pickle
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import IO, NoReturn

from run_commands import run_command

from fuzz.judge import Done

PATIENCE_S = 300  # of waiting for one command; a loaded machine is slow
BAD_END = 70
# What may be imported before a fork: no threads start with the import, only with work.
LAZY = ("numpy", "PIL", "onnx", "openvino", "retrain", "scipy", "sklearn")


@dataclass(frozen=True)
class Run:
    """How a command ended, and which files it opened."""

    done: Done
    opened: frozenset[Path] = frozenset()


def run_forked(command: str, *arguments: object, cwd: Path, below: Path | None = None) -> Run:
    """Runs a command as `run_command` does, in a fork; a death by a signal is a negative exit
    code, as that of a process. With `below`, the files opened below it are noted."""
    with tempfile.TemporaryFile() as answer, tempfile.TemporaryFile() as said:
        gc.freeze()  # a look at what is there already would copy it
        child = os.fork()
        if not child:
            _answer(answer, said, command, arguments, cwd, below)
        _, status = os.waitpid(child, 0)
        code = os.waitstatus_to_exitcode(status)
        if not code:
            answer.seek(0)
            run: Run
            run, imported = pickle.load(answer)
            _import_all(imported)
            return run
        said.seek(0)
        words = said.read().decode(errors="replace")
    return Run(subprocess.CompletedProcess([command], code, "", words))


def _answer(
    answer: IO[bytes],
    said: IO[bytes],
    command: str,
    arguments: tuple[object, ...],
    cwd: Path,
    below: Path | None,
) -> NoReturn:
    try:
        faulthandler.enable(said)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(PATIENCE_S)
        opened: set[Path] = set()
        if below is not None:
            _note_opened(opened, below)
        done = run_command(command, *arguments, cwd=cwd)
        pickle.dump((Run(done, frozenset(opened)), list(sys.modules)), answer)
        answer.flush()
        os._exit(0)
    except BaseException as error:
        said.write(repr(error).encode())
    finally:
        said.flush()
        os._exit(BAD_END)


def _note_opened(opened: set[Path], below: Path) -> None:
    def hear(event: str, details: tuple[object, ...]) -> None:
        if event == "open" and isinstance(details[0], str | bytes):
            path = os.path.abspath(os.fsdecode(details[0]))
            if path.startswith(f"{below}{os.sep}"):
                opened.add(Path(path).relative_to(below))

    sys.addaudithook(hear)  # for good, in a process that ends soon


def _import_all(names: list[str]) -> None:
    """Imports what a command has imported, so that the next forks need not."""
    for name in names:
        if name not in sys.modules and name.partition(".")[0] in LAZY:
            import_module(name)
