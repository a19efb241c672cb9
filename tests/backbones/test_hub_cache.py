"""TensorFlow Hub's protocol and folder of modules, shared with tensorflow_hub itself."""

import hashlib
import io
import os
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hub_server import TINY_FINGERPRINT, HubServer, module_archive
from run_commands import PATIENCE_S

from retrain.backbones.sources.cache import fingerprint_of
from retrain.backbones.sources.tfhub import cached_module, fetch_module, hub_cache_folder
from retrain.errors import RetrainError
from retrain.utils.logs import console

pytestmark = pytest.mark.slow

ADVICE = "get it elsewhere and give its folder"


@pytest.fixture
def hub() -> Iterator[HubServer]:
    with HubServer().running() as running:
        yield running


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path / "hub"))
    return tmp_path / "hub"


def folder_of(cache: Path, url: str) -> Path:
    return cache / hashlib.sha1(url.encode()).hexdigest()


def test_module_is_fetched_once(hub: HubServer, cache: Path) -> None:
    url = f"{hub.url}/hub/google/m/1"
    assert cached_module(url) is None
    module = fetch_module(url, ADVICE)
    assert module == folder_of(cache, url) == cached_module(url)
    assert fingerprint_of(module) == TINY_FINGERPRINT
    visible = {name for name in os.listdir(cache) if not name.startswith(".")}
    assert visible == {module.name}
    assert fetch_module(url, ADVICE) == module
    assert hub.asked("/hub") == hub.asked("/module.tar.gz") == 1


@pytest.mark.parametrize("query", ["?a=1", "#part", "?a=1#part"])
def test_queries_are_kept(query: str, hub: HubServer) -> None:
    assert fetch_module(f"{hub.url}/hub/m/1{query}", ADVICE).is_dir()


def test_any_url_of_an_archive_will_do(hub: HubServer, cache: Path) -> None:
    hub.files["m.tgz"] = module_archive(top="mobilenet/1")
    url = f"{hub.url}/files/m.tgz"
    module = fetch_module(url, ADVICE)
    assert module == folder_of(cache, url) / "mobilenet" / "1" == cached_module(url)
    assert fingerprint_of(module) == TINY_FINGERPRINT


def test_default_folder_is_the_users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("TFHUB_CACHE_DIR")
    monkeypatch.setenv("RETRAIN_CACHE_DIR", str(tmp_path))
    assert hub_cache_folder() == tmp_path / "tfhub_modules"


def evil() -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        tar.addfile(tarfile.TarInfo("../../evil"))
    return packed.getvalue()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (evil, "holds '../../evil', which lies outside of its folder"),
        (lambda: module_archive()[:-1000], "damaged or cut off ("),
        (lambda: module_archive(leave_out="saved_model"), "it holds no saved_model.pb; " + ADVICE),
        (lambda: b"<html>", "the server sent a web page in place of a file; " + ADVICE),
    ],
)
def test_what_is_no_module_is_refused_and_not_kept(
    content: Callable[[], bytes], said: str, hub: HubServer, cache: Path
) -> None:
    hub.files["m.tar.gz"] = content()
    url = f"{hub.url}/files/m.tar.gz"
    with pytest.raises(RetrainError) as fault:
        fetch_module(url, ADVICE)
    assert said in str(fault.value) and "\n" not in str(fault.value)
    assert cached_module(url) is None
    assert [name for name in os.listdir(cache) if not name.endswith("-lock")] == []


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize(
    ("spoil", "lack"),
    [
        (lambda m: (m / "saved_model.pb").unlink(), "it holds no saved_model.pb"),
        (lambda m: cut(m / "saved_model.pb"), "saved_model.pb is not what was written"),
        (
            lambda m: (m / "variables/variables.index").unlink(),
            "variables.index: No such file or directory",
        ),
        (
            lambda m: os.truncate(m / "variables/variables.data-00000-of-00001", 1_915_881),
            "variables/variables.data-00000-of-00001 is not what was written",
        ),
    ],
)
def test_a_half_written_folder_is_kept_aside_and_fetched_again(
    spoil: Callable[[Path], object], lack: str, hub: HubServer, cache: Path
) -> None:
    url = f"{hub.url}/hub/m/1"
    module = fetch_module(url, ADVICE)
    spoil(module)
    left = {path.name: path.stat().st_size for path in module.rglob("*") if path.is_file()}
    assert cached_module(url) is None
    with console() as messages:
        assert fetch_module(url, ADVICE) == module
    assert fingerprint_of(module) == TINY_FINGERPRINT
    assert messages.warnings == [f"{module} is half-written ({lack}): fetching {url} again"]
    aside = cache / f"{module.name}.half-written-1"
    assert {p.name: p.stat().st_size for p in aside.rglob("*") if p.is_file()} == left


