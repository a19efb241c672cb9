"""What no command may do, whatever it is given."""

import csv
import io
import re
from subprocess import CompletedProcess
from typing import Protocol

Done = CompletedProcess[str]


class Command(Protocol):
    def __call__(self, command: str, *arguments: object) -> Done: ...


def faults_of(what: str, done: Done, codes: tuple[int, ...] = (0, 1, 2)) -> list[str]:
    """What is wrong with how a command ended: nothing, when it did its work or said why not."""
    both, lines = done.stdout + done.stderr, done.stderr.splitlines()
    faults = []
    if "Traceback" in both:
        faults.append("a traceback")
    if "internal error" in both:
        faults.append("an internal error")
    if re.search(r"^\S+:\d+: \w*Warning: ", done.stderr, re.M):
        faults.append("a library's warning")
    if done.returncode not in codes:
        faults.append(f"exit code {done.returncode}")
    if done.returncode and not (lines and re.match(r"(retrain|label-image)\b.*: ", lines[-1])):
        faults.append("no last line that says why")
    return [f"{what}: {fault}: {' | '.join(lines[-3:])[-500:]}" for fault in faults]


def files_and_reasons(text: str) -> dict[str, str]:
    """A list of what was set aside: each file's reason."""
    return {row["file"]: row["reason"] for row in csv.DictReader(io.StringIO(text))}
