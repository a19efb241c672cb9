"""Damage to everything that is kept: the same results as without, or made anew."""

import random
import re
import shutil
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from conftest import TINY, write_colour_tree
from damage import folder_in_its_place
from onnx_files import write_onnx

from fuzz.judge import Command, faults_of

# What uses which part of the cache: by the folder it lies in.
USES = ("train", "label", "audit", "module")
USERS = {"compiled": ("label",), "modules": ("module",), "audits": ("audit",)}


def _write(change: Callable[[bytes, random.Random], bytes]) -> Callable[..., None]:
    def damage(path: Path, rng: random.Random) -> None:
        content = path.read_bytes()
        path.write_bytes(change(content, rng))

    return damage


def _flip(content: bytes, rng: random.Random) -> bytes:
    changed = bytearray(content or b"\0")
    changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _page(content: bytes, rng: random.Random) -> bytes:
    start = rng.randrange(max(1, len(content))) // 4096 * 4096
    return content[:start] + bytes(min(4096, len(content) - start)) + content[start + 4096 :]


DAMAGES: dict[str, Callable[[Path, random.Random], object]] = {
    "flip": _write(_flip),
    "page": _write(_page),
    "truncate": _write(lambda content, rng: content[: rng.randrange(max(1, len(content)))]),
    "longer": _write(lambda content, rng: content + rng.randbytes(9)),
    "empty": _write(lambda content, rng: b""),
    "garbage": _write(lambda content, rng: rng.randbytes(max(1, len(content)))),
    "delete": lambda path, rng: path.unlink(),
    "folder": lambda path, rng: folder_in_its_place(path),
}


def kind_of(path: Path) -> str:
    """The path with each digest as `*`."""
    return re.sub(r"[0-9a-f]{12,}", "*", path.as_posix())


def prepare(folder: Path, cache: Path, command: Command) -> None:
    """Fills the cache with every kind of file that is kept, and copies it to `whole`."""
    folder.mkdir()
    write_colour_tree(folder / "tree", 6)
    write_onnx(folder / "module.onnx")
    trained = command(*arguments("train", folder), "--output_graph", folder / "graph.pb")
    assert trained.returncode == 0, trained.stderr
    for use in 2 * USES:  # some things only a second run keeps
        done = command(*arguments(use, folder))
        assert done.returncode == 0, done.stderr
    shutil.copytree(cache, folder / "whole")


def kinds(folder: Path) -> dict[str, list[Path]]:
    """Every kind of file in the cache, with its files, relative to it."""
    found = defaultdict(list)
    whole = folder / "whole"
    for path in sorted(whole.rglob("*")):
        if path.is_file():
            found[kind_of(path.relative_to(whole))].append(path.relative_to(whole))
    return found


def arguments(use: str, folder: Path) -> tuple[object, ...]:
    tree = ("--image_dir", folder / "tree")
    train = ("--how_many_training_steps", 20, "--no-report", "--summaries_dir", "")
    return {
        "train": ("retrain", *tree, "--tfhub_module", TINY, *train),
        "module": ("retrain", *tree, "--tfhub_module", folder / "module.onnx", *train),
        "audit": ("retrain", "audit", *tree, "--tfhub_module", TINY),
        "label": (
            "label-image",
            "--graph",
            folder / "graph.pb",
            "--format",
            "csv",
            folder / "tree",
        ),
    }[use]


def results(
    use: str, folder: Path, out: Path, command: Command
) -> tuple[dict[str, str], list[str]]:
    """What a command gave, and what was wrong with how it ended."""
    done = command(*arguments(use, folder))
    faults = faults_of(use, done, codes=(0,))
    given = {"stdout": done.stdout if use == "label" else ""}
    for name in ("predictions.csv", "audit.csv", "output_graph.pb"):
        if (out / name).exists():
            given[name] = (out / name).read_bytes().hex()
            (out / name).unlink()
    return given, faults


def hunt(kind: str, seed: int, folder: Path, cache: Path, out: Path, command: Command) -> list[str]:
    """What is wrong with what the commands give when one kept file of this kind is damaged: with
    the damage, and once more after it."""
    rng = random.Random(f"{kind} {seed}")
    path = rng.choice(kinds(folder)[kind])
    damage = list(DAMAGES)[seed % len(DAMAGES)]
    uses = next((USERS[part] for part in path.parts if part in USERS), ("train", "audit", "module"))
    faults = []
    for use in uses:
        restore(folder, cache)
        right = results(use, folder, out, command)
        restore(folder, cache)
        DAMAGES[damage](cache / path, rng)
        for turn in ("damaged", "afterwards"):
            given, wrong = results(use, folder, out, command)
            faults += [f"{damage}: {turn}: {one}" for one in wrong]
            different = sorted(name for name in right[0] if given.get(name) != right[0][name])
            if different and not wrong:
                faults.append(f"{damage}: {turn}: {use}: other {', '.join(different)}")
    return faults


def restore(folder: Path, cache: Path) -> None:
    shutil.rmtree(cache, ignore_errors=True)
    shutil.copytree(folder / "whole", cache)
