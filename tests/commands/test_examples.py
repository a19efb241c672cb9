"""The example scripts as CI would run them, and the example photos."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import EXAMPLE_FLOWERS, REPO, write_colour_tree
from run_commands import PATIENCE_S

pytestmark = pytest.mark.slow


def environment() -> dict[str, str]:
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}


def run_script(script: str, *arguments: object, cwd: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [REPO / script, *map(str, arguments)], cwd=cwd, capture_output=True, text=True,
        timeout=PATIENCE_S,
        env=environment(),
    )  # fmt: skip


def test_train_and_check_passes(tmp_path: Path) -> None:
    done = run_script("examples/train_and_check.sh", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert ".jpg: sunflowers (score=" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_train_and_check_fails_on_a_wrong_answer(tmp_path: Path) -> None:
    photo = next((EXAMPLE_FLOWERS / "sunflowers").glob("*.jpg"))
    tree = write_colour_tree(tmp_path / "colours", photos=8)
    done = run_script("examples/train_and_check.sh", tree, photo, "cat", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.endswith("expected cat\n")


def test_label_folder_counts_answers(trained: Path, tmp_path: Path) -> None:
    done = run_script(
        "examples/label_folder.sh", trained / "output_graph.pb", EXAMPLE_FLOWERS / "tulips",
        cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    counts = {name: int(count) for count, name in re.findall(r"(\d+) (\w+)", done.stdout)}
    assert sum(counts.values()) == 35
    assert next(iter(counts)) == "tulips"


def test_count_labels_trains_labels_and_counts(tmp_path: Path) -> None:
    done = run_script("examples/count_labels.sh", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    *counts, total = done.stdout.splitlines()
    assert total == f"of {len(list(EXAMPLE_FLOWERS.glob('*/*.jpg')))} photos"
    assert {line.split()[0] for line in counts} == {
        path.name for path in EXAMPLE_FLOWERS.iterdir() if path.is_dir()
    }
    assert list(tmp_path.iterdir()) == []


def test_demo_runs_in_an_installed_environment(tmp_path: Path) -> None:
    """All of scripts/demo but the installation, for which its virtual environment stands ready."""
    venv = tmp_path / "venv"
    venv.mkdir()
    (venv / "bin").symlink_to(Path(sys.executable).parent)
    (venv / ".installed--").touch()
    copy = tmp_path / "clone"
    copy.mkdir()
    for name in ("scripts", "examples", "pyproject.toml"):
        (copy / name).symlink_to(REPO / name)
    done = subprocess.run(
        ["sh", "-c", 'cd clone && sh "$PWD/scripts/demo"'], cwd=tmp_path,
        capture_output=True, text=True, timeout=PATIENCE_S,
        env={**environment(), "VENV": str(venv)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert re.search(r"^daisy \(score=0\.\d+\)$", done.stdout, re.M)


def test_example_photos_are_few_small_and_credited() -> None:
    photos = sorted(EXAMPLE_FLOWERS.glob("*/*.jpg"))
    for folder in EXAMPLE_FLOWERS.iterdir():
        assert folder.name == "LICENSE.txt" or len(list(folder.iterdir())) >= 30
    files = [path for path in (REPO / "examples").rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 4_000_000
    licence = (EXAMPLE_FLOWERS / "LICENSE.txt").read_text(encoding="utf-8")
    credited = re.findall(r"^(\S+\.jpg) CC-BY by .+ - https://", licence, re.M)
    assert sorted(credited) == [str(photo.relative_to(EXAMPLE_FLOWERS)) for photo in photos]
