"""Damage to everything that is kept: the same results as without, or made anew, which is said.

Each use of the cache is run on a whole one first: what it gives then is right, and what it opens
then is what it can be misled by. A damage is judged by the uses that open files of its kind, but
for the dear ones where another does; one in ten by all uses.
"""

import random
import re
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

from conftest import TINY, write_colour_tree
from damage import folder_in_its_place
from onnx_files import write_onnx

from fuzz.forks import Run
from fuzz.judge import faults_of
from retrain.data.digests import digest_of

# By name, what is taken away from the cache before: what lies behind it is read then only.
USES = {
    "train": "",
    "label": "",
    "evaluate": "",
    "audit": "",
    "audit anew": "bottlenecks/audits",
    "module": "",
}
PHOTOS = 4  # of each of three classes
DEAR = {"train", "audit anew"}  # take as long as the others together
BY_DEAR, BY_ALL = 0.25, 0.1  # of the damages are judged by them, and by all uses
TIMES = ("run.json", "report.html")  # tell when it was
Files = dict[str, str]
# Of a file, with others that might be exchanged for it.
Damage = Callable[[Path, random.Random, Sequence[Path]], object]


def _write(change: Callable[[bytes, random.Random], bytes]) -> Damage:
    def damage(path: Path, rng: random.Random, others: Sequence[Path]) -> None:
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


def _garbage(content: bytes, rng: random.Random) -> bytes:
    return rng.randbytes(max(1, len(content)))


DAMAGES: dict[str, Damage] = {
    "flip": _write(_flip),
    "page": _write(_page),
    "truncate": _write(lambda content, rng: content[: rng.randrange(max(1, len(content)))]),
    "longer": _write(lambda content, rng: content + rng.randbytes(9)),
    "garbage": _write(_garbage),
    "another": lambda path, rng, others: shutil.copyfile(rng.choice(others), path),
    "empty": _write(lambda content, rng: b""),
    "delete": lambda path, rng, others: path.unlink(),
    "folder": lambda path, rng, others: folder_in_its_place(path),
}
# Which seed does what: the last three do the same to a file each time.
TURNS = 3 * list(DAMAGES)[:6] + list(DAMAGES)[6:]


def kind_of(path: Path) -> str:
    """The path with each digest, and each photo, as `*`."""
    return re.sub(r"[0-9a-f]{12,}|\w+/\d+(?=\.png)", "*", path.as_posix())


class Start(Protocol):
    """Runs a command in the folder `cwd`, and notes the files below `below` that it opens."""

    def __call__(self, *words: str, cwd: Path, below: Path | None = None) -> Run: ...


def prepare(folder: Path, cache: Path, out: Path, start: Start, uses: Iterable[str] = USES) -> None:
    """Fills the cache with every kind of file that is kept, and copies it to `whole`."""
    folder.mkdir()
    write_colour_tree(folder / "tree", PHOTOS)
    shutil.make_archive(str(folder / "photos"), "zip", folder / "tree")
    write_onnx(folder / "module.onnx")
    first = (*arguments("train", folder), "--output_graph", str(folder / "graph.pb"))
    for words in (first, *(arguments(use, folder) for use in uses)):
        done = start(*words, cwd=out).done
        assert done.returncode == 0, done.stderr
    shutil.copytree(cache, folder / "whole")


def kinds(folder: Path) -> dict[str, list[Path]]:
    """Every kind of file in the cache, with its files, relative to it."""
    found = defaultdict(list)
    whole = folder / "whole"
    for path in sorted(whole.rglob("*")):
        if path.is_file() and path.name[0] != ".":  # a lock
            found[kind_of(path.relative_to(whole))].append(path.relative_to(whole))
    return found


def arguments(use: str, folder: Path) -> tuple[str, ...]:
    tree = ("--image_dir", folder / "tree")
    train = ("--how_many_training_steps", 20, "--no-report", "--summaries_dir", "")
    graph = ("--graph", folder / "graph.pb")
    audit = ("retrain", "audit", *tree, "--tfhub_module", TINY)
    words: tuple[object, ...] = {
        "train": ("retrain", *tree, "--tfhub_module", TINY, *train),
        "module": ("retrain", *tree, "--tfhub_module", folder / "module.onnx", *train),
        "audit": audit,
        "audit anew": audit,
        "label": ("label-image", *graph, "--format", "csv", folder / "tree"),
        "evaluate": ("retrain", "evaluate", *graph, "--image_dir", folder / "photos.zip",
                     "--output_dir", "judged"),
    }[use]  # fmt: skip
    return tuple(map(str, words))


def state_of(folder: Path) -> Files:
    """The digest of each file below the folder, by its path."""
    return {
        path.relative_to(folder).as_posix(): digest_of(path.read_bytes()).hex()
        for path in folder.rglob("*")
        if path.is_file()
    }


@dataclass(frozen=True)
class Right:
    """What a use gives on a whole cache, and the kinds of kept files that it opens and makes."""

    given: Files
    opened: frozenset[str]
    made: frozenset[str]

    def unmade(self, state: Files) -> Files:
        """The state without the files that the use makes on a whole cache, too."""
        return {name: text for name, text in state.items() if kind_of(Path(name)) not in self.made}


