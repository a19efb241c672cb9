"""A killed run resumes, and its features are those of an undisturbed one, to the bit."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from conftest import TINY, Run, age, write_picture

CLASSES, PHOTOS = 2, 700  # more than two shards


def write_many(root: Path) -> Path:
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


def test_kill_in_mid_extraction(run: Run, tmp_path: Path) -> None:
    tree = write_many(tmp_path / "tree")
    command = (
        "--image_dir",
        tree,
        "--how_many_training_steps",
        10,
        "--summaries_dir",
        "",
        "--tfhub_module",
        TINY,
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "retrain", *map(str, command), "--bottleneck_dir", "killed"],
        cwd=tmp_path, env=os.environ, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    while not published(tmp_path / "killed"):
        assert process.poll() is None, "it ended before it could be killed"
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "output_graph.pb").exists()
    kept = len(features(tmp_path / "killed"))
    assert 0 < kept < CLASSES * PHOTOS

    resumed = run("retrain", *command, "--bottleneck_dir", tmp_path / "killed")
    assert resumed.returncode == 0, resumed.stderr
    done = re.search(r"(\d+) features computed, (\d+) cached", resumed.stderr)
    assert done and (int(done[1]), int(done[2])) == (CLASSES * PHOTOS - kept, kept)

    undisturbed = run("retrain", *command, "--bottleneck_dir", tmp_path / "undisturbed")
    assert undisturbed.returncode == 0, undisturbed.stderr
    assert features(tmp_path / "killed") == features(tmp_path / "undisturbed")
    assert len(features(tmp_path / "killed")) == CLASSES * PHOTOS


def test_interrupt_keeps_each_finished_feature(tmp_path: Path, run: Run) -> None:
    tree = write_many(tmp_path / "tree")
    command = ("--image_dir", tree, "--how_many_training_steps", 10, "--summaries_dir", "",
               "--tfhub_module", TINY, "--bottleneck_dir", tmp_path / "kept")  # fmt: skip
    with subprocess.Popen(
        [sys.executable, "-m", "retrain", *map(str, command)],
        cwd=tmp_path,
        env=os.environ,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "with OpenVINO" in line:
                break
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        said = process.stderr.read()
    assert process.returncode == 130
    assert said.strip() == (
        "retrain: interrupted; finished features are kept, run the same command to go on"
    )
    kept = len(features(tmp_path / "kept"))
    assert 0 < kept < CLASSES * PHOTOS
    again = run("retrain", *command)
    assert f"{kept} cached" in again.stderr
