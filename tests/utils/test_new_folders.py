"""A run that fails leaves no empty folder behind, and touches none that was there before."""

from pathlib import Path

import pytest
from conftest import TINY, Run, write_colour_tree

import retrain
from retrain.errors import RetrainError
from retrain.utils.new_folders import empty_folders_removed, make_folder


def test_only_what_is_new_and_empty_goes(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    with pytest.raises(KeyboardInterrupt), empty_folders_removed():
        make_folder(tmp_path / "mine" / "new" / "deep")
        make_folder(tmp_path / "full")
        make_folder(tmp_path / "mine")
        (tmp_path / "full" / "file").touch()
        raise KeyboardInterrupt
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "full", "mine"]
    with empty_folders_removed():
        make_folder(tmp_path / "kept")
    assert (tmp_path / "kept").is_dir()


def outputs(work: Path) -> tuple[object, ...]:
    return ("--output_graph", work / "a/b/g.pb", "--output_labels", work / "c/l.txt",
            "--summaries_dir", work / "logs", "--saved_model_dir", work / "s/m",
            "--tflite_output_file", work / "t/m.tflite", "--report", work / "r/r.html",
            "--tfhub_module", TINY)  # fmt: skip


@pytest.mark.parametrize("fault", ["no photos", "broken photos", "strict", "gate's label"])
def test_training(fault: str, run: Run, tmp_path: Path) -> None:
    tree = write_colour_tree(tmp_path / "colours", 0 if fault == "no photos" else 3)
    tree.mkdir(exist_ok=True)
    more: tuple[object, ...] = ()
    if fault == "broken photos":
        for photo in tree.rglob("*.png"):
            photo.write_bytes(b"broken")
    elif fault == "strict":
        (tree / "red" / "broken.png").write_bytes(b"broken")
        more = ("--strict",)
    elif fault == "gate's label":
        more = ("--assert_recall", "purple=0.5")
    done = run("retrain", "--image_dir", tree, *outputs(tmp_path / "work"), *more)
    assert done.returncode in (1, 2), done.stderr
    left = [path for path in (tmp_path / "work").rglob("*") if path.is_dir()]
    assert all(list(path.iterdir()) for path in left)  # set_aside.csv may be there


def test_from_python(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(RetrainError):
        retrain.train(tmp_path / "empty", output_graph=tmp_path / "a" / "g.pb")
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]


def test_other_commands(run: Run, tmp_path: Path, trained: Path) -> None:
    (tmp_path / "empty").mkdir()
    work, graph = tmp_path / "work", trained / "output_graph.pb"
    for words in (
        ("label-image", "--graph", "none.pb", "x.jpg", "--output", "a/b.csv", "--sort_into", "c/d"),
        ("retrain", "audit", "--image_dir", tmp_path / "empty", "--output_dir", "e/f"),
        ("retrain", "evaluate", "--graph", graph, "--image_dir", tmp_path / "empty",
         "--output_dir", "g/h"),
        ("retrain", "export", "--graph", "none.pb", "--to", "i/j.tflite"),
    ):  # fmt: skip
        assert run(*words).returncode == 1
        assert list(work.iterdir()) == []
