"""A manifest of any shape: read, or refused in one line that names the graph."""

import io
import json
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import pytest
from conftest import write_picture

from retrain.artifacts.graphdef import add_text_constant, read_graph
from retrain.artifacts.manifest import (
    NODE,
    Manifest,
    find_manifest,
    manifest_text,
    parse_manifest,
)
from retrain.cli.command import _run
from retrain.cli.inspect import command as inspect
from retrain.cli.label_image import label_image
from retrain.errors import RetrainError
from retrain.export.model_card import model_card

GOOD = Manifest(
    labels=("blue", "green", "red"), input_node="Placeholder", height=128, width=128,
    recipe="rgb8,exif,alpha=white|squash:128x128,bilinear,reduce=2", output_node="final_result",
    backbone={"handle": "mobilenet_v1_025_128", "name": "m", "feature_width": 256},
    data={"digest": "x", "train": 3}, training={"seed": 0, "l2": None, "fine_tune": "all"},
    metrics={"test_accuracy": 0.9, "test_accuracy_interval": [0.8, 0.95], "test_photos": 36,
             "macro_f1": 0.9, "log_loss": 0.2, "calibration_error": 0.1,
             "support": [12, 12, 12], "right": [12, 11, 10]},
    unknown_below=0.25, versions={"retrain": "1"},
)  # fmt: skip
NEEDED = ("labels", "input_node", "height", "width", "recipe", "output_node", "format")
ODD: list[Any] = [None, True, -1, 0, 10**9, 10**400, 1.5, 1e999, "", "x", "\0", "\ud800", [], [1],
                  ["a"], [[]], {}, {"a": 1}, {"a": {"b": []}}, {"test_accuracy": "x"}, "x" * 10**6,
                  ["x" * 10**5] * 3, {"support": [1], "right": [2]}, {"test_accuracy": 7},
                  {"support": [1, 2, 3], "right": [2, 2, 2]}, {"test_accuracy_interval": 3},
                  ["blue", "green", "red", "more"], ["\x1b[31m", "b", "c"]]  # fmt: skip
TEXTS = {
    "empty": b"", "no JSON": b"{", "null": b"null", "list": b"[]", "number": b"3", "text": b'"x"',
    "empty table": b"{}", "nested": b"[" * 100_000, "nested tables": b'{"a":' * 100_000,
    "no UTF-8": b"\xff\xfe\xff", "zero": b"{\0}",
    "huge number": b'{"format": ' + b"9" * 5000 + b"}",
    "NaN": b"NaN", "later": b'{"format": 2}', "no format": b'{"labels": ["a"]}',
    "format true": b'{"format": true}', "format text": b'{"format": "1"}',
}  # fmt: skip


def changed() -> Iterator[tuple[str, str]]:
    """(what, text) of manifests with one field that is missing or odd."""
    for name, value in asdict(GOOD).items():
        rest = {key: other for key, other in asdict(GOOD).items() if key != name}
        yield f"without {name}", json.dumps(rest)
        for odd in ODD:
            try:
                yield f"{name}={odd!r:.40}", json.dumps({**rest, name: odd})
            except ValueError:  # more digits than Python writes
                yield (
                    f"{name}=10**400",
                    json.dumps({**rest, name: "HUGE"}).replace('"HUGE"', "1" + "0" * 400),
                )
        if isinstance(value, dict):
            for key in value:
                for odd in (None, "x", [], {}, -1, 10**9, [None], 1e999, float("nan")):
                    inner = {**rest, name: {**value, key: odd}}
                    yield f"{name}.{key}={odd!r}", json.dumps(inner)


def test_what_retrain_writes_is_read() -> None:
    assert parse_manifest(manifest_text(GOOD)) == GOOD
    for name, text in changed():
        if name.startswith("without") and name.removeprefix("without ") not in NEEDED:
            parse_manifest(text)
    later = {**asdict(GOOD), "camera": {"a": [1]}}
    assert parse_manifest(json.dumps(later)) == GOOD
    unjudged = {**asdict(GOOD), "metrics": {"test_accuracy": None, "log_loss": float("nan")}}
    assert "nobody knows" in model_card(parse_manifest(json.dumps(unjudged)), [])


@pytest.mark.parametrize("content", TEXTS.values(), ids=TEXTS)
def test_what_is_no_manifest_is_refused(content: bytes) -> None:
    with pytest.raises(RetrainError, match="the manifest of g.pb") as found:
        parse_manifest(content, "g.pb")
    assert len(str(found.value)) < 300


def test_each_field_has_its_type_and_range() -> None:
    refused = read = 0
    for name, text in changed():
        try:
            manifest = parse_manifest(text, "g.pb")
        except RetrainError as fault:
            refused += 1
            assert str(fault).startswith("the manifest of g.pb "), name
            assert str(fault).isprintable() and len(str(fault)) < 300, name
            continue
        read += 1
        assert model_card(manifest, []).encode("utf-8", "surrogateescape"), name
        assert manifest.labels and 0 < manifest.height <= 8192, name
    assert refused > 200 and read > 20


@pytest.fixture(scope="module")
def one_photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photo") / "photo.png"
    write_picture(path, (200, 20, 20), 0)
    return path


def said(command: click.Command, *arguments: object) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = _run(command, [str(each) for each in arguments], debug=False)
    return code, out.getvalue(), err.getvalue()


def graph_with(text: str | bytes, trained: Path, path: Path) -> Path:
    graph = read_graph(trained / "output_graph.pb")
    del graph.node[[node.name for node in graph.node].index(NODE)]
    add_text_constant(graph, NODE, "")
    graph.node[-1].attr["value"].tensor.string_val[0] = (
        text.encode() if isinstance(text, str) else text
    )
    path.write_bytes(graph.SerializeToString())
    return path


@pytest.mark.parametrize("which", ["height", "recipe", "output_node", "labels", "metrics"])
def test_no_manifest_ends_a_command_otherwise(
    which: str, trained: Path, tmp_path: Path, one_photo: Path
) -> None:
    own = asdict(find_manifest(read_graph(trained / "output_graph.pb")) or GOOD)
    for odd in (None, 10**9, "x", ["a"], {"right": [1], "support": "x"}):
        graph = graph_with(json.dumps({**own, which: odd}), trained, tmp_path / "g.pb")
        for command, arguments in (
            (label_image, ["--graph", graph, one_photo]),
            (inspect, [graph]),
        ):
            code, out, err = said(command, *arguments)
            if code:
                assert (code, out) == (1, "") and err.count("\n") == 1
                assert "internal error" not in err and str(graph) in err or "recipe" in err
            else:
                assert out


def test_a_node_without_text_is_refused(trained: Path, tmp_path: Path, one_photo: Path) -> None:
    graph = read_graph(trained / "output_graph.pb")
    node = next(node for node in graph.node if node.name == NODE)
    node.attr["value"].tensor.ClearField("string_val")
    path = tmp_path / "g.pb"
    path.write_bytes(graph.SerializeToString())
    code, out, err = said(label_image, "--graph", path, one_photo)
    assert (code, out) == (1, "") and f"the manifest of {path} is damaged" in err