def test_a_half_written_folder_stays_where_nothing_can_be_fetched(
    hub: HubServer, cache: Path
) -> None:
    url = f"{hub.url}/status/404"
    folder_of(cache, url).mkdir(parents=True)
    (folder_of(cache, url) / "half").write_bytes(b"half")
    with pytest.raises(RetrainError, match="no such file"):
        fetch_module(url, ADVICE)
    assert (folder_of(cache, url) / "half").read_bytes() == b"half"


FETCH = """
import sys
from retrain.backbones.sources.tfhub import fetch_module
from retrain.utils.logs import console
with console():
    print(fetch_module(sys.argv[1], "ADVICE"))
"""


def start_fetch(url: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", FETCH, url],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_until(true: Callable[[], bool], working: "subprocess.Popen[str]") -> None:
    """Returns when it is true, as it will be while the process is at work."""
    while not true():
        assert working.poll() is None, "it ended before that"
        time.sleep(0.01)


def unfinished(cache: Path) -> list[Path]:
    """What a process that downloads has there meanwhile."""
    return list(cache.glob("*.tmp"))


def test_two_processes_make_one_download(hub: HubServer, cache: Path) -> None:
    url = f"{hub.url}/slow"
    first = start_fetch(url)
    wait_until(lambda: hub.asked("/slow") > 0, first)
    second = start_fetch(url)
    assert second.stderr is not None
    waiting = f"Waiting for another process that downloads {url}"
    assert any(waiting in line for line in second.stderr)
    hub.going.set()
    said = [process.communicate(timeout=PATIENCE_S) for process in (first, second)]
    assert [out for out, _ in said] == [f"{folder_of(cache, url)}\n"] * 2
    assert hub.asked("/slow") == 1
    assert waiting not in said[0][1]


def test_after_a_killed_process_the_next_one_fetches(hub: HubServer, cache: Path) -> None:
    url = f"{hub.url}/stalls"
    killed = start_fetch(url)
    wait_until(lambda: bool(unfinished(cache)), killed)
    assert not folder_of(cache, url).exists()
    killed.kill()
    killed.communicate()
    assert len(unfinished(cache)) == 1 and cached_module(url) is None
    hub.stalling = False
    assert fetch_module(url, ADVICE) == folder_of(cache, url) == cached_module(url)


def test_a_cache_that_cannot_be_written_is_named(
    hub: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TFHUB_CACHE_DIR", "/proc/no")
    with pytest.raises(RetrainError, match="^TFHUB_CACHE_DIR: cannot write into /proc/no: "):
        fetch_module(f"{hub.url}/hub/m/1", ADVICE)
    assert hub.asked("/") == 0


def test_modules_are_shared_with_tensorflow_hub(cache: Path) -> None:
    import tensorflow_hub

    with HubServer().running() as hub:
        ours, theirs, odd = (f"{hub.url}/hub/{name}" for name in ("ours", "theirs", "odd?b=2"))
        fetched = fetch_module(ours, ADVICE)
        asked = hub.asked("/hub/ours")
        by_hub = [tensorflow_hub.resolve(url) for url in (ours, theirs, odd)]
        assert hub.asked("/hub/ours") == asked
    found = [str(cached_module(url)) for url in (ours, theirs, odd)]
    assert found == by_hub
    assert found[0] == str(fetched)
    assert fingerprint_of(Path(found[1])) == TINY_FINGERPRINT
