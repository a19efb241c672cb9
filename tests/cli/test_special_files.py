"""Pipes, sockets and devices: never waited for where a file is read, never replaced by one."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import TINY, Run, write_colour_tree

from retrain.artifacts.onnx import SUFFIX as ONNX
from retrain.backbones.sources.cache import fingerprint_of
from retrain.backbones.sources.local import ARCHIVES, KERAS
from retrain.errors import RetrainError, UsageFault
from retrain.utils.files import check_file_can_be_written, open_regular, write_bytes
from retrain.utils.text import read_bytes

Make = Callable[[str], Path]


def pipe(name: str) -> Path:
    os.mkfifo(name)
    return Path(name)


def bound_socket(name: str) -> Path:
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(name)
    return Path(name)


def device(name: str) -> Path:
    Path(name).symlink_to("/dev/zero")  # one without an end
    return Path(name)


def link_to_a_pipe(name: str) -> Path:
    os.mkfifo(f"{name}.end")
    Path(name).symlink_to(f"{name}.end")
    return Path(name)


KINDS = pytest.mark.parametrize("make", [pipe, bound_socket, device, link_to_a_pipe])


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # a socket's path must be short


@KINDS
def test_none_is_opened_for_reading(make: Make) -> None:
    odd = make("odd")
    with pytest.raises(OSError, match="not a regular file"):
        open_regular(odd)
    with pytest.raises(RetrainError, match="cannot read labels .*odd: not a regular file"):
        read_bytes(odd, "labels")


@KINDS
@pytest.mark.parametrize("ending", [*KERAS, *ARCHIVES, ONNX])
def test_none_is_a_module(make: Make, ending: str) -> None:
    odd = make(f"odd{ending}")
    with pytest.raises(RetrainError, match="cannot read module .*not a regular file"):
        fingerprint_of(odd)


@pytest.mark.parametrize("part", ["saved_model.pb", "variables/variables.index"])
def test_none_is_part_of_a_module(part: str) -> None:
    Path("module/variables").mkdir(parents=True)
    Path("module/saved_model.pb").write_bytes(b"")
    (Path("module") / part).unlink(missing_ok=True)
    pipe(f"module/{part}")
    with pytest.raises(RetrainError, match="cannot read module .*not a regular file"):
        fingerprint_of(Path("module"))


@KINDS
def test_none_is_replaced(make: Make) -> None:
    odd = make("odd")
    before = odd.lstat()
    with pytest.raises(UsageFault, match="--output_graph odd is no ordinary file"):
        check_file_can_be_written(odd, "--output_graph")
    with pytest.raises(RetrainError, match="cannot write .*odd: not a regular file"):
        write_bytes(odd, b"content")
    assert odd.lstat() == before
    assert not [name for name in os.listdir() if name.endswith(".tmp")]


@pytest.mark.parametrize("name", ["/dev/null", "/dev/full", "/dev/stdout", "/dev/stderr"])
def test_the_systems_own_names_are_no_outputs(name: str) -> None:
    """Only asked here: were the answer wrong, writing would replace them for everybody."""
    if not os.path.exists(name):
        pytest.skip(f"no {name} on this system")
    with pytest.raises(UsageFault, match="is no ordinary file"):
        check_file_can_be_written(Path(name), "--output_graph")


def test_what_may_be_read_and_replaced() -> None:
    Path("file").write_bytes(b"old")
    Path("link").symlink_to("file")
    with open_regular("link") as file:
        assert file.read() == b"old"
    for name in ("file", "link", "new/file"):
        check_file_can_be_written(Path(name), "--output_graph")
        write_bytes(Path(name), b"new")
        assert Path(name).read_bytes() == b"new"


READ_BY = {
    "labels": ("label-image", "--graph", "GRAPH", "--labels", "ODD", "any.jpg"),
    "config": ("retrain", "--config", "ODD", "--image_dir", "TREE", "--tfhub_module", TINY),
    "graph": ("label-image", "--graph", "ODD", "any.jpg"),
    "inspect": ("retrain", "inspect", "ODD"),
    "evaluate": ("retrain", "evaluate", "--graph", "ODD", "--image_dir", "TREE"),
    "export": ("retrain", "export", "--graph", "ODD", "--to", "m.tflite"),
    "module": ("retrain", "--image_dir", "TREE", "--tfhub_module", "ODD.onnx"),
    "comparison": ("retrain", "--image_dir", "TREE", "--tfhub_module", TINY,
                   "--compare_with", "ODD"),
    "photos": ("retrain", "--image_dir", "ODD", "--tfhub_module", TINY),
    "audit": ("retrain", "audit", "--image_dir", "ODD", "--tfhub_module", TINY),
}  # fmt: skip
WRITTEN_BY = {
    "rows": ("label-image", "--graph", "GRAPH", "--output", "ODD", "any.jpg"),
    "exported": ("retrain", "export", "--graph", "GRAPH", "--to", "ODD.tflite"),
    "picture": ("label-image", "--graph", "GRAPH", "--explain", "ODD.png", "any.jpg"),
    **{
        flag: ("retrain", "--image_dir", "TREE", "--tfhub_module", TINY, f"--{flag}", "ODD")
        for flag in ("output_graph", "output_labels", "report", "tflite_output_file")
    },
}


@pytest.mark.parametrize("use", [*READ_BY, *WRITTEN_BY])
def test_every_use_says_it_in_one_line(use: str, run: Run, trained: Path, tmp_path: Path) -> None:
    words = {**READ_BY, **WRITTEN_BY}[use]
    (name,) = {word for word in words if word.startswith("ODD")}
    odd = pipe(str(tmp_path / name.replace("ODD", "odd")))
    tree = write_colour_tree(tmp_path / "colours", 2) if "TREE" in words else None
    given = {"GRAPH": trained / "output_graph.pb", "TREE": tree, name: odd}
    done = run(words[0], *(given.get(word, word) for word in words[1:]))
    assert done.returncode in (1, 2)
    assert done.stderr.count("\n") == 1 and odd.name in done.stderr, done.stderr
    assert "internal error" not in done.stderr
    assert odd.is_fifo()
