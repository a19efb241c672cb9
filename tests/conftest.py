"""Shared fixtures: tiny trees of pictures, a run of the commands, folders kept for the session."""

import fcntl
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from hypothesis.configuration import set_hypothesis_home_dir
from PIL import Image
from run_commands import run_command

from retrain.data.digests import TICK_NS
from retrain.utils import logs, progress

# Shells start what runs in the background without Ctrl-C, and nohup without SIGHUP; the tests send
# both to what they start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

# Nothing found by chance, nothing kept: a failing property fails again, and leaves no folder here.
set_hypothesis_home_dir(Path(tempfile.gettempdir()) / "retrain-hypothesis")
settings.register_profile("retrain", deadline=None, derandomize=True, database=None)
settings.load_profile("retrain")

REPO = Path(__file__).parent.parent
SHARED = REPO.parent / "shared"
EXAMPLE_FLOWERS = REPO / "examples" / "flowers"
TINY = "mobilenet_v1_025_128"

Run = Callable[..., "subprocess.CompletedProcess[str]"]


# What a test asks for that takes seconds: whole commands, or what these leave.
WHOLE_COMMANDS = {"run", "trained"}


# Files that take longest come first, so that pytest-xdist's processes end at the same time.
LONGEST = ("whole/test_docs.py", "training/test_finetuning.py", "backbones/test_any_module.py",
           "reporting/test_report.py", "commands/test_networks.py", "training/test_simple_cnn.py",
           "backbones/test_efficientnet_lite.py", "cli/test_surroundings.py")  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks tests of whole commands as slow; files whose every test is say so themselves."""
    for item in items:
        if WHOLE_COMMANDS & set(getattr(item, "fixturenames", ())):
            item.add_marker("slow")
    places = {REPO / "tests" / name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path, len(LONGEST)))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The photos, weights and old artefacts beside the checkout; tests that need them may skip."""
    if not SHARED.is_dir():
        pytest.skip("no ../shared beside this checkout")
    return SHARED


@pytest.fixture(scope="session")
def session_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache folder for all tests, whichever process runs them, so that the example photos are
    computed once."""
    folder = for_all_workers(tmp_path_factory) / "cache"
    folder.mkdir(exist_ok=True)
    return folder


def for_all_workers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The session's temporary folder, the same in each of pytest-xdist's processes."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(autouse=True)
def _cache(session_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RETRAIN_CACHE_DIR", str(session_cache))


@pytest.fixture(autouse=True)
def _no_plain_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is said of work that takes long would depend on the machine's load."""
    monkeypatch.setattr(progress, "PLAIN_INTERVAL_S", float("inf"))
    monkeypatch.setattr(progress, "LONG_WORK_S", float("inf"))


@pytest.fixture(autouse=True)
def _nothing_said_yet() -> None:
    """Warnings that are said once are said once a test."""
    logs._said.clear()


@pytest.fixture(autouse=True, scope="session")
def _examples_untouched() -> Iterator[None]:
    """Whatever the tests did, the photos they read are as they were."""

    def state() -> dict[Path, tuple[int, int]]:
        return {
            path: (path.stat().st_size, path.stat().st_mtime_ns)
            for path in EXAMPLE_FLOWERS.rglob("*")
        }

    before = state()
    yield
    assert state() == before


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs `retrain` or `label-image` in an empty folder of its own: see commands.run_command."""

    def run_here(
        command: str, *arguments: object, cwd: Path | None = None, **more: Any
    ) -> "subprocess.CompletedProcess[str]":
        folder = cwd or tmp_path / "work"
        folder.mkdir(exist_ok=True)
        return run_command(command, *arguments, cwd=folder, **more)

    return run_here


def write_picture(path: Path, colour: tuple[int, int, int], seed: int, size: int = 40) -> None:
    """A noisy picture around one colour; the suffix says the format."""
    rng = np.random.default_rng(seed)
    pixels = np.array(colour) + rng.normal(0, 20, (size, size, 3))
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path)


COLOURS = {"red": (200, 40, 40), "green": (40, 200, 40), "blue": (40, 40, 200)}


def write_colour_tree(root: Path, photos: int = 24) -> Path:
    """Three classes that any network tells apart. File times lie in the past, as users' do."""
    for number, (name, colour) in enumerate(COLOURS.items()):
        for photo in range(photos):
            write_picture(root / name / f"{photo:03}.png", colour, 1000 * number + photo)
    age(root)
    return root


