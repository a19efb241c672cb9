"""Kaggle's models: their handles, and kagglehub itself against a server that speaks as Kaggle."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hub_server import TINY_FINGERPRINT, HubServer
from run_commands import PATIENCE_S, in_namespace

from retrain.backbones.sources import kaggle
from retrain.backbones.sources.cache import fingerprint_of
from retrain.backbones.sources.kaggle import fetch_kaggle, kaggle_handle
from retrain.errors import RetrainError
from retrain.utils.logs import console

pytestmark = pytest.mark.slow

MODEL = "google/mobilenet-v2/tensorFlow2/035-128-feature-vector"
ADVICE = "get it elsewhere and give its folder"


@pytest.fixture(autouse=True)
def _console() -> Iterator[None]:
    """What is said goes to stderr, as in the commands."""
    with console():
        yield


@pytest.mark.parametrize(
    ("text", "handle"),
    [
        (MODEL, MODEL),
        (f"{MODEL}/2", f"{MODEL}/2"),
        ("google/mobilenet-v2/TensorFlow2/035-128-feature-vector/02", f"{MODEL}/2"),
        (f"https://www.kaggle.com/models/{MODEL}/2", f"{MODEL}/2"),
        (f"https://kaggle.com/models/{MODEL}/2/", f"{MODEL}/2"),
        (f"http://www.kaggle.com/models/{MODEL}?tfhub-redirect=true#x", MODEL),
        (
            "https://www.kaggle.com/models/google/mobilenet-v2/frameworks/tensorFlow2/variations/"
            "035-128-feature-vector/versions/2",
            f"{MODEL}/2",
        ),
        (
            "https://www.kaggle.com/models/google/mobilenet-v2/frameworks/TensorFlow2/variations/"
            "035-128-feature-vector",
            MODEL,
        ),
        ("google/gemma/pyTorch/2b", "google/gemma/pyTorch/2b"),
    ],
)
def test_handles_are_known_in_each_form(text: str, handle: str) -> None:
    assert kaggle_handle(text) == handle


@pytest.mark.parametrize(
    "text",
    [
        "mobilenet_v1_100_224",
        "google/mobilenet-v2",
        "photos/of/my/cats",
        "./google/mobilenet-v2/tensorFlow2/x",
        f"/{MODEL}/2",
        f"{MODEL}/2/",
        f"{MODEL}/two",
        f"{MODEL}/2/variables",
        "../../../tensorFlow2/x",
        "https://www.kaggle.com/models/google/mobilenet-v2",
        "https://www.kaggle.com/datasets/google/mobilenet-v2/tensorFlow2/x",
        f"https://example.org/models/{MODEL}/2",
    ],
)
def test_other_texts_are_no_handles(text: str) -> None:
    assert kaggle_handle(text) is None


@pytest.fixture
def hub() -> Iterator[HubServer]:
    with HubServer().running() as running:
        yield running


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> Path:
    """kagglehub's other environments are reached over this server as a proxy."""
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("KAGGLE_API_ENVIRONMENT", "LOCALHOST")
    monkeypatch.setenv("http_proxy", hub.url)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("no_proxy", "NO_PROXY", "KAGGLE_API_TOKEN", "KAGGLE_USERNAME", "KAGGLE_KEY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "cache"


def fault_of(handle: str) -> str:
    with pytest.raises(RetrainError) as fault:
        fetch_kaggle(handle, ADVICE)
    assert "\n" not in str(fault.value)
    return str(fault.value)


def test_model_is_fetched_once(
    hub: HubServer, cache: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    module = fetch_kaggle(f"{MODEL}/2", ADVICE)
    assert module == cache / "models" / MODEL / "2"
    assert fingerprint_of(module) == TINY_FINGERPRINT
    said = capfd.readouterr()
    assert said.out == ""
    assert said.err.startswith(f"Downloading {MODEL}/2 from Kaggle (once; kept in {cache}/models/")
    assert all(line.startswith("Downloading") for line in said.err.splitlines())
    asked = hub.asked("/")
    assert fetch_kaggle(f"{MODEL}/2", ADVICE) == module
    assert hub.asked("/") == asked
    assert fetch_kaggle(MODEL, ADVICE) == module  # asks which one is the newest
    assert hub.asked("/") == asked + 1


def test_what_kagglehub_has_fetched_is_found_without_it(cache: Path) -> None:
    """Also what a user fetched on another machine: kagglehub does not need to be installed."""
    command = f"import kagglehub; kagglehub.model_download('{MODEL}/2')"
    subprocess.run(
        [sys.executable, "-c", command], check=True, capture_output=True, timeout=PATIENCE_S
    )
    blocked = f"""
import sys
sys.modules["kagglehub"] = None
from retrain.backbones.sources.kaggle import fetch_kaggle
for version in ("2", "3"):
    try:
        print(fetch_kaggle("{MODEL}/" + version, "ADVICE"))
    except Exception as fault:
        print(type(fault).__name__, fault)
"""
    done = subprocess.run(
        [sys.executable, "-c", blocked], capture_output=True, text=True, timeout=PATIENCE_S
    )
    found, fault = done.stdout.splitlines()
    assert found == str(cache / "models" / MODEL / "2")
    assert fault == (
        f"RetrainError the Kaggle model {MODEL}/3 is fetched with kagglehub: "
        'pip install "retrain[kaggle]"; or ADVICE'
    )


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("403", "Kaggle forbids it (403): log in, accept the licence on https://www.kaggle.com/"),
        ("401", "Kaggle forbids it (401): log in"),
        ("404", "Kaggle has no such model (404)"),
        ("500", "Kaggle answered 500"),
        ("breaks", "the connection to Kaggle failed ("),
    ],
)
def test_refusals_are_named(answer: str, said: str, hub: HubServer, cache: Path) -> None:
    hub.kaggle = answer
    fault = fault_of(f"{MODEL}/2")
    assert fault.startswith(f"cannot download the Kaggle model {MODEL}/2: {said}")
    assert fault.endswith(f"; {ADVICE}")
    assert not (cache / "models" / MODEL / "2.complete").exists()


