"""A process's surroundings (streams, folder, limits, signals): made fit, or named as unfit."""

import errno
import os
import signal
import sys
from contextlib import suppress
from functools import cache
from threading import Event, Thread
from types import FrameType

from retrain.errors import RetrainError

NO_PLACE = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EBADF)
# Of a run: NumPy's, the engine's and ours, each one for a core, and two that wait for files.
THREADS = 3 * min(os.cpu_count() or 1, 16) + 2
# How Python and the libraries below it say that a thread or process could not be started.
NO_THREAD = ("can't start new thread", "Resource temporarily unavailable")
NO_MORE_THREADS = (
    "the system allows this user no further thread or process: end some, or raise the limit "
    "(ulimit -u)"
)
NO_FILE = ("Too many open files",)


_closed: set[str] = set()


def open_missing_streams() -> None:
    """Open the null device where stdin, stdout or stderr was closed when the process started.

    Otherwise Python has None there, and the next file that is opened gets the stream's number, so
    that what a library prints would end up in it.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        mode = os.O_RDONLY if name == "stdin" else os.O_WRONLY
        try:
            os.fstat(number)
        except OSError:
            _closed.add(name)
            opened = os.open(os.devnull, mode)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
        if getattr(sys, name) is None:
            _closed.add(name)
            text = open(os.devnull, "r" if name == "stdin" else "w", encoding="utf-8")
            setattr(sys, name, text)


def check_stdout_is_open(instead: str) -> None:
    """Raise RetrainError if the results would go nowhere; `instead`: what else to do."""
    if "stdout" in _closed:
        raise RetrainError(f"standard output is closed, so nobody would get the results: {instead}")


def check_stdin_is_open() -> None:
    """Raise RetrainError if there is no standard input, from which a list was to be read."""
    if "stdin" in _closed:
        raise RetrainError(
            "cannot read the list on standard input: it is closed; give the paths as arguments"
        )


def check_current_folder() -> None:
    """Raise RetrainError if the folder that the command was started in is gone."""
    try:
        os.getcwd()
    except OSError as error:
        raise RetrainError(
            f"the current folder cannot be used ({error.strerror}): "
            "it was deleted or is closed to you; cd to another one"
        ) from error


@cache  # once in a process
def check_threads() -> None:
    """Raise RetrainError if the system does not let this process have the threads of a run.

    They are started all at once, for it is the last one that is refused: OpenVINO, which is by
    then at work, ends the process with a signal, and so does TensorFlow.
    """
    end = Event()
    threads = [Thread(target=end.wait) for _ in range(THREADS)]
    try:
        for thread in threads:
            thread.start()
    except RuntimeError as error:
        raise RetrainError(NO_MORE_THREADS) from error
    finally:
        end.set()
        for thread in threads:
            if thread.ident is not None:  # it was started
                thread.join()


class Ended(BaseException):
    """The system or a user ended the process by a signal."""

    def __init__(self, number: int) -> None:
        self.signal = signal.Signals(number)


def end_by_signals() -> None:
    """Have signals that end a process raise Ended, so that it leaves things as after Ctrl-C.

    A second one ends it at once. What ignores a signal (nohup) still does. Handlers of native code
    (None here; LLVM's, which TensorFlow's converter brings, ends the process) make room.
    """

    def end(number: int, _: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        raise Ended(number)

    for name in ("SIGTERM", "SIGHUP"):  # the latter is not of Windows
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) in (signal.SIG_DFL, None):
            with suppress(ValueError):  # in a thread
                signal.signal(number, end)


def lacking(error: BaseException) -> str | None:
    """Say, in one line, what the system would not give; None if that is not what happened."""
    text = str(error)
    if any(sign in text for sign in NO_THREAD):
        return NO_MORE_THREADS
    if any(sign in text for sign in NO_FILE):
        return "the system allows no further open file: raise the limit (ulimit -n)"
    if isinstance(error, MemoryError) or "std::bad_alloc" in text:
        return "there is not enough memory: end other programs, or use a machine with more"
    if isinstance(error, PermissionError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}: make it accessible, or name another place"
    if isinstance(error, OSError) and error.filename is None and error.errno in NO_PLACE:
        return f"cannot write the results to standard output: {error.strerror}"
    return None


def flush_or_abandon() -> None:
    """Write what stdout and stderr hold back, or drop it where its reader or its disk is gone.

    Python would otherwise complain when it ends, and exit with 120.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            with suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
