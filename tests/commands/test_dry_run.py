"""A dry run says what a run would do, and leaves everything as it is."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from conftest import TINY, write_colour_tree, write_picture
from run_commands import run_command

from retrain.commands.dry_run import Features, dry_run
from retrain.config import TrainConfig
from retrain.errors import RetrainError
from retrain.features.dataset import read_photos


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return write_colour_tree(tmp_path / "colours", 4)


def config_of(tree: Path, **more: Any) -> TrainConfig:
    given = {"tfhub_module": TINY, "bottleneck_dir": "b", "output_dir": "new/out", **more}
    return TrainConfig.from_flat(tree, **given)


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def test_it_counts_photos_and_features_and_writes_nothing(tree: Path, tmp_path: Path) -> None:
    before = files(tmp_path)
    told = dict(dry_run(config_of(tree)))
    assert files(tmp_path) == before
    assert told["Photos"] == "12 photos in 3 classes: blue 4, green 4, red 4"
    assert re.fullmatch(
        r"0 kept, 12 to compute: [\d.]+ s at \d+ photos/s \(measured with 12 of them\)",
        told["Features"],
    )
    assert re.fullmatch(r"4,000 steps, [\d.]+ s \(measured with 200\)", told["Head"])
    assert re.fullmatch(r"about [\d.]+ s; besides test, export, audit", told["Time"])
    disk = r"0.0 MB of features in b; \d.\d MB of graphs in .*new/out; \d+ GB are free"
    assert re.fullmatch(disk, told["Disk"])

    config = config_of(tree)
    read_photos(config.data, config.extract, [])  # as a run does
    write_picture(tree / "red" / "more.png", (200, 40, 40), 77)
    Path("new/out").mkdir(parents=True)
    seconds = {"features": 50.0, "test and export": 100.0, "audit": 8.0}
    Path("new/out/run.json").write_text(json.dumps({"seconds": seconds}))
    told = dict(dry_run(config))
    assert told["Features"].startswith("12 kept, 1 to compute: ")
    assert re.fullmatch(r"about 2 min, with 2 min for test, export and audit as in the run before",
                        told["Time"])  # fmt: skip
    copies = dict(dry_run(config_of(tree, flip_left_right=True, distortion_copies=2)))
    assert copies["Features"].startswith(f"12 kept, {1 + 2 * round(13 * 0.8)} to compute: ")


def test_all_features_are_kept(tree: Path) -> None:
    config = config_of(tree, solver="lbfgs", fine_tune="all")
    read_photos(config.data, config.extract, [])
    told = dict(dry_run(config))
    assert told["Features"] == "all 12 are kept" and "Head" not in told
    assert told["Time"] == "about 0.0 s; besides --fine_tune, the head, test, export, audit"
    assert told["Disk"].startswith("no new features; ")


@pytest.mark.parametrize(
    ("module", "said"),
    [
        ("inception_v1", "not told before the module is here (retrain modules fetch)"),
        ("simple_cnn", "not told for simple_cnn: it depends on --epochs and --input_size"),
    ],
)
def test_what_cannot_be_told_is_said(module: str, said: str, tree: Path) -> None:
    assert dict(dry_run(config_of(tree, tfhub_module=module, model_dir="m")))["Time"] == said


def test_what_a_run_would_refuse_is_refused(tree: Path) -> None:
    Path("new").touch()
    with pytest.raises(RetrainError, match="cannot write into"):
        list(dry_run(config_of(tree)))
    with pytest.raises(RetrainError, match="does not exist"):
        list(dry_run(config_of(tree / "nowhere", output_dir="out")))


def test_how_large_features_are() -> None:
    assert Features(0, 1_000_000, 100.0, 64, 1024).bytes == 1_000_000 * (4 * 1024 + 16)
    assert Features(5, 0, None, 0, None).bytes == 0


def test_the_command_prints_it(tree: Path, tmp_path: Path) -> None:
    before = files(tmp_path)
    done = run_command("retrain", tree, "--dry_run", "--tfhub_module", TINY, "--bottleneck_dir",
                       "b", cwd=tmp_path)  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    words = [line.partition(":")[0] for line in done.stdout.splitlines()]
    assert words == ["Photos", "Module", "Features", "Head", "Time", "Disk"]
    assert files(tmp_path) == before