def test_after_a_broken_download_the_next_one_is_whole(hub: HubServer) -> None:
    hub.kaggle = "breaks"
    fault_of(f"{MODEL}/2")
    hub.kaggle = ""
    module = fetch_kaggle(f"{MODEL}/2", ADVICE)
    assert fingerprint_of(module) == TINY_FINGERPRINT


def test_a_silent_server_is_given_up(hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    size_below = kaggle._size_below

    def measure(folder: Path) -> int:  # at each look whether there is news
        if hub.asked("/api"):
            monkeypatch.setattr(kaggle, "STALL_S", 0.5)
        return size_below(folder)

    monkeypatch.setattr(kaggle, "_size_below", measure)
    hub.kaggle = "hangs"
    assert "Kaggle sent nothing for 0.5 s; " in fault_of(f"{MODEL}/2")
    assert hub.asked("/api") == 1


def test_no_network_is_found_out_soon(hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "127.0.0.1:9")
    monkeypatch.setattr(kaggle, "STALL_S", PATIENCE_S)
    assert "the proxy 127.0.0.1:9 (from the environment) cannot be" in fault_of(f"{MODEL}/2")


def test_models_for_other_frameworks_are_refused_unfetched(hub: HubServer) -> None:
    fault = fault_of("google/gemma/pyTorch/2b")
    assert fault == (
        "the Kaggle model google/gemma/pyTorch/2b is made for pyTorch: choose one for tensorFlow2"
    )
    assert hub.asked("/") == 0


def test_a_full_disk_is_named(cache: Path) -> None:
    cache.mkdir()
    fetch = f"""
from retrain.backbones.sources.kaggle import fetch_kaggle
try:
    fetch_kaggle("{MODEL}/2", "ADVICE")
except Exception as fault:
    print(type(fault).__name__, fault)
"""
    script = f'mount -t tmpfs -o size=1m,mode=700 none {cache}\n{sys.executable} -c "$FETCH"'
    done = in_namespace("-m", script, FETCH=fetch)
    if "mount:" in done.stderr:
        pytest.skip("no mount of its own")
    assert done.stdout.startswith(f"RetrainError the disk is full: could not write {cache}/models/")


def test_a_marked_but_spoilt_model_is_refused(cache: Path) -> None:
    module = fetch_kaggle(f"{MODEL}/2", ADVICE)
    (module / "saved_model.pb").unlink()
    fault = fault_of(f"{MODEL}/2")
    assert f"in {module} is no TF2 SavedModel: it holds no saved_model.pb; " in fault


def test_two_processes_make_one_download(hub: HubServer, cache: Path) -> None:
    fetch = f"""
from retrain.backbones.sources.kaggle import fetch_kaggle
print(fetch_kaggle("{MODEL}/2", "ADVICE"))
"""
    both = [
        subprocess.Popen([sys.executable, "-c", fetch], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [process.communicate(timeout=PATIENCE_S)[0] for process in both]
    assert said == [f"{cache}/models/{MODEL}/2\n"] * 2
    assert hub.asked("/kaggle/saved_model.pb") == 1
