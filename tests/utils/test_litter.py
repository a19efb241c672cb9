"""What killed processes leave is removed by later ones; what belongs to others never is."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from retrain.utils import temporary as litter
from retrain.utils.files import atomic_path, scratch_folder
from retrain.utils.temporary import OLD_S, remove_litter, temporary_name

WRITER = """
import sys, tempfile, time
from pathlib import Path
from retrain.features.store import BottleneckStore, StoreIdentity
from retrain.utils.files import atomic_path, scratch_folder
folder = Path(sys.argv[1])
with scratch_folder(folder, "retrain") as scratch, atomic_path(folder / "graph.pb") as temporary:
    (scratch / "inner").mkdir()
    (scratch / "inner" / "file").write_text("half")
    temporary.write_text("half")
    print("writing", flush=True)
    time.sleep(600)
"""


def writing(folder: Path) -> "subprocess.Popen[str]":
    """A process in the middle of writing."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, folder], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stdout.readline() == "writing\n"
    return process


def killed(process: "subprocess.Popen[str]") -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate()


def test_the_next_run_removes_what_a_killed_one_left(tmp_path: Path) -> None:
    with writing(tmp_path) as process:
        killed(process)
    assert len(os.listdir(tmp_path)) == 2
    (tmp_path / ".hidden").write_text("the user's")
    (tmp_path / ".notes.tmp").write_text("the user's")
    with atomic_path(tmp_path / "other.txt") as temporary:
        temporary.write_text("x")
    assert sorted(os.listdir(tmp_path)) == [".hidden", ".notes.tmp", "other.txt"]


def test_what_a_living_run_writes_stays(tmp_path: Path) -> None:
    with writing(tmp_path) as process:
        before = sorted(os.listdir(tmp_path))
        for name in before:  # however old
            os.utime(tmp_path / name, (0, 0))
        remove_litter(tmp_path)
        assert sorted(os.listdir(tmp_path)) == before and len(before) == 2
        killed(process)
    remove_litter(tmp_path)
    assert os.listdir(tmp_path) == []


def test_a_process_that_got_the_number_of_a_dead_one_protects_nothing(tmp_path: Path) -> None:
    name = temporary_name(tmp_path / "x").name
    start = name.split("-")[2]
    reborn = tmp_path / name.replace(f"-{start}-", f"-{int(start) - 1}-")
    reborn.touch()
    remove_litter(tmp_path)
    assert os.listdir(tmp_path) == []


OTHERS = (
    ".x.00000000-1-5-0123abcd.tmp",  # of another machine
    f".x.{os.getpid()}-0123abcd.tmp",  # of an earlier version
    ".shard-4194303-0123abcd.tmp",
)


@pytest.mark.parametrize("name", OTHERS, ids=range(len(OTHERS)))  # they hold a process number
@pytest.mark.parametrize("is_folder", [False, True])
def test_what_other_machines_left_is_removed_when_it_is_old(
    name: str, is_folder: bool, tmp_path: Path
) -> None:
    path = tmp_path / name
    inner = path / "file" if is_folder else path
    inner.parent.mkdir(exist_ok=True)
    inner.write_text("x")
    remove_litter(tmp_path)
    assert inner.exists()
    old = time.time() - OLD_S - 60
    os.utime(path, (old, old))
    if is_folder:  # still written to
        remove_litter(tmp_path)
        assert inner.exists()
        os.utime(inner, (old, old))
        os.utime(path, (old, old))
    remove_litter(tmp_path)
    assert not path.exists()


@pytest.mark.parametrize(
    "name", ["x.00000000-1-5-0123abcd.tmp", ".x.00000000-1-5-0123abcd", ".tmp", ".x.tmp",
             ".x.0123abcd.tmp", ".a-b.tmp"]
)  # fmt: skip
def test_no_other_name_is_touched(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("the user's")
    os.utime(tmp_path / name, (0, 0))
    remove_litter(tmp_path)
    assert (tmp_path / name).read_text() == "the user's"


def test_a_link_is_removed_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_text("photo")
    link = tmp_path / OTHERS[0]
    link.symlink_to("photos")
    os.utime(link, (0, 0), follow_symlinks=False)
    remove_litter(tmp_path)
    assert os.listdir(tmp_path) == ["photos"] and (tmp_path / "photos" / "a.jpg").exists()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root")
def test_what_other_users_made_stays(tmp_path: Path) -> None:
    path = tmp_path / OTHERS[0]
    path.touch()
    os.chown(path, 12345, 12345)
    os.utime(path, (0, 0))
    remove_litter(tmp_path)
    assert path.exists()


@pytest.mark.parametrize("name", ["a" * 255, "日" * 85, "👩" * 63, "x\udcff" * 120])
def test_temporary_names_are_never_too_long(name: str, tmp_path: Path) -> None:
    with atomic_path(tmp_path / name) as temporary:
        temporary.touch()
    assert os.listdir(tmp_path) == [name]


def test_scratch_folders_are_private_and_gone_at_the_end(tmp_path: Path) -> None:
    with pytest.raises(KeyError), scratch_folder(tmp_path, "retrain") as scratch:
        assert scratch.stat().st_mode & 0o77 == 0
        (scratch / "file").touch()
        raise KeyError
    assert os.listdir(tmp_path) == []


def test_a_folder_that_cannot_be_listed_is_no_fault(tmp_path: Path) -> None:
    remove_litter(tmp_path / "nowhere")
    (tmp_path / "file").touch()
    remove_litter(tmp_path / "file")
    assert temporary_name(tmp_path / "nowhere" / "x").parent == tmp_path / "nowhere"


def test_machines_without_proc_go_by_age(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(litter, "_start_of", lambda pid: None)
    path = temporary_name(tmp_path / "x")
    path.touch()
    remove_litter(tmp_path)
    assert path.exists()
    os.utime(path, (0, 0))
    remove_litter(tmp_path)
    assert not path.exists()
