"""Downloading a file: what servers, proxies, networks and disks do to it."""

import gzip
import os
import re
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hub_server import HubServer
from run_commands import in_namespace

from retrain.errors import RetrainError
from retrain.utils import download as download_module
from retrain.utils import progress
from retrain.utils.download import download
from retrain.utils.logs import console

pytestmark = pytest.mark.slow

SOON_S = 5 * download_module.CONNECT_S  # the system would wait minutes; machines are loaded
ADVICE = "get it elsewhere and give its folder"


@pytest.fixture(autouse=True)
def _console() -> Iterator[None]:
    """What is said goes to stderr, as in the commands."""
    with console():
        yield


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download_module, "BODY_PAUSES_S", (0.01, 0.01, 0.01))
    monkeypatch.setattr(download_module, "RETRIES", download_module.RETRIES.new(backoff_factor=0.0))


@pytest.fixture
def hub() -> Iterator[HubServer]:
    with HubServer().running() as running:
        yield running


def fault_of(url: str, target: Path) -> str:
    """The one line of a download that is refused; nothing is left behind."""
    with pytest.raises(RetrainError) as fault:
        download(url, target, ADVICE)
    assert str(fault.value).endswith(f"; {ADVICE}") and "\n" not in str(fault.value)
    assert not target.parent.exists() or not list(target.parent.iterdir())
    return str(fault.value).removesuffix(f"; {ADVICE}")


def test_file_arrives_whole(hub: HubServer, tmp_path: Path) -> None:
    target = tmp_path / "new" / "module.tar.gz"
    download(f"{hub.url}/module.tar.gz", target, ADVICE)
    assert target.read_bytes() == hub.module
    assert os.listdir(target.parent) == ["module.tar.gz"]
    assert hub.asked("/") == 1
    assert re.match(r"retrain/\d", hub.requests[0][1]["User-Agent"])


def test_redirects_are_followed(hub: HubServer, tmp_path: Path) -> None:
    download(f"{hub.url}/hub/m/1?tf-hub-format=compressed", tmp_path / "m", ADVICE)
    assert (tmp_path / "m").read_bytes() == hub.module
    assert "Exceeded 30 redirects" in fault_of(f"{hub.url}/loop", tmp_path / "new" / "m")


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip"])
def test_gzip_encoding_is_not_undone(encoding: str, hub: HubServer, tmp_path: Path) -> None:
    """Apache declares `.tar.gz` files so, and would have them stored unpacked."""
    hub.files["m.tar.gz"] = gzip.compress(b"the tar inside" * 100)
    hub.headers["m.tar.gz"] = {"Content_Encoding": encoding, "Content_Type": "application/x-tar"}
    download(f"{hub.url}/files/m.tar.gz", tmp_path / "m", ADVICE)
    assert (tmp_path / "m").read_bytes() == hub.files["m.tar.gz"]
    assert hub.requests[0][1]["Accept-Encoding"] == "identity"


def test_an_overloaded_server_gets_time(hub: HubServer, tmp_path: Path) -> None:
    download(f"{hub.url}/twice/503", tmp_path / "m", ADVICE)
    assert (tmp_path / "m").read_bytes() == hub.module
    assert hub.asked("/twice") == 3
    fault = fault_of(f"{hub.url}/status/503", tmp_path / "new" / "m")
    assert fault.endswith("/status/503: the server answered 503 Service Unavailable")
    assert hub.asked("/status") == 5


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (404, "the server has no such file (404)"),
        (403, "the server forbids it (403)"),
        (401, "the server answered 401 Unauthorized"),
        (418, "the server answered 418 I'm a Teapot"),
    ],
)
def test_refusals_are_named_at_once(status: int, said: str, hub: HubServer, tmp_path: Path) -> None:
    fault = fault_of(f"{hub.url}/status/{status}", tmp_path / "new" / "m")
    assert fault == f"cannot download {hub.url}/status/{status}: {said}"
    assert hub.asked("/") == 1


