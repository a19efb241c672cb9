"""A killed run resumes, and its features are those of an undisturbed one, to the bit."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import TINY, Run, age, write_picture
from run_commands import PATIENCE_S

from retrain.features.extractor import UNIT

pytestmark = pytest.mark.slow

CLASSES, PHOTOS = 2, 550  # more than two shards


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("tree")
    for label in range(CLASSES):
        for photo in range(PHOTOS):
            path = root / f"class{label}" / f"{photo}.bmp"
            write_picture(path, (80 + 90 * label, 120, 200), PHOTOS * label + photo, size=16)
    age(root)
    return root


def features(bottleneck_dir: Path) -> dict[bytes, bytes]:
    """Every stored vector by its key."""
    found = {}
    for shard in (path.parent for path in published(bottleneck_dir)):
        keys, vectors = np.load(shard / "keys.npy"), np.load(shard / "vectors.npy")
        found |= {k.tobytes(): v.tobytes() for k, v in zip(keys, vectors, strict=True)}
    return found


def published(bottleneck_dir: Path) -> list[Path]:
    return [
        path for path in bottleneck_dir.glob("*/shards/*/shard.json") if path.parent.name[0] != "."
    ]


# The command, but before its Nth feature it does what `at_the_gate` does: so it is at work by
# construction, however fast the machine.
GATED = """
import os, signal, sys, threading
from retrain.backbones.engines.openvino import OpenVinoEngine
from retrain.cli.main import main

run, gate, at_the_gate = OpenVinoEngine.run, int(sys.argv.pop(1)), sys.argv.pop(1)

def gated(self, photos):
    for number, found in enumerate(run(self, photos)):
        if number == gate:
            exec(at_the_gate)
        yield found

OpenVinoEngine.run = gated
main()
"""
DIES = "os.kill(os.getpid(), signal.SIGKILL)"
WAITS = "print('AT THE GATE', file=sys.stderr, flush=True); threading.Event().wait()"
GATE = 600  # within the second shard


def command_for(tree: Path, store: Path) -> tuple[str, ...]:
    return ("--image_dir", str(tree), "--how_many_training_steps", "10", "--summaries_dir", "",
            "--tfhub_module", TINY, "--no-report", "--bottleneck_dir", str(store))  # fmt: skip


def start_gated(at_the_gate: str, command: tuple[str, ...], cwd: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", GATED, str(GATE), at_the_gate, *command],
        cwd=cwd, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
    )  # fmt: skip


def test_kill_in_mid_extraction(tree: Path, run: Run, tmp_path: Path) -> None:
    store = tmp_path / "killed"
    with start_gated(DIES, command_for(tree, store), tmp_path) as process:
        process.communicate(timeout=PATIENCE_S)
    assert process.returncode == -signal.SIGKILL
    assert not (tmp_path / "output_graph.pb").exists()
    assert len(features(store)) == UNIT

    resumed = run("retrain", *command_for(tree, store))
    assert resumed.returncode == 0, resumed.stderr
    done = re.search(r"(\d+) features computed, (\d+) cached", resumed.stderr)
    assert done and (int(done[1]), int(done[2])) == (CLASSES * PHOTOS - UNIT, UNIT)

    undisturbed = run("retrain", *command_for(tree, tmp_path / "undisturbed"))
    assert undisturbed.returncode == 0, undisturbed.stderr
    assert features(store) == features(tmp_path / "undisturbed")
    assert len(features(store)) == CLASSES * PHOTOS


def test_interrupt_keeps_each_finished_feature(tree: Path, tmp_path: Path, run: Run) -> None:
    store = tmp_path / "kept"
    with start_gated(WAITS, command_for(tree, store), tmp_path) as process:
        assert process.stderr is not None
        assert any("AT THE GATE" in line for line in process.stderr)
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=PATIENCE_S)[1]
    assert process.returncode == 130
    assert said.strip() == (
        "retrain: interrupted; finished features are kept, run the same command to go on"
    )
    assert len(features(store)) == GATE
    again = run("retrain", *command_for(tree, store))
    assert f"{GATE} cached" in again.stderr
