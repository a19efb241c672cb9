"""Damaged input, the short form of scripts/fuzz: every kind, with one seed that retrains too."""

from pathlib import Path

import pytest
from fuzz import caches, graphs, worker

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the seeds start from."""
    made = tmp_path_factory.mktemp("fuzz")
    worker.prepare(made, "graphs", "caches")
    return made


def faults(folder: Path, tasks: list[worker.Task]) -> list[str]:
    found = list(worker.hunt(folder, tasks))
    assert [task for task, _ in found] == tasks
    return [f"{kind} --seed {seed}: {one}" for (kind, seed), each in found for one in each]


def test_damaged_pictures_are_used_or_set_aside(folder: Path) -> None:
    assert faults(folder, [("pictures", seed) for seed in range(3)]) == []


def test_damaged_graphs_are_run_or_refused(folder: Path) -> None:
    kinds = [f"graphs/{kind}" for kind in graphs.WHOLE]
    assert faults(folder, [(kind, seed) for kind in kinds for seed in [3]]) == []


def test_damaged_caches_change_nothing(folder: Path) -> None:
    kinds = [f"caches/{kind}" for kind in caches.kinds(folder / "caches")]
    assert len(kinds) >= 10
    assert faults(folder, [(kind, number) for number, kind in enumerate(kinds)]) == []
