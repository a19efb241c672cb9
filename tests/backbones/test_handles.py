"""Passwords and tokens in a module's URL: used to fetch it, and nowhere else."""

import copy
import json
import os
import pickle
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import Run
from hub_server import HubServer, module_archive

from retrain.backbones.sources.cache import FrozenStore
from retrain.config import TrainConfig
from retrain.errors import RetrainError
from retrain.utils.handles import (
    Handle,
    lacks_secret,
    masked,
    whole,
    without_secrets,
)

SECRET, PASSWORD = "s3cr3tT0ken", "hunter2pass"
MASKED = {
    "https://host/m.tar.gz": "https://host/m.tar.gz",
    f"https://u:{PASSWORD}@host/m": "https://host/m",
    f"https://{SECRET}@host/m": "https://host/m",
    f"HTTPS://u:{PASSWORD}@host:8080/m": "HTTPS://host:8080/m",
    f"https://u:p@{PASSWORD}@host/m": "https://host/m",
    f"https://u:a/{PASSWORD}@host/m": "https://host/m",
    f"https://u:a?{PASSWORD}@host/m": "https://host/m",
    f"https://u:a#{PASSWORD}@host/m": "https://host/m",
    f"https://[::1]:80/m?sig={SECRET}": "https://[::1]:80/m?...",
    f"https://host/m?token={SECRET}": "https://host/m?...",
    f"https://host/m?{SECRET}": "https://host/m?...",
    f"https://host/m?v=1&X-Amz-Signature={SECRET}&X-Amz-Credential=x": "https://host/m?...",
    f"https://host/m?se=2026&sig={SECRET}%3D": "https://host/m?...",
    f"https://host?key={SECRET}": "https://host?...",
    f"https://host/m#token={SECRET}": "https://host/m",
    f"https://u:{PASSWORD}@host/m?a={SECRET}#b={SECRET}": "https://host/m?...",
    f"s3://key:{SECRET}@bucket/m": "s3://bucket/m",
    f"ftp://u:{PASSWORD}@host/m": "ftp://host/m",
    "https://tfhub.dev/g/m/1?tf-hub-format=compressed":
        "https://tfhub.dev/g/m/1?tf-hub-format=compressed",
    "https://host/m?raw=true&v=3": "https://host/m?raw=true&v=3",
    "https://host/@scope/m@1.0": "https://host/@scope/m@1.0",
    "mobilenet_v1_025_128": "mobilenet_v1_025_128",
    "google/m/tensorFlow2/v/1": "google/m/tensorFlow2/v/1",
    "C:\\me@home\\module": "C:\\me@home\\module",
    "./a:b@c/?x": "./a:b@c/?x",
}  # fmt: skip


@pytest.mark.parametrize(("given", "shown"), MASKED.items(), ids=lambda text: text[:40])
def test_a_handle_shows_no_secret_and_keeps_it(given: str, shown: str) -> None:
    handle = Handle(given)
    assert handle == shown == masked(shown) == masked(given) and whole(handle) == given
    assert SECRET not in repr(handle) and PASSWORD not in f"{handle}" + json.dumps(handle)
    for again in (Handle(handle), copy.deepcopy(handle), pickle.loads(pickle.dumps(handle))):
        assert again == shown and whole(again) == given
    assert lacks_secret(shown) == shown.endswith("?...")


def test_settings_mask_it_where_they_are_made() -> None:
    url = f"https://u:{PASSWORD}@host/m?token={SECRET}"
    config = TrainConfig.from_flat("photos", tfhub_module=url)
    for each in (config, replace(config, extract=replace(config.extract, precision="bf16"))):
        assert whole(each.extract.tfhub_module) == url
        assert each.flat()["tfhub_module"] == "https://host/m?..."
        assert SECRET not in repr(each) and PASSWORD not in repr(each)


def test_what_libraries_say_is_cleaned() -> None:
    said = f"failed: https://u:{PASSWORD}@h/x?a={SECRET} (Max retries with url: /x/m?sig={SECRET})"
    assert without_secrets(said).startswith("failed: https://h/x?... (Max")
    assert SECRET not in without_secrets(said) and "what? this" in without_secrets("what? this")


