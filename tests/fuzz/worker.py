"""Goes through damage in a process of its own, because what is damaged may crash native code.

    python -m fuzz.worker FOLDER

`FOLDER` holds what `prepare` made. Standard input is a JSON list of [kind, seed]; prints one JSON
list of faults for each as it is done, so that whoever reads knows at which one the process died.
Kinds: `pictures`, `graphs/FORMAT`, `caches/KIND`, and `prepare/graphs`, `prepare/caches`.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from run_commands import run_command

from fuzz import caches, graphs, pictures
from fuzz.judge import Done

TESTS = Path(__file__).parent.parent
SILENCE_S = 600.0  # over one task, before the process is taken to hang


Task = tuple[str, int]  # kind and seed


def hunt(folder: Path, tasks: Sequence[Task]) -> Iterator[tuple[Task, list[str]]]:
    """Each task with its faults; a process that dies is a fault, and the next goes on after it."""
    left = list(tasks)
    while left:
        with tempfile.TemporaryFile() as said, start(folder, left, said) as process:
            assert process.stdout is not None
            watch = threading.Timer(SILENCE_S, process.kill)
            watch.start()
            for line in process.stdout:
                watch.cancel()
                yield left.pop(0), json.loads(line)
                watch = threading.Timer(SILENCE_S, process.kill)
                watch.start()
            watch.cancel()
            code = process.wait()
            if left:
                said.seek(0)
                words = said.read().decode(errors="replace").splitlines()[-12:]
                yield left.pop(0), [f"the process ended with {code}: {' | '.join(words)}"]


def start(folder: Path, tasks: Sequence[Task], said: IO[bytes]) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-X", "faulthandler", "-m", "fuzz.worker", str(folder)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), str(TESTS.parent)])},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said, text=True,
    )  # fmt: skip
    assert process.stdin is not None
    process.stdin.write(json.dumps(tasks))
    process.stdin.close()
    return process


def prepare(folder: Path, *names: str) -> None:
    """Makes what the tasks start from, `graphs` and `caches`."""
    found = list(hunt(folder, [(f"prepare/{name}", 0) for name in names]))
    assert not any(faults for _, faults in found), found


def main() -> None:
    folder = Path(sys.argv[1])
    answers = os.fdopen(os.dup(1), "w")  # what the commands write goes elsewhere
    cache, work = folder / "cache", folder / "work"
    os.environ["RETRAIN_CACHE_DIR"] = str(cache)

    def command(command: str, *arguments: object) -> Done:
        return run_command(command, *arguments, cwd=work)

    for kind, seed in json.load(sys.stdin):
        family, _, rest = kind.partition("/")
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        faults: list[str] = []
        if family == "pictures":
            faults = pictures.hunt(seed, work, command)
        elif family == "graphs":
            shutil.rmtree(cache, ignore_errors=True)
            faults = graphs.hunt(rest, seed, folder / "graphs", work, command)
        elif family == "caches":
            faults = caches.hunt(rest, seed, folder / "caches", cache, work, command)
        elif rest == "graphs":
            graphs.prepare(folder / "graphs", command)
        else:
            shutil.rmtree(cache, ignore_errors=True)
            caches.prepare(folder / "caches", cache, command)
        print(json.dumps(faults), file=answers, flush=True)


if __name__ == "__main__":
    main()