@pytest.mark.parametrize("path", ["page", "page-as-gzip", "hub/m/1"])
def test_a_web_page_is_no_file(path: str, hub: HubServer, tmp_path: Path) -> None:
    fault = fault_of(f"{hub.url}/{path}", tmp_path / "new" / "m")
    assert "the server sent a web page in place of a file" in fault


def test_an_empty_answer_is_no_file(hub: HubServer, tmp_path: Path) -> None:
    hub.files["m"] = b""
    assert "the server sent an empty file" in fault_of(f"{hub.url}/files/m", tmp_path / "new" / "m")


@pytest.mark.parametrize("path", ["breaks", "resumes"])
def test_a_broken_off_body_is_tried_again(
    path: str, hub: HubServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    download(f"{hub.url}/{path}", tmp_path / "m", ADVICE)
    assert (tmp_path / "m").read_bytes() == hub.module
    assert hub.asked("/") == 3
    asked = [headers.get("Range") for _, headers in hub.requests]
    thirds = [len(hub.module) // 3, 2 * len(hub.module) // 3]
    assert asked == [None, f"bytes={thirds[0]}-", f"bytes={thirds[1]}-"]
    assert capsys.readouterr().err.count("The download broke off after ") == 2


def test_a_body_that_never_ends_is_given_up(hub: HubServer, tmp_path: Path) -> None:
    fault = fault_of(f"{hub.url}/breaks-always", tmp_path / "new" / "m")
    assert "/breaks-always: it broke off 4 times (" in fault
    assert hub.asked("/") == 4


@pytest.mark.parametrize(("path", "tries"), [("hangs", 2), ("stalls", 4)])
def test_a_silent_server_is_given_up(
    path: str, tries: int, hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download_module, "READ_S", 0.2)
    assert "timed out" in fault_of(f"{hub.url}/{path}", tmp_path / "new" / "m").lower()
    assert hub.asked("/") == tries


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("module.tar.gz", r"Downloading module.tar.gz: (\d+) of \1 kB, \d+/s, took \d+\.\d s\n"),
        ("unsized", r"Downloading unsized: (\d+) kB, \d+/s, took \d+\.\d s\n"),
    ],
)
def test_progress_is_shown(
    path: str,
    said: str,
    hub: HubServer,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(progress, "LONG_WORK_S", 0.0)
    download(f"{hub.url}/{path}", tmp_path / "m", ADVICE)
    line = re.fullmatch(said, capsys.readouterr().err)
    assert line and int(line[1]) == len(hub.module) // 1000


def timed_fault_of(url: str, target: Path) -> str:
    start = time.monotonic()
    fault = fault_of(url, target)
    assert time.monotonic() - start < SOON_S
    return fault


def closed_port() -> int:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return int(unused.getsockname()[1])


def test_no_network_is_found_out_soon(tmp_path: Path) -> None:
    target, port = tmp_path / "new" / "m", closed_port()
    fault = timed_fault_of("http://module.invalid/m", target)
    assert fault.endswith("the name of module.invalid:80 is not known: is this machine online?")
    fault = timed_fault_of(f"http://user:secret@127.0.0.1:{port}/m", target)
    expected = f"127.0.0.1:{port} cannot be reached: Connection refused"
    assert fault == f"cannot download http://127.0.0.1:{port}/m: {expected}"


def test_a_host_that_swallows_connections_is_given_up_soon(tmp_path: Path) -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        port = deaf.getsockname()[1]
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:  # more than the queue holds: the next are dropped without an answer
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
        fault = timed_fault_of(f"http://127.0.0.1:{port}/m", tmp_path / "new" / "m")
        for one in waiting:
            one.close()
    assert f"127.0.0.1:{port} did not answer within 3 s" in fault


DOWNLOAD = """
import sys, time
from pathlib import Path
from retrain.utils.download import download
from retrain.utils import progress
start = time.monotonic()
try:
    download(sys.argv[1], Path(sys.argv[2]), "ADVICE")
except Exception as fault:
    print(type(fault).__name__, fault)
print(time.monotonic() - start)
"""


def test_a_deaf_name_server_is_given_up_soon(tmp_path: Path) -> None:
    (tmp_path / "resolv.conf").write_text("nameserver 127.0.0.1\noptions timeout:30\n")
    deaf = """
import socket, subprocess, sys
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.1", 53))
subprocess.run([sys.executable, "-c", *sys.argv[1:]], check=True)
"""
    script = f"""
ip link set lo up
mount --bind {tmp_path}/resolv.conf /etc/resolv.conf
time {sys.executable} -c "$DEAF" "$DOWNLOAD" http://module.example.org/m {tmp_path}/m
"""
    done = in_namespace("-mn", script, DEAF=deaf, DOWNLOAD=DOWNLOAD, TIMEFORMAT="%R")
    if "mount:" in done.stderr or "ip:" in done.stderr:
        pytest.skip("no mount or network of its own")
    said, seconds = done.stdout.splitlines()
    assert said.startswith("NoNetwork cannot download http://module.example.org/m: ")
    assert "did not answer within 3 s" in said and said.endswith("; ADVICE")
    assert float(seconds) < SOON_S
    assert (
        float(done.stderr.splitlines()[-1]) < 2 * SOON_S
    )  # nor does the process's end wait for it


def test_a_full_disk_is_named(hub: HubServer, tmp_path: Path) -> None:
    (tmp_path / "small").mkdir()
    script = f"""
mount -t tmpfs -o size=1m none {tmp_path}/small
{sys.executable} -c "$DOWNLOAD" {hub.url}/module.tar.gz {tmp_path}/small/m
ls -A {tmp_path}/small
"""
    done = in_namespace("-m", script, DOWNLOAD=DOWNLOAD)
    if "mount:" in done.stderr:
        pytest.skip("no mount of its own")
    said, _, *left = done.stdout.splitlines()
    assert said.startswith(f"RetrainError the disk is full: could not write {tmp_path}/small/m;")
    assert left == []


def test_a_proxy_is_used(hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", hub.url)
    download("http://module.invalid/module.tar.gz", tmp_path / "m", ADVICE)
    assert (tmp_path / "m").read_bytes() == hub.module
    assert hub.requests[0][1]["Host"] == "module.invalid"


def test_a_dead_proxy_is_named_soon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    port = closed_port()
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, f"127.0.0.1:{port}")
    for scheme in ("http", "https"):
        fault = timed_fault_of(f"{scheme}://tfhub.dev/m/1", tmp_path / "new" / "m")
        assert f"the proxy 127.0.0.1:{port} (from the environment) cannot be reached" in fault


def test_a_redirect_to_nowhere_names_the_host(hub: HubServer, tmp_path: Path) -> None:
    hub.redirect = f"http://127.0.0.1:{closed_port()}/m"
    fault = fault_of(f"{hub.url}/moved", tmp_path / "new" / "m")
    assert fault == f"cannot download {hub.url}/moved: 127.0.0.1: Connection refused"


def test_a_certificate_nobody_vouches_for_is_named(hub: HubServer, tmp_path: Path) -> None:
    fault = fault_of(hub.url.replace("http:", "https:") + "/m", tmp_path / "new" / "m")
    assert "127.0.0.1: " in fault and "SSL" in fault


@pytest.mark.parametrize("url", ["http:///m", "http://host:99999/m", "http://[host/m"])
def test_what_is_no_url_is_refused(url: str, tmp_path: Path) -> None:
    fault = fault_of(url, tmp_path / "new" / "m")
    assert fault == f"cannot download {url}: this is no URL that can be fetched"


def test_a_place_that_cannot_be_written_is_named(hub: HubServer) -> None:
    with pytest.raises(RetrainError, match=r"^cannot write /proc/no/m: "):
        download(f"{hub.url}/module.tar.gz", Path("/proc/no/m"), ADVICE)
