"""Damaged input, the short form of scripts/fuzz: a few of each kind, in this process. Without
audits, whose libraries take seconds to import (tests/utils/test_kept.py damages those)."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import REPO, write_picture
from fuzz import caches, graphs, pictures
from fuzz.forks import Run
from fuzz.judge import Done
from run_commands import run_command

from retrain.evaluation import intervals
from retrain.inference import compiled_cache
from retrain.utils.kept import SEAL_BYTES

pytestmark = pytest.mark.slow

USES = ("label", "module")
WHOLE = Path(caches.__file__).parent / "whole"


@pytest.fixture(scope="module", autouse=True)
def _few_resamples() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(intervals, "RESAMPLES", 20)
        yield


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> caches.Caches:
    """A filled cache, and what uses of it give."""
    folder = tmp_path_factory.mktemp("fuzz")
    cache, out = folder / "cache", folder / "work"

    def start(command: str, *words: str, cwd: Path, below: Path | None = None) -> Run:
        cwd.mkdir(exist_ok=True)
        return Run(run_command(command, *words, cwd=cwd, RETRAIN_CACHE_DIR=str(cache)))

    caches.prepare(folder / "caches", cache, out, start, USES)
    shutil.copy(out / "output_graph.onnx", folder / "caches" / "own.onnx")
    return caches.Caches(folder / "caches", cache, out, start, USES)


def test_damaged_caches_change_nothing(kept: caches.Caches) -> None:
    assert len(kept.kinds) >= 15
    assert kept.hunt_all(1) == []


def test_damage_that_is_not_seen_is_a_fault(
    kept: caches.Caches, monkeypatch: pytest.MonkeyPatch
) -> None:
    def trusting(path: Path, say: object) -> bytes:
        return path.read_bytes()[:-SEAL_BYTES]

    kept.restore()
    monkeypatch.setattr(compiled_cache, "read_kept", trusting)
    (path,) = kept.cache.glob("compiled/*")
    content = bytearray(path.read_bytes())
    middle = len(content) // 2  # weights
    content[middle : middle + 1000] = bytes(1000)
    path.write_bytes(content)
    assert kept.judge("label", said=True) == ["damaged: label: other stdout"]


DIES = """
import os, signal
from pathlib import Path
from fuzz import forks
forks.run_command = lambda *_, **__: os.kill(os.getpid(), signal.SIGSEGV)
done = forks.run_forked("retrain", cwd=Path()).done
assert done.returncode == -signal.SIGSEGV and "Segmentation fault" in done.stderr, done
"""


def test_a_fork_that_dies_is_an_exit_code() -> None:
    path = os.pathsep.join([str(REPO / "tests"), str(REPO)])
    subprocess.run([sys.executable, "-c", DIES], env={**os.environ, "PYTHONPATH": path}, check=True)


def test_damaged_pictures_are_used_or_set_aside(tmp_path: Path) -> None:
    def command(command: str, *arguments: object) -> Done:
        return run_command(command, *arguments, cwd=tmp_path)

    assert pictures.hunt(0, tmp_path, command, audits=False) == []


@pytest.mark.parametrize("kind", graphs.WHOLE)
def test_damaged_graphs_are_run_or_refused(kind: str, kept: caches.Caches, tmp_path: Path) -> None:
    def command(command: str, *arguments: object) -> Done:
        return run_command(command, *arguments, cwd=tmp_path)

    whole = Path(shutil.copytree(WHOLE, tmp_path / "whole"))
    shutil.copy(kept.folder / "graph.pb", whole / "own.pb")
    shutil.copy(kept.folder / "module.onnx", whole)
    shutil.copy(kept.folder / "own.onnx", whole)
    (whole / "labels.txt").write_text("one\ntwo\nthree\nfour\nfive\n")
    write_picture(whole / "photo.png", (200, 40, 40), 1)
    # No seed is one that exports or trains, too.
    faults = []
    for seed in (1, 2, 4, 7, 8):
        folder = tmp_path / str(seed)
        folder.mkdir()
        faults += graphs.hunt(kind, seed, whole, folder, command)
    assert faults == []