def age(root: Path) -> None:
    """Makes each file an hour old: a file changed just now is not trusted to stay as it is."""
    for path in root.rglob("*"):
        if path.is_file() and not path.is_symlink():
            then = path.stat().st_mtime - 3600
            os.utime(path, (then, then))
    time.sleep(2 * TICK_NS / 1e9)  # its time of change must lie in the past as well, by a tick


@pytest.fixture
def colour_tree(tmp_path: Path) -> Path:
    return write_colour_tree(tmp_path / "colours")


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, session_cache: Path) -> Path:
    """A folder with the outputs of one run on the example flowers with the tiny module."""
    return made_once(tmp_path_factory, "trained", lambda at: train_flowers(at, session_cache))


@pytest.fixture(scope="session")
def small_module(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A TF2 SavedModel of a few layers that can be trained, with its backbone as the bundled ones
    have it."""
    from small_networks import frozen, write_small_module

    def make(folder: Path) -> None:
        write_small_module(folder)
        frozen(folder, folder / "assets.extra")

    return made_once(tmp_path_factory, "small_module", make)


@pytest.fixture(scope="session")
def frozen_tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A --model_dir for which the SavedModel of the tiny bundled module was frozen; copy it."""
    from retrain.backbones.bundled import BUNDLED_FOLDER
    from retrain.backbones.freeze.input_config import InputConfig
    from retrain.backbones.sources.resolve import resolve

    def make(folder: Path) -> None:
        resolve(str(BUNDLED_FOLDER / TINY), InputConfig(), folder)

    return made_once(tmp_path_factory, "frozen_tiny", make)


@pytest.fixture(scope="session")
def flower_photos(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every third of the thousand real photos."""

    def make(folder: Path) -> None:
        for photo in sorted((shared / "data" / "flower_photos").glob("*/*.jpg"))[::3]:
            (folder / photo.parent.name).mkdir(exist_ok=True)
            shutil.copyfile(photo, folder / photo.parent.name / photo.name)
        age(folder)

    return made_once(tmp_path_factory, "flower_photos", make)


def made_once(
    tmp_path_factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]
) -> Path:
    """A folder that all processes read: whichever asks first makes it, and nobody changes it."""
    folder = for_all_workers(tmp_path_factory) / name
    made = folder.with_suffix(".made")
    with open(folder.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            folder.mkdir(exist_ok=True)
            make(folder)
            made.touch()
    return folder


def train_flowers(folder: Path, cache: Path) -> None:
    from retrain.commands.train import train
    from retrain.config import TrainConfig

    config = TrainConfig.from_flat(
        image_dir=str(EXAMPLE_FLOWERS),
        tfhub_module=TINY,
        bottleneck_dir=cache / "bottlenecks",
        how_many_training_steps=500,
        output_graph=folder / "output_graph.pb",
        output_labels=folder / "output_labels.txt",
        summaries_dir=folder / "retrain_logs",
        intermediate_output_graphs_dir=folder / "intermediate_graph",
    )
    train(config)


FEW_STEPS = 1000


@pytest.fixture
def few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands that do not say how many steps take fewer: that they run is tested, not how well."""
    from retrain.cli.compare_heads import command as compare_heads
    from retrain.cli.modules import compare_command
    from retrain.cli.train import retrain

    for command in (retrain, compare_heads, compare_command):
        (option,) = (one for one in command.params if one.name == "how_many_training_steps")
        monkeypatch.setattr(option, "default", FEW_STEPS)