@dataclass(frozen=True)
class Caches:
    """The cache that `prepare` made in `folder`, uses of a copy of it at `cache`, run in `out`."""

    folder: Path
    cache: Path
    out: Path
    start: Start
    uses: Sequence[str] = tuple(USES)

    def hunt(self, kind: str, seed: int) -> list[str]:
        """What is wrong with what the commands give when one kept file of this kind is damaged:
        with the damage, and once more after it."""
        rng = random.Random(f"{kind} {seed}")
        path, damage = rng.choice(self.kinds[kind]), TURNS[seed % len(TURNS)]
        draw, readers = rng.random(), self.readers(kind)
        faults = [] if readers else ["no use opens it"]
        if draw > BY_DEAR:
            readers = [use for use in readers if use not in DEAR] or readers
        for use in self.uses if draw < BY_ALL else readers:
            self.restore(USES[use])
            self.damage(path, damage, random.Random(draw))
            faults += [f"{damage}: {one}" for one in self.judge(use, said=damage != "delete")]
        return faults

    def hunt_all(self, seed: int) -> list[str]:
        """What is wrong with what each command gives when a file of every kind is damaged, each
        in another way."""
        self.restore()
        for number, (_, paths) in enumerate(sorted(self.kinds.items())):
            damage = list(DAMAGES)[(seed + number) % len(DAMAGES)]
            self.damage(paths[seed % len(paths)], damage, random.Random(seed))
        faults = []
        for use in self.uses:
            self.take_away(USES[use])
            faults += self.judge(use, said=False)
        return faults

    def readers(self, kind: str) -> list[str]:
        """The uses that open files of this kind."""
        return [use for use in self.uses if kind in self.right[use].opened]

    def damage(self, path: Path, damage: str, rng: random.Random) -> None:
        """Damages a file of the cache; `another` of its name or suffix may take its place."""
        if not (self.cache / path).exists():  # taken away before this use
            return
        files = [self.folder / "whole" / name for name in sorted(self.whole) if name != str(path)]
        others = [file for file in files if file.name == path.name] or files
        DAMAGES[damage](self.cache / path, rng, others)

    def judge(self, use: str, *, said: bool) -> list[str]:
        """What is wrong with what a use gives on the damaged cache, and once more after it.
        `said`: the damage must be told where it is seen."""
        right, faults = self.right[use], []
        for turn in ("damaged", "afterwards"):
            before = state_of(self.cache)
            given, run = self.use(use)
            wrong = faults_of(use, run.done, codes=(0,))
            different = sorted(name for name in right.given if given.get(name) != right.given[name])
            if different and not wrong:
                wrong.append(f"{use}: other {', '.join(different)}")
            after = state_of(self.cache)
            made = {kind_of(Path(name)) for name, _ in after.items() - before.items()}
            made &= right.opened - right.made
            if made and said and turn == "damaged" and "damaged" not in run.done.stderr:
                wrong.append(f"{use}: made anew without a word: {', '.join(sorted(made))}")
            faults += [f"{turn}: {one}" for one in wrong]
            known = [right.unmade(state) for state in (before, self.whole)]
            if right.unmade(after) in known:  # the next turn would find what one has found
                break
        return faults

    def use(self, use: str, *, watched: bool = False) -> tuple[Files, Run]:
        """What a command wrote, and how it ended."""
        shutil.rmtree(self.out, ignore_errors=True)
        self.out.mkdir()
        below = self.cache if watched else None
        run = self.start(*arguments(use, self.folder), cwd=self.out, below=below)
        files = state_of(self.out).items()
        written = {name: text for name, text in files if Path(name).name not in TIMES}
        return {"stdout": run.done.stdout, **written}, run

    @cached_property
    def right(self) -> dict[str, Right]:
        """What each use gives on a whole cache."""
        found = {}
        for use in self.uses:
            self.restore(USES[use])
            before = state_of(self.cache)
            given, run = self.use(use, watched=True)
            assert not (wrong := faults_of(use, run.done, codes=(0,))), wrong
            after = state_of(self.cache)
            assert after.keys() == self.whole.keys(), "more is kept than `prepare` kept"
            made = {kind_of(Path(name)) for name, _ in after.items() - before.items()}
            opened = {kind_of(path) for path in run.opened}
            found[use] = Right(given, frozenset(opened), frozenset(made))
        return found

    @cached_property
    def whole(self) -> Files:
        """The state of the whole cache."""
        return state_of(self.folder / "whole")

    @cached_property
    def kinds(self) -> dict[str, list[Path]]:
        return kinds(self.folder)

    def restore(self, without: str = "") -> None:
        """Copies the whole cache, but for one folder."""
        shutil.rmtree(self.cache, ignore_errors=True)
        shutil.copytree(self.folder / "whole", self.cache)
        self.take_away(without)

    def take_away(self, without: str) -> None:
        """Removes a folder of the cache, if there is a name."""
        if without:
            shutil.rmtree(self.cache / without)
