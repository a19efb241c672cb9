"""Goes through damage in processes of their own, because what is damaged may crash native code.

    python -m fuzz.worker FOLDER

`FOLDER` holds what `prepare` made. Each line of standard input is a task, a JSON list of kind and
seed; for each a JSON list of faults is printed, so that whoever reads knows at which one the
process died. Kinds: `pictures`, `graphs/FORMAT`, `caches/KIND`, and `prepare/graphs`,
`prepare/caches`.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from queue import Queue
from typing import IO

from run_commands import run_command

from fuzz import caches, graphs, pictures
from fuzz.forks import run_forked
from fuzz.judge import Done
from retrain.evaluation import intervals

TESTS = Path(__file__).parent.parent
SILENCE_S = 900.0  # over one task, before the process is taken to hang

Task = tuple[str, int]  # kind and seed
Found = tuple[Task, list[str]]


def hunt(folder: Path, tasks: Sequence[Task], workers: int = 1) -> Iterator[Found]:
    """Each task with its faults, as they are done by so many processes at once. One that dies is
    a fault of its task, and another takes its place."""
    left = deque(tasks)
    found: Queue[Found] = Queue()
    running: list[subprocess.Popen[str]] = []
    threads = [threading.Thread(target=_work, args=(folder, left, found, running), daemon=True)
               for _ in range(min(workers, len(tasks)))]  # fmt: skip
    for thread in threads:
        thread.start()
    try:
        for _ in tasks:
            yield found.get()
    except BaseException:  # interrupted, or nobody wants the rest
        left.clear()
        for process in running:
            process.kill()
        raise
    finally:
        for thread in threads:
            thread.join()


def _work(
    folder: Path,
    left: deque[Task],
    found: Queue[Found],
    running: list["subprocess.Popen[str]"],
) -> None:
    """Gives tasks to a process, one after another, and to the next if it dies."""
    task: Task | None = None
    while left:
        with tempfile.TemporaryFile() as said, start(folder, said) as process:
            running.append(process)
            with suppress(IndexError, BrokenPipeError):  # no task is left, or it has died
                while True:
                    task = left.popleft()
                    answer = ask(process, task)
                    if not answer.endswith("\n"):
                        break
                    found.put((task, json.loads(answer)))
                    task = None
            assert process.stdin is not None
            with suppress(BrokenPipeError):
                process.stdin.close()
            code = process.wait()
            if task is not None:
                said.seek(0)
                words = said.read().decode(errors="replace").splitlines()[-12:]
                found.put((task, [f"the process ended with {code}: {' | '.join(words)}"]))
                task = None


def ask(process: "subprocess.Popen[str]", task: Task) -> str:
    """The line that the process answers; without its end if the process died."""
    assert process.stdin is not None and process.stdout is not None
    watch = threading.Timer(SILENCE_S, process.kill)
    watch.start()
    try:
        print(json.dumps(task), file=process.stdin, flush=True)
        return process.stdout.readline()
    finally:
        watch.cancel()


def start(folder: Path, said: IO[bytes]) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-X", "faulthandler", "-m", "fuzz.worker", str(folder)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), str(TESTS.parent)])},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said, text=True,
    )  # fmt: skip


def prepare(folder: Path, *names: str) -> None:
    """Makes what the tasks start from, `graphs` and `caches`."""
    found = list(hunt(folder, [(f"prepare/{name}", 0) for name in names]))
    assert not any(faults for _, faults in found), found


def main() -> None:
    folder = Path(sys.argv[1])
    answers = os.fdopen(os.dup(1), "w")  # what the commands write goes elsewhere
    own = folder / str(os.getpid())
    cache, work = own / "cache", own / "work"
    os.environ["RETRAIN_CACHE_DIR"] = str(cache)
    kept = caches.Caches(folder / "caches", cache, work, run_forked)
    intervals.RESAMPLES = 20  # a third of a run, and nothing that is damaged comes near them

    def command(command: str, *arguments: object) -> Done:
        return run_command(command, *arguments, cwd=work)

    for line in sys.stdin:
        kind, seed = json.loads(line)
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
            faults = kept.hunt(rest, seed)
        elif rest == "graphs":
            graphs.prepare(folder / "graphs", command)
        else:
            shutil.rmtree(cache, ignore_errors=True)
            caches.prepare(folder / "caches", cache, work, run_forked)
        print(json.dumps(faults), file=answers, flush=True)
    shutil.rmtree(own, ignore_errors=True)


if __name__ == "__main__":
    main()
