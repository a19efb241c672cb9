"""Goes through seeds in a process of its own, because what is damaged may crash native code.

    python -m fuzz.worker KIND FOLDER FIRST COUNT

`FOLDER` holds what `prepare` made. Prints one JSON list of faults for each seed as it is done, so
that whoever reads knows at which seed the process died. KIND: `pictures`, `graphs/FORMAT`,
`caches/KIND`, or `prepare`.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from commands import run_command

from fuzz import caches, graphs, pictures
from fuzz.judge import Done

TESTS = Path(__file__).parent.parent
SILENCE_S = 300.0  # for one seed, before the process is taken to hang


@dataclass(frozen=True)
class Finding:
    """What went wrong, with what makes it happen again."""

    kind: str
    seed: int
    fault: str


def hunt(kind: str, folder: Path, seeds: Sequence[int]) -> Iterator[tuple[int, list[str]]]:
    """Each seed with its faults; a process that dies is a fault, and the next goes on after it."""
    left = list(seeds)
    while left:
        with tempfile.TemporaryFile() as said:
            process = start(said.fileno(), kind, folder, left[0], len(left))
            with process, ThreadPoolExecutor(1) as reader:
                assert process.stdout is not None
                while left:
                    waited = reader.submit(process.stdout.readline)
                    try:
                        line = waited.result(SILENCE_S)
                    except TimeoutError:
                        process.kill()
                        line = ""
                    if not line:
                        break
                    yield left.pop(0), json.loads(line)
                if not left:
                    return
                code = process.wait()
            said.seek(0)
            words = said.read().decode(errors="replace").split("\n")[-12:]
            yield left.pop(0), [f"the process ended with {code}: {' | '.join(words)}"]


def start(errors: int, *words: object) -> "subprocess.Popen[str]":
    paths = os.pathsep.join([str(TESTS), str(TESTS.parent)])
    return subprocess.Popen(
        [sys.executable, "-X", "faulthandler", "-m", "fuzz.worker", *map(str, words)],
        env={**os.environ, "PYTHONPATH": paths}, stdout=subprocess.PIPE, stderr=errors, text=True,
    )  # fmt: skip


def prepare(folder: Path, *names: str) -> None:
    """Makes what the seeds start from, `graphs` and `caches`, in a process of its own."""
    with tempfile.TemporaryFile() as said:
        for name in names:
            with start(said.fileno(), "prepare", folder, name, 0) as process:
                process.communicate()
            said.seek(0)
            assert process.returncode == 0, said.read().decode()


def main() -> None:
    kind, folder, first, count = sys.argv[1], Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])
    answers = os.fdopen(os.dup(1), "w")  # the commands' own output goes elsewhere
    cache = folder / "cache"
    os.environ["RETRAIN_CACHE_DIR"] = str(cache)
    work = folder / "work"

    def command(command: str, *arguments: object) -> Done:
        return run_command(command, *arguments, cwd=work)

    family, _, rest = kind.partition("/")
    places = {name: folder / name for name in ("graphs", "caches")}
    if family == "prepare":
        for path in (work, places[first]):
            path.mkdir(parents=True, exist_ok=True)
        if first == "graphs":
            graphs.prepare(places["graphs"], command)
        else:
            caches.prepare(places["caches"], cache, command)
        return
    for seed in range(int(first), int(first) + count):
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        if family == "pictures":
            faults = pictures.hunt(seed, work, command)
        elif family == "graphs":
            shutil.rmtree(cache, ignore_errors=True)
            faults = graphs.hunt(rest, seed, places["graphs"], work, command)
        else:
            faults = caches.hunt(rest, seed, places["caches"], cache, work, command)
        print(json.dumps(faults), file=answers, flush=True)


if __name__ == "__main__":
    main()
