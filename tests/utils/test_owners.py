"""Modules and graphs are programs: none is taken from folders that others may write into."""

import io
import os
import shutil
from pathlib import Path

import pytest
from conftest import TINY, Run
from damage import FINGERPRINT, KINDS, WANTED
from damage import TINY as MODULE

from retrain.artifacts.detect import find_artefact
from retrain.backbones.sources import tfhub as hub_cache
from retrain.backbones.sources.cache import FrozenStore
from retrain.backbones.sources.kaggle import fetch_kaggle
from retrain.backbones.sources.tfhub import cached_module, hub_cache_folder
from retrain.data.decoding.decode import Recipe
from retrain.errors import RetrainError
from retrain.inference.compiled_cache import CompiledCache
from retrain.inference.config import Overrides
from retrain.inference.spec.spec import InputSpec
from retrain.utils.ownership import check_own, distrust, make_own

pytestmark = pytest.mark.skipif(not hasattr(os, "geteuid"), reason="no owners here")
as_root = pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root")
ANOTHER = 12345


def others(folder: Path) -> None:
    os.chown(folder, ANOTHER, ANOTHER)


def for_everyone(folder: Path) -> None:
    folder.chmod(0o777)


def sticky(folder: Path) -> None:
    folder.chmod(0o1777)


FOREIGN = [pytest.param(others, marks=as_root), for_everyone, sticky]


@pytest.mark.parametrize("mode", [0o700, 0o755, 0o775, 0o2775])
def test_own_folders_may_be_shared_with_a_group(mode: int, tmp_path: Path) -> None:
    tmp_path.chmod(mode)
    assert distrust(tmp_path) is None
    check_own(tmp_path, "--model_dir")
    check_own(tmp_path / "not yet", "--model_dir")


@pytest.mark.parametrize("foreign", FOREIGN)
def test_a_foreign_folder_is_refused_in_one_line(foreign, tmp_path: Path) -> None:
    foreign(tmp_path)
    with pytest.raises(RetrainError) as fault:
        check_own(tmp_path, "--model_dir")
    said = str(fault.value)
    assert said.startswith(f"--model_dir {tmp_path} is not used, because ")
    assert "give a folder of your own" in said and len(said.splitlines()) == 1


@as_root
def test_the_user_who_became_root_is_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    others(tmp_path)
    monkeypatch.setenv("SUDO_UID", str(ANOTHER))
    assert distrust(tmp_path) is None


def test_folders_are_made_for_their_user_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        make_own(tmp_path / "a" / "b")
    finally:
        os.umask(before)
    assert distrust(tmp_path / "a" / "b") is None


@pytest.mark.parametrize("foreign", FOREIGN)
def test_frozen_modules(foreign, tmp_path: Path) -> None:
    KINDS["frozen_graph.pb of a frozen module"].make(tmp_path)
    store = FrozenStore(tmp_path)
    assert store.find(FINGERPRINT, WANTED) is not None
    foreign(tmp_path)
    with pytest.raises(RetrainError, match="--model_dir"):
        store.find(FINGERPRINT, WANTED)
    with pytest.raises(RetrainError, match="--model_dir"):
        store.make("Freezing", tmp_path / "new", lambda built: None)
    among_outputs = FrozenStore(tmp_path, flag=None)
    assert among_outputs.find(FINGERPRINT, WANTED) is not None


@pytest.mark.parametrize("foreign", FOREIGN)
def test_modules_fetched_by_url_or_from_kaggle(
    foreign, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path))
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path))
    assert cached_module("https://x/m") is None
    foreign(tmp_path)
    with pytest.raises(RetrainError, match="^TFHUB_CACHE_DIR "):
        cached_module("https://x/m")
    with pytest.raises(RetrainError, match="^KAGGLEHUB_CACHE "):
        fetch_kaggle("a/b/tensorFlow2/c/1", "advice")


@pytest.mark.parametrize("foreign", [None, *FOREIGN])
def test_the_usual_folder_in_tmp_is_taken_only_if_it_is_ones_own(
    foreign, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TFHUB_CACHE_DIR", raising=False)
    monkeypatch.setenv("RETRAIN_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert hub_cache_folder() == tmp_path / "cache" / "tfhub_modules"
    made = tmp_path / "tfhub_modules" / hub_cache._folder_of("https://x/m").name
    shutil.copytree(MODULE, made)
    if foreign is not None:
        foreign(tmp_path / "tfhub_modules")
    assert cached_module("https://x/m") == (None if foreign else made)


@pytest.mark.parametrize("foreign", FOREIGN)
def test_compiled_graphs_of_others_are_left_alone(
    foreign, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RETRAIN_CACHE_DIR", str(tmp_path))
    (tmp_path / "compiled").mkdir()
    foreign(tmp_path / "compiled")
    graph = tmp_path / "graph.pb"
    graph.write_bytes(b"graph")
    said: list[str] = []
    cache = CompiledCache(find_artefact(graph), Overrides(), 1)
    assert cache.load(said.append) is None
    assert len(said) == 1 and "are not used, because" in said[0]
    spec = InputSpec("input", "output", Recipe(8, 8), 0.0, 1.0, None)
    cache.keep(spec, Compiled(), said.append)
    assert os.listdir(tmp_path / "compiled") == []


class Compiled:
    def export_model(self) -> io.BytesIO:
        return io.BytesIO(b"x")


def test_a_bundled_module_needs_no_folder(run: Run, tmp_path: Path) -> None:
    """It lies in the package, so whose --model_dir is makes no difference."""
    for_everyone(tmp_path)
    done = run("retrain", "modules", "fetch", TINY, "--model_dir", tmp_path)
    assert done.returncode == 0, done.stderr
