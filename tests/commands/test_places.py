"""Where the files of a run go, and what is said of a classifier that stands there."""

import logging
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import pytest
from conftest import TINY, write_colour_tree

from retrain.cli.train import retrain as command
from retrain.commands import train as training
from retrain.commands.replaced import say_replaced
from retrain.commands.run_record import read_settings
from retrain.commands.train import train
from retrain.config import TrainConfig
from retrain.data.split import Split

QUICK: dict[str, Any] = {"tfhub_module": TINY, "how_many_training_steps": 5, "report": False,
                         "summaries_dir": None}  # fmt: skip


def places_of(config: TrainConfig) -> dict[str, str | None]:
    found = {"graph": config.graph.output_graph, "labels": config.graph.output_labels,
             "report": config.page, "logs": config.report.summaries_dir,
             "on the way": config.snapshots.intermediate_output_graphs_dir,
             "figures": config.graph.beside("evaluation.json"),
             "tflite": config.exports.tflite_output_file}  # fmt: skip
    return {name: str(path) if path else None for name, path in found.items()}


def expected(start: str, graph: str, **others: str) -> dict[str, str | None]:
    return {"graph": graph, "labels": f"{start}output_labels.txt".replace("_output_", "_"),
            "report": f"{start}report.html", "logs": f"{start}retrain_logs",
            "on the way": f"{start}intermediate_graph", "figures": f"{start}evaluation.json",
            "tflite": None} | others  # fmt: skip


@pytest.mark.parametrize(
    ("given", "places"),
    [
        ({}, expected("", "output_graph.pb")),
        ({"output_graph": "deep/output_graph.pb"}, expected("deep/", "deep/output_graph.pb")),
        ({"output_graph": "tiny.pb"}, expected("tiny_", "tiny.pb")),
        ({"output_graph": "deep/x.pb"}, expected("deep/x_", "deep/x.pb")),
        ({"output_dir": "out"}, expected("out/", "out/output_graph.pb")),
        ({"output_dir": "out", "output_graph": "x.pb", "tflite_output_file": "p.tflite"},
         expected("out/x_", "out/x.pb", tflite="out/p.tflite")),
        ({"output_dir": "out", "output_graph": "other/x.pb", "report_file": "/tmp/r.html"},
         expected("out/x_", "other/x.pb", report="/tmp/r.html")),
        ({"output_graph": "/tmp/g.pb", "output_labels": "/tmp/l.txt", "summaries_dir": "logs"},
         expected("/tmp/g_", "/tmp/g.pb", labels="/tmp/l.txt", logs="logs")),
    ],
)  # fmt: skip
def test_files_follow_the_folder_and_the_graph(
    given: dict[str, str], places: dict[str, str | None]
) -> None:
    config = TrainConfig.from_flat("photos", **given)
    assert places_of(config) == places
    assert TrainConfig.from_flat(**config.flat()) == config  # as run.json repeats it


def configured(arguments: str, monkeypatch: pytest.MonkeyPatch) -> TrainConfig:
    """What the command line makes of these arguments."""
    seen: list[TrainConfig] = []

    def stop(config: TrainConfig, *_: object) -> None:
        seen.append(config)
        raise click.Abort

    monkeypatch.setattr(training, "train", stop)
    with pytest.raises(click.Abort):
        command.main(["--image_dir", "photos", *arguments.split()], standalone_mode=False)
    return seen[0]


def test_the_command_line_and_a_run_record_follow_the_same_rule(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert configured("--output_dir=out", monkeypatch) == TrainConfig.from_flat(
        "photos", output_dir="out"
    )
    assert places_of(configured("--output_graph=deep/x.pb", monkeypatch))["labels"] == (
        "deep/x_labels.txt"
    )
    onnx = places_of(configured("--tfhub_module=m.onnx --output_dir=out", monkeypatch))
    assert (onnx["graph"], onnx["labels"]) == ("out/output_graph.onnx", "out/output_labels.txt")
    tree, record = write_colour_tree(tmp_path / "photos", 4), tmp_path / "first" / "x_run.json"
    first = {**QUICK, "output_graph": tmp_path / "first/x.pb", "tflite_quantization": "float32"}
    del first["summaries_dir"]  # nobody named it, so a repeated run decides it anew
    monkeypatch.undo()
    train(TrainConfig.from_flat(tree, **first), {"output_labels": "default", "report": "x",
          "summaries_dir": "default", "intermediate_output_graphs_dir": "default"})  # fmt: skip
    assert read_settings(record)["output_graph"] == str(first["output_graph"])
    again = configured(f"--config {record} --output_graph deep/y.pb", monkeypatch)
    assert places_of(again)["labels"] == "deep/y_labels.txt"
    moved = configured(f"--config {record} --output_dir tonight", monkeypatch)
    assert places_of(moved) == {**expected("tonight/x_", "tonight/x.pb"), "report": None}


def test_two_graphs_in_one_folder_keep_their_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """And nothing lands in the current folder."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    caplog.set_level(logging.INFO)
    tree, out = write_colour_tree(tmp_path / "photos", 4), tmp_path / "out"
    train(TrainConfig.from_flat(tree, output_dir=out, **QUICK))
    alone = {path.name: path.read_bytes() for path in out.iterdir()}
    train(TrainConfig.from_flat(tree, output_graph=out / "tiny.pb", **QUICK))
    assert {name: (out / name).read_bytes() for name in alone} == alone
    assert {path.name for path in out.iterdir()} - alone.keys() == {
        name.replace("output_graph", "tiny") if "graph" in name else
        f"tiny_{name.removeprefix('output_')}" for name in alone
    }  # fmt: skip
    assert os.listdir() == [] and "will be replaced" not in caplog.text


def test_what_is_replaced_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    tree, graph = write_colour_tree(tmp_path / "photos", 4), tmp_path / "output_graph.pb"
    run = train(TrainConfig.from_flat(tree, output_graph=graph, **QUICK))

    def said(labels: tuple[str, ...], photos: int = 12) -> list[tuple[str, str]]:
        caplog.clear()
        some = replace(run.dataset, keys=run.dataset.keys[:photos])
        some = replace(some, labels=some.labels[:photos], split=Split(some.split.sets[:photos]))
        say_replaced(graph, some, labels)
        return [(record.levelname, record.message) for record in caplog.records]

    assert said(run.labels) == []  # the same photos
    # As each night of a job has it:
    line = f"{graph}, made of 12 photos of the same classes, will be replaced"
    assert said(run.labels, 11) == [("INFO", line)]
    ((level, line),) = said(("aster", "rose"), 11)
    assert level == "WARNING" and "of 3 classes ('blue', 'green', 'red'), will be" in line
    assert "other classes ('aster', 'rose'): give --output_dir" in line
    graph.write_bytes(b"of mine")
    ((level, line),) = said(run.labels)
    assert level == "WARNING" and "which retrain did not write, will be replaced: give" in line
