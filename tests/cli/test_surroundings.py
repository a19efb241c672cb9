"""Odd places to start from: closed streams, no home, no temporary folder, few threads and files."""

import logging
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
from conftest import EXAMPLE_FLOWERS, TINY, Run, write_colour_tree
from run_commands import start_of

from retrain.cli.surroundings import THREADS, check_threads
from retrain.errors import RetrainError
from retrain.features.matrix import RowsOnDemand
from retrain.features.store import BottleneckStore, StoreIdentity
from retrain.utils.files import home_expanded, run_folder, user_cache_dir
from retrain.utils.logs import console
from retrain.utils.progress import progress

pytestmark = pytest.mark.slow

PHOTO = next((EXAMPLE_FLOWERS / "daisy").glob("*.jpg"))
SHORT = ("--tfhub_module", TINY, "--how_many_training_steps", 20, "--no-report",
         "--summaries_dir", "")  # fmt: skip
CLOSED = {"stdin": "<&-", "stdout": ">&-", "stderr": "2>&-", "all": "<&- >&- 2>&-"}
Shell = Callable[..., "subprocess.CompletedProcess[str]"]

COMMANDS = (
    ("label-image", "--graph", "GRAPH", PHOTO),
    ("retrain", "inspect", "GRAPH"),
    ("retrain", "modules", "list"),
    ("retrain", "--help"),
)


def named(command: tuple[object, ...]) -> str:
    return str(command[0]) if len(command) > 3 else str(command[1])


@pytest.fixture
def shell(tmp_path: Path, trained: Path) -> Shell:
    """Runs `command` by a shell, as `before; command after`; GRAPH is a trained graph."""

    def run_in_shell(
        command: tuple[object, ...], after: str = "", before: str = ":", **more: str
    ) -> "subprocess.CompletedProcess[str]":
        graph = str(trained / "output_graph.pb")
        words = [graph if word == "GRAPH" else str(word) for word in command[1:]]
        start = [*start_of(str(command[0])), *words]
        line = f'{before}; exec "$@" {after}'
        return subprocess.run(
            ["bash", "-c", line, "bash", *start], cwd=tmp_path, capture_output=True, text=True,
            timeout=300, env={**os.environ, **more},
        )  # fmt: skip

    return run_in_shell


def one_line(said: str) -> str:
    assert said.count("\n") <= 1 and "internal error" not in said and "Traceback" not in said, said
    return said


@pytest.mark.parametrize("stream", CLOSED)
@pytest.mark.parametrize("command", COMMANDS[:2], ids=named)
def test_closed_streams(command: tuple[object, ...], stream: str, shell: Shell) -> None:
    done = shell(command, CLOSED[stream])
    nobody = command[0] == "label-image" and stream in ("stdout", "all")
    assert done.returncode == (1 if nobody else 0), done.stderr
    if nobody and stream == "stdout":
        assert "name a file with --output" in one_line(done.stderr)


def test_training_and_audit_with_closed_streams(shell: Shell, tmp_path: Path) -> None:
    tree = write_colour_tree(tmp_path / "colours", 4)
    train = shell(("retrain", "--image_dir", tree, *SHORT), CLOSED["all"])
    audit = shell(("retrain", "audit", "--image_dir", tree, "--tfhub_module", TINY), CLOSED["all"])
    assert (train.returncode, audit.returncode) == (0, 0)
    assert (tmp_path / "output_graph.pb").is_file() and (tmp_path / "audit.csv").is_file()


@pytest.mark.parametrize("command", COMMANDS, ids=named)
def test_a_full_disk_behind_stdout(command: tuple[object, ...], shell: Shell) -> None:
    done = shell(command, ">/dev/full")
    assert done.returncode == 1
    assert "standard output: No space left on device" in one_line(done.stderr)


@pytest.mark.parametrize("command", COMMANDS, ids=named)
def test_a_full_disk_behind_stderr(command: tuple[object, ...], shell: Shell) -> None:
    assert shell(command, "2>/dev/full").returncode == 0