def test_what_is_shown_finds_what_was_fetched_unless_two_look_alike(tmp_path: Path) -> None:
    store = FrozenStore(tmp_path)
    first, second = (Handle(f"https://host/m?token={SECRET}{n}") for n in (1, 2))
    store.remember(first, "a" * 32, tmp_path)
    found = store.recall(str(first))
    assert found is not None and found.fingerprint == "a" * 32
    store.remember(second, "b" * 32, tmp_path)
    for handle, fingerprint in ((first, "a" * 32), (second, "b" * 32), (str(first), "")):
        found = store.recall(handle)
        assert found is not None and found.fingerprint == fingerprint


@pytest.fixture
def hub() -> Iterator[HubServer]:
    with HubServer().running() as running:
        yield running


def contents(*folders: Path) -> Iterator[tuple[str, bytes]]:
    for folder in folders:
        for root, _, names in os.walk(folder):
            for name in names:
                yield os.path.join(root, name), Path(root, name).read_bytes()


def test_no_byte_of_a_run_holds_a_secret(
    hub: HubServer,
    small_module: Path,
    tmp_path: Path,
    colour_tree: Path,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hub.module = module_archive(root=small_module)
    monkeypatch.setenv("RETRAIN_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path / "hub"))
    host = hub.url.removeprefix("http://")
    url = f"http://u:{PASSWORD}@{host}/module.tar.gz?X-Amz-Signature={SECRET}"
    quick = ["--how_many_training_steps", "5", "--image_dir", colour_tree]
    done = run("retrain", *quick, "--tfhub_module", url, "--debug")
    assert done.returncode == 0, done.stderr
    assert [h["Authorization"][:6] for _, h in hub.requests] == ["Basic "]
    again = run(
        "retrain", "--config", tmp_path / "work" / "run.json", "--how_many_training_steps", "6"
    )
    assert again.returncode == 0 and hub.asked("/") == 1  # known by what is shown
    fetched = run("retrain", "modules", "fetch", url)
    assert fetched.returncode == 0 and hub.asked("/") == 1
    failed = [
        run("retrain", *quick, "--tfhub_module", wrong, "--debug", "--model_dir", tmp_path / "m")
        for wrong in (
            url.replace("/module.tar.gz", "/status/404"), url.replace("/module.tar.gz", "/loop"),
            url.replace("/module.tar.gz", "/page"), url.replace("http:", "ftp:"),
            url.replace(host, "127.0.0.1:1"), url.replace(host, "127.0.0.1:x"),
            f"u:{PASSWORD}@{host}/module.tar.gz?X={SECRET}",
            "http://host/m?...",
        )
    ]  # fmt: skip
    for fault in failed:
        assert fault.returncode in (1, 2) and "internal error" not in fault.stderr
    assert "give the whole URL" in failed[-1].stderr
    for each in (done, again, fetched, *failed):
        for secret in (SECRET, PASSWORD):
            assert secret not in each.stdout + each.stderr
    looked_at = list(contents(tmp_path))
    assert len(looked_at) > 20
    for path, content in looked_at:
        assert SECRET.encode() not in content and PASSWORD.encode() not in content, path
        assert SECRET not in path and PASSWORD not in path
    assert json.loads((tmp_path / "work" / "run.json").read_text())["settings"]["tfhub_module"][
        "value"
    ] == (f"http://{host}/module.tar.gz?...")


def test_a_masked_url_that_is_not_kept_is_refused_at_once(tmp_path: Path) -> None:
    from retrain.backbones.freeze.input_config import InputConfig
    from retrain.backbones.sources.resolve import resolve

    for handle in ("https://host.invalid/m?...", "http://host.invalid?..."):
        with pytest.raises(RetrainError, match="give the whole URL to --tfhub_module"):
            resolve(handle, InputConfig(), tmp_path)
