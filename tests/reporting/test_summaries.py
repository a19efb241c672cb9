"""TensorBoard logs, seen by a real TensorBoard."""

from pathlib import Path

import pytest
from board_server import ask, tensorboard
from conftest import TINY, Run

pytestmark = pytest.mark.slow

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


def test_a_real_tensorboard_shows_the_tags_of_retrain_py(
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

    with tensorboard(logs, "--load_fast=false") as plugins:
        scalars = ask(f"{plugins}/scalars/tags")
        assert sorted(scalars) == sorted({f"{run.split('/')[0]}/test" for run in runs} | {*runs})
        assert all(scalars[name].keys() == SCALARS for name in runs)
        histograms = ask(f"{plugins}/histograms/tags")
        assert all(histograms[name].keys() == HISTOGRAMS for name in runs)
        for name in runs:
            points = ask(f"{plugins}/scalars/scalars?tag=accuracy_1&run={name}")
            assert [step for _, step, _ in points] == [0, 10, 20, 30, 40]
            assert all(0 <= value <= 1 for _, _, value in points)


def test_summaries_can_be_left_out(colour_tree: Path, run: Run, tmp_path: Path) -> None:
    fast = ("--tfhub_module", TINY, "--how_many_training_steps", 5)
    done = run("retrain", "--image_dir", colour_tree, *fast, "--summaries_dir", "")
    assert done.returncode == 0, done.stderr
    made = {path.name for path in (tmp_path / "work").iterdir()}
    assert "retrain_logs" not in made and "output_graph.pb" in made