def test_a_full_disk_behind_stderr_of_what_fails(shell: Shell) -> None:
    failing = shell(("label-image", "--graph", "GRAPH", "none.jpg"), "2>/dev/full")
    assert failing.returncode == 1


@pytest.mark.parametrize("command", COMMANDS, ids=named)
def test_a_deleted_folder(command: tuple[object, ...], shell: Shell) -> None:
    done = shell(command, before="mkdir gone; cd gone; rmdir ../gone")
    assert done.returncode == 1
    assert "cd to another one" in one_line(done.stderr)


def test_talk_without_stderr(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr(sys, "stderr", None)
    with console():
        logging.getLogger("retrain").info("nobody gets this")
        with progress("Working", 3, "steps") as meter:
            meter.advance()
    assert capsys.readouterr().out == ""


def as_nobody(shell: Shell, command: tuple[object, ...], before: str = ":") -> tuple[int, str]:
    """Runs it as a user that no file knows, without a home folder."""
    if os.getuid() != 0:
        pytest.skip("only root can become a user that does not exist")
    user = "setpriv --reuid 54321 --regid 54321 --clear-groups"
    if subprocess.run([*user.split(), sys.executable, "-c", ""], capture_output=True).returncode:
        pytest.skip("another user cannot run this Python")
    before = f'unset HOME RETRAIN_CACHE_DIR XDG_CACHE_HOME; {before}; set -- {user} "$@"'
    done = shell(command, before=before)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def opened(tmp_path: Path) -> Path:
    """A folder that everybody may write into, and reach."""
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == os.getuid() and folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o005)
    (tmp_path / "temporary").mkdir()
    for folder in (tmp_path, tmp_path / "temporary"):
        folder.chmod(0o777)
    return tmp_path


@pytest.mark.parametrize(
    "command",
    [
        ("label-image", PHOTO),
        ("retrain", "modules", "list"),
        ("retrain", "audit", "--image_dir", "colours", "--tfhub_module", TINY),
        ("retrain", "--image_dir", "colours", *SHORT),
    ],
    ids=["label-image", "modules", "audit", "retrain"],
)
def test_no_home_and_no_name(command: tuple[object, ...], shell: Shell, opened: Path) -> None:
    write_colour_tree(opened / "colours", 4)
    code, said = as_nobody(shell, command, f"export TMPDIR={opened / 'temporary'}")
    assert code == 0, said
    own = opened / "temporary" / "retrain-cache-54321"
    if command[-1] != "list":
        assert own.is_dir() and own.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("command", COMMANDS[:2], ids=named)
@pytest.mark.parametrize("processes", [0, 2, 6])  # with 6 the engine fails, not Python
def test_few_processes(
    command: tuple[object, ...], processes: int, shell: Shell, opened: Path
) -> None:
    limit = f"export TMPDIR={opened / 'temporary'}; ulimit -u {processes}"
    code, said = as_nobody(shell, command, limit)
    assert code == 0 or one_line(said), said
    if not processes:
        assert "ulimit -u" in said


def test_a_run_needs_threads_at_the_same_time(monkeypatch: pytest.MonkeyPatch) -> None:
    allowed, start = 3, Thread.start
    started: list[Thread] = []  # threads that earlier tests left running are not counted

    def limited(thread: Thread) -> None:
        if sum(other.is_alive() for other in started) >= allowed:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        start(thread)

    check_threads.cache_clear()
    monkeypatch.setattr(Thread, "start", limited)
    with pytest.raises(RetrainError, match="ulimit -u"):
        check_threads()
    assert len(started) == allowed and not any(thread.is_alive() for thread in started)
    started.clear()
    allowed = THREADS
    check_threads()
    assert len(started) == THREADS and not any(thread.is_alive() for thread in started)


