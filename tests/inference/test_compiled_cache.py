"""The cache of compiled graphs behind `label-image`."""

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from conftest import EXAMPLE_FLOWERS, Run

from retrain.artifacts.detect import find_artefact
from retrain.backbones.engines.openvino import OpenVinoEngine
from retrain.data.decoding.decode import decode
from retrain.inference import compiled_cache
from retrain.inference.classifier import Classifier, compile_classifier, open_classifier
from retrain.inference.compiled_cache import CompiledCache
from retrain.inference.config import Overrides
from retrain.inference.spec.resolve import describe_graph

pytestmark = pytest.mark.slow

PHOTO = next((EXAMPLE_FLOWERS / "tulips").glob("*.jpg"))


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RETRAIN_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache" / "compiled"


@pytest.fixture
def graph(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(trained / "output_graph.pb", tmp_path / "graph.pb"))


def nothing_said(text: str) -> None:
    raise AssertionError(text)


def fill(graph: Path, said: Overrides | None = None) -> CompiledCache:
    cache = CompiledCache(find_artefact(graph), said or Overrides(), 1)
    spec = describe_graph(graph)
    cache.keep(spec, compile_classifier(graph, spec, 1), nothing_said)
    return cache


def test_a_kept_graph_gives_the_same_bits(graph: Path) -> None:
    opened = open_classifier(graph, describe_graph(graph), photos=1)
    kept = fill(graph).load(nothing_said)
    assert kept is not None
    spec, compiled = kept
    assert spec == opened.spec
    photos = [decode(p.read_bytes(), spec.recipe) for p in sorted(EXAMPLE_FLOWERS.glob("*/*"))[::9]]
    again = Classifier(graph, spec, OpenVinoEngine(compiled))
    expected, found = dict(opened.scores(enumerate(photos))), dict(again.scores(enumerate(photos)))
    assert all((found[number] == scores).all() for number, scores in expected.items())


def test_the_command_uses_it(graph: Path, run: Run, own_cache: Path) -> None:
    first = run("label-image", "--graph", graph, PHOTO)
    names = sorted(path.suffix for path in own_cache.iterdir())
    assert names == [".kept"]
    written = {path: path.stat().st_ino for path in own_cache.glob("*.kept")}
    second = run("label-image", "--graph", graph, PHOTO)
    assert second.stdout == first.stdout and second.returncode == 0
    assert {path: path.stat().st_ino for path in own_cache.glob("*.kept")} == written


def test_a_rewritten_graph_misses(graph: Path) -> None:
    cache = fill(graph)
    times = (graph.stat().st_atime_ns, graph.stat().st_mtime_ns)
    content = graph.read_bytes()
    graph.unlink()
    graph.write_bytes(content)  # same size, and the time put back
    os.utime(graph, ns=times)
    assert CompiledCache(find_artefact(graph), Overrides(), 1).load(nothing_said) is None
    assert cache.load(nothing_said) is not None


def test_other_settings_miss(graph: Path) -> None:
    fill(graph)
    assert CompiledCache(find_artefact(graph), Overrides(mean=1.0), 1).load(nothing_said) is None
    assert CompiledCache(find_artefact(graph), Overrides(), 2).load(nothing_said) is None


def test_a_damaged_entry_is_a_miss(graph: Path, run: Run, own_cache: Path) -> None:
    expected = run("label-image", "--graph", graph, PHOTO).stdout
    (path,) = own_cache.iterdir()
    path.write_bytes(path.read_bytes()[:100])
    done = run("label-image", "--graph", graph, PHOTO)
    assert (done.returncode, done.stdout) == (0, expected)
    assert done.stderr == (
        f"label-image: what was kept in {path} is damaged (its end is missing) and made anew\n"
    )
    repaired = run("label-image", "--graph", graph, PHOTO)
    assert repaired.stdout == expected
    assert repaired.stderr == "" and path.stat().st_size > 100


def test_its_size_is_bounded(graph: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(graph)
    one = sum(path.stat().st_size for path in own_cache.iterdir())
    monkeypatch.setattr(compiled_cache, "LIMIT_BYTES", int(3.5 * one))
    kept = []
    for mean in range(8):
        kept.append(fill(graph, Overrides(mean=float(mean))))
        assert sum(path.stat().st_size for path in own_cache.iterdir()) <= 3.5 * one
    assert [cache.load(nothing_said) is not None for cache in kept] == [False] * 5 + [True] * 3


def test_many_processes_at_once(graph: Path, run: Run, own_cache: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        runs = list(pool.map(lambda _: run("label-image", "--graph", graph, PHOTO), range(4)))
    assert {done.returncode for done in runs} == {0}
    assert len({done.stdout for done in runs}) == 1
    assert sorted(path.suffix for path in own_cache.iterdir()) == [".kept"]


def test_a_cache_that_cannot_be_written_is_no_fault(graph: Path, run: Run, own_cache: Path) -> None:
    own_cache.parent.write_text("a file where the folder should be")
    done = run("label-image", "--graph", graph, PHOTO)
    assert (done.returncode, done.stderr) == (0, "")
    assert np.isclose(float(done.stdout.split("score=")[1][:7]), 1, atol=1)
