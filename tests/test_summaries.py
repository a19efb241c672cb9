"""TensorBoard logs, seen by a real TensorBoard."""

import json
import os
import re
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from conftest import TINY, Run

SCALARS = {"accuracy_1", "cross_entropy_1"} | {
    f"final_retrain_ops/{variable}/summaries/{statistic}_1"
    for variable in ("weights", "biases")
    for statistic in ("mean", "stddev", "max", "min")
}
HISTOGRAMS = {
    "activations",
    "final_retrain_ops/Wx_plus_b/pre_activations",
    "final_retrain_ops/weights/summaries/histogram",
    "final_retrain_ops/biases/summaries/histogram",
}


def ask(address: str) -> Any:
    deadline = monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(address, timeout=10) as answer:
                found = json.load(answer)
        except (urllib.error.URLError, ConnectionError):
            found = None
        if found or monotonic() > deadline:
            return found
        sleep(0.2)


def test_a_real_tensorboard_shows_the_ancestors_tags(
    colour_tree: Path, run: Run, tmp_path: Path
) -> None:
    fast = ("--tfhub_module", TINY, "--how_many_training_steps", 41)
    logs = tmp_path / "work/retrain_logs"
    for _ in range(2):
        done = run("retrain", "--image_dir", colour_tree, *fast, "--summaries_dir", logs)
        assert done.returncode == 0, done.stderr
    runs = sorted(f"{folder.name}/{half}" for folder in logs.iterdir()
                  for half in ("train", "validation"))  # fmt: skip
    assert len(runs) == 4, "each run has a new folder"

    script = "from tensorboard.main import run_main; run_main()"
    arguments = ("--logdir", str(logs), "--host", "127.0.0.1", "--port", "0", "--load_fast=false")
    with subprocess.Popen(
        [sys.executable, "-c", script, *arguments],
        stderr=subprocess.PIPE, text=True, env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
    ) as board:  # fmt: skip
        try:
            assert board.stderr is not None
            address = next(m[0] for line in board.stderr
                           if (m := re.search(r"http://127\.0\.0\.1:\d+/", line)))  # fmt: skip
            plugins = f"{address}data/plugin"
            scalars = ask(f"{plugins}/scalars/tags")
            assert sorted(scalars) == runs
            assert all(tags.keys() == SCALARS for tags in scalars.values())
            histograms = ask(f"{plugins}/histograms/tags")
            assert all(histograms[name].keys() == HISTOGRAMS for name in runs)
            for name in runs:
                points = ask(f"{plugins}/scalars/scalars?tag=accuracy_1&run={name}")
                assert [step for _, step, _ in points] == [0, 10, 20, 30, 40]
                assert all(0 <= value <= 1 for _, _, value in points)
        finally:
            board.kill()


def test_summaries_can_be_left_out(colour_tree: Path, run: Run, tmp_path: Path) -> None:
    fast = ("--tfhub_module", TINY, "--how_many_training_steps", 5)
    done = run("retrain", "--image_dir", colour_tree, *fast, "--summaries_dir", "")
    assert done.returncode == 0, done.stderr
    made = {path.name for path in (tmp_path / "work").iterdir()}
    assert made == {"output_graph.pb", "output_labels.txt"}