def test_a_folder_that_is_closed_to_us(shell: Shell, opened: Path) -> None:
    write_colour_tree(opened / "colours", 2)
    (opened / "closed" / "in").mkdir(parents=True)
    (opened / "closed" / "in").chmod(0o777)
    (opened / "closed").chmod(0o700)
    train = ("retrain", "--image_dir", opened / "colours", *SHORT)
    there = f"export TMPDIR={opened / 'temporary'}"
    for command, before in (
        (train, f"{there}; cd closed/in"),
        ((*train, "--output_graph", opened / "closed" / "in" / "g.pb"), there),
        ((*train, "--saved_model_dir", opened / "closed" / "in" / "m"), there),
        ((*train, "--bottleneck_dir", opened / "closed" / "in" / "b"), there),
    ):
        code, said = as_nobody(shell, command, before)
        assert code == 1 and "closed" in one_line(said) and "Permission denied" in said


@pytest.mark.parametrize("trap", ["writable by all", "a link", "a file"])
def test_another_users_folder_is_no_cache(
    trap: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("RETRAIN_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)  # as where there is no home
    folder = tmp_path / f"retrain-cache-{os.getuid()}"
    assert user_cache_dir() == folder == user_cache_dir()
    folder.rmdir()
    if trap == "writable by all":
        folder.mkdir()
        folder.chmod(0o777)
    elif trap == "a link":
        (tmp_path / "elsewhere").mkdir()
        folder.symlink_to("elsewhere")
    else:
        folder.touch()
    with pytest.raises(RetrainError, match="not this user's alone: set RETRAIN_CACHE_DIR"):
        user_cache_dir()


def test_a_home_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    with pytest.raises(RetrainError, match="no home folder: give the whole path"):
        home_expanded("~/photos")
    assert home_expanded("~odd name") == Path("~odd name")


def test_no_place_for_temporary_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "none"))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setattr("tempfile._candidate_tempdir_list", lambda: [str(tmp_path / "none")])
    with run_folder(tmp_path / "out" / "output_graph.pb") as folder:
        assert folder.parent == tmp_path / "out" and folder.name.startswith(".")
    assert list((tmp_path / "out").iterdir()) == []


def test_dash_h_is_help(run: Run) -> None:
    for words in ([], ["audit"], ["evaluate"], ["modules"], ["modules", "list"], ["inspect"]):
        asked = run("retrain", *words, "-h")
        assert (asked.returncode, asked.stdout) == (0, run("retrain", *words, "--help").stdout)
    assert run("label-image", "-h").stdout == run("label-image", "--help").stdout


def test_few_open_files(shell: Shell, tmp_path: Path) -> None:
    tree = write_colour_tree(tmp_path / "colours", 12)
    train = ("retrain", "--image_dir", tree, *SHORT)
    assert shell(train, RETRAIN_CACHE_DIR="first").returncode == 0
    usual = (tmp_path / "output_graph.pb").read_bytes()
    for cache in ("first", "second"):  # one that is filled, one that is not
        done = shell(train, before="ulimit -n 64", RETRAIN_CACHE_DIR=cache)
        assert done.returncode == 0, done.stderr
        assert (tmp_path / "output_graph.pb").read_bytes() == usual
    label = ("label-image", "--graph", "output_graph.pb", "--format", "csv", tree)
    done = shell(label, before="ulimit -n 16", RETRAIN_CACHE_DIR="first")
    assert done.returncode == 0 and done.stdout.count("\n") == 37, done.stderr


def test_shards_that_may_not_stay_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    identity = StoreIdentity("module", "0", "recipe", "f32")
    keys = [bytes([number]) * 16 for number in range(6)]
    for number, key in enumerate(keys):
        BottleneckStore(tmp_path, identity, 3).publish(
            [key], np.full((1, 3), number, np.float32), {}
        )
    monkeypatch.setattr("retrain.features.store.open_files_allowed", lambda wanted: 2 + 256)
    monkeypatch.setattr("retrain.features.matrix.IN_MEMORY_BYTES", 0)
    store = BottleneckStore(tmp_path, identity, 3)
    store.refresh()
    open_now = len(os.listdir("/proc/self/fd"))
    matrix = store.matrix(keys)
    rows = matrix.take(np.arange(6))
    assert rows[:, 0].tolist() == [0, 1, 2, 3, 4, 5]
    assert len(os.listdir("/proc/self/fd")) == open_now
    assert sum(isinstance(shard.vectors, RowsOnDemand) for shard in store._shards) == 4
