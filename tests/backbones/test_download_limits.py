"""Downloads end: when too little comes, when too much does; where they are sent on is said."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hub_server import HubServer

from retrain.errors import RetrainError
from retrain.utils import download as download_module
from retrain.utils.archive import MODULE, Limits
from retrain.utils.download import download
from retrain.utils.logs import console

pytestmark = pytest.mark.slow

PASSWORD = "hunter2pass"


@pytest.fixture(autouse=True)
def _console() -> Iterator[None]:
    """What is said goes to stderr, as in the commands."""
    with console():
        yield


@pytest.fixture
def hub() -> Iterator[HubServer]:
    with HubServer().running() as running:
        yield running


def fault_of(url: str, folder: Path, limits: Limits = MODULE) -> str:
    with pytest.raises(RetrainError) as fault:
        download(url, folder / "m", "get it elsewhere", limits=limits)
    assert not folder.exists() or not list(folder.iterdir())
    return str(fault.value)


@pytest.mark.parametrize(("path", "what"), [
    ("drips", "less than 64 kB came within 0.5 s"), ("drips-head", "no answer came within 0.5 s"),
])  # fmt: skip
def test_a_byte_now_and_then_is_no_download(
    path: str, what: str, hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download_module, "STALL_S", 0.5)
    start = time.monotonic()
    assert what in fault_of(f"{hub.url}/{path}", tmp_path / "new")
    assert time.monotonic() - start < 20


def test_a_body_without_an_end_is_refused(hub: HubServer, tmp_path: Path) -> None:
    assert "larger than 16 GB" in fault_of(f"{hub.url}/endless", tmp_path / "new")  # it says so
    small = replace(MODULE, packed=1 << 19)
    assert len(hub.module) > small.packed
    assert "it is larger than" in fault_of(f"{hub.url}/unsized", tmp_path / "new", small)


def test_what_the_disk_cannot_hold_is_not_begun(hub: HubServer, tmp_path: Path) -> None:
    endless = replace(MODULE, packed=1 << 62)
    assert "the disk is full" in fault_of(f"{hub.url}/endless", tmp_path / "new", endless)


def test_another_host_is_said_and_gets_no_password(
    hub: HubServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with HubServer().running() as other:
        port = other.url.rpartition(":")[2]
        hub.redirect = f"http://localhost:{port}/module.tar.gz"
        url = hub.url.replace("http://", f"http://u:{PASSWORD}@")
        download(f"{url}/moved?token=s3cr3t", tmp_path / "m", "")
        assert (tmp_path / "m").read_bytes() == other.module
        assert "Authorization" in hub.requests[0][1]
        (_, headers), *_ = other.requests
    assert not {"Authorization", "Referer", "Cookie"} & set(headers)
    said = capsys.readouterr().err
    assert "127.0.0.1 sends the download on to http://localhost" in said
    assert PASSWORD not in said and "s3cr3t" not in said


def test_the_same_host_is_not_said(
    hub: HubServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hub.redirect = "/module.tar.gz"
    download(f"{hub.url}/moved", tmp_path / "m", "")
    assert "sends the download" not in capsys.readouterr().err
