"""Damaged input, the short form of scripts/fuzz: every kind, a few seeds of each."""

from pathlib import Path

import pytest
from fuzz import caches, graphs, worker


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the seeds start from."""
    made = tmp_path_factory.mktemp("fuzz")
    worker.prepare(made, "graphs", "caches")
    return made


def faults(kind: str, folder: Path, count: int) -> list[str]:
    found = dict(worker.hunt(kind, folder, range(count)))
    assert len(found) == count
    return [f"seed {seed}: {fault}" for seed, each in found.items() for fault in each]


def test_damaged_pictures_are_used_or_set_aside(tmp_path: Path) -> None:
    assert faults("pictures", tmp_path, 3) == []


@pytest.mark.parametrize("kind", graphs.WHOLE)
def test_damaged_graphs_are_run_or_refused(kind: str, folder: Path) -> None:
    assert faults(f"graphs/{kind}", folder, 9) == []


def test_damaged_caches_change_nothing(folder: Path) -> None:
    kinds = caches.kinds(folder / "caches")
    assert len(kinds) >= 10
    found = {kind: faults(f"caches/{kind}", folder, 2) for kind in kinds}
    assert not any(found.values()), found
