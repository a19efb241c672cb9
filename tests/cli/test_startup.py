"""Start-up is a feature: no TensorFlow where it is not needed, no report to anyone, no noise."""

import subprocess
import sys
from pathlib import Path

import pytest
from conftest import EXAMPLE_FLOWERS, TINY
from run_commands import PATIENCE_S

pytestmark = pytest.mark.slow

PHOTO = next((EXAMPLE_FLOWERS / "daisy").glob("*.jpg"))

# Runs a command in this process, then prints which modules it imported and where it connected.
PROBE = """
import importlib, sys
connected = []
sys.addaudithook(lambda event, a: connected.append(a) if event.startswith("socket.conn") else None)
module = importlib.import_module(sys.argv.pop(1))
try:
    module.main()
except SystemExit as stop:
    code = stop.code
names = ("tensorflow", "keras", "openvino", "openvino_telemetry", "rich")
heavy = [name for name in names if sys.modules.get(name) is not None]
print("PROBE", code, len(connected), *heavy, file=sys.stderr)
"""


def imported(module: str, *arguments: object, cwd: Path) -> tuple[str, list[str]]:
    """What the command said on stderr, and the heavy modules that it imported."""
    command = [sys.executable, "-c", PROBE, module, *map(str, arguments)]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=PATIENCE_S)
    said, _, probe = done.stderr.partition("PROBE ")
    code, connections, *heavy = probe.split()
    assert (code, connections) == ("0", "0"), done.stderr
    return said, heavy


@pytest.mark.parametrize("argument", ["--help", "--help-all", "--version"])
@pytest.mark.parametrize("module", ["retrain.cli.main", "retrain.cli.label_image"])
def test_help_imports_nothing_heavy(module: str, argument: str, tmp_path: Path) -> None:
    assert imported(module, argument, cwd=tmp_path) == ("", [])


@pytest.mark.parametrize("word", ["audit", "compare-heads", "evaluate", "export", "inspect"])
def test_help_of_each_command_imports_nothing_heavy(word: str, tmp_path: Path) -> None:
    assert imported("retrain.cli.main", word, "--help", cwd=tmp_path) == ("", [])


def test_looking_into_a_graph_imports_no_tensorflow(trained: Path, tmp_path: Path) -> None:
    graph = trained / "output_graph.pb"
    assert imported("retrain.cli.main", "inspect", graph, cwd=tmp_path) == ("", [])
    _, heavy = imported(
        "retrain.cli.label_image", "--graph", graph, "--explain", "why.png", PHOTO, cwd=tmp_path
    )
    assert heavy == ["openvino"]


def test_label_image_imports_no_tensorflow(trained: Path, tmp_path: Path) -> None:
    said, heavy = imported(
        "retrain.cli.label_image", "--graph", trained / "output_graph.pb", PHOTO, cwd=tmp_path
    )
    assert heavy == ["openvino"]
    assert said == ""


def test_label_image_without_graph_imports_no_tensorflow(tmp_path: Path) -> None:
    said, modules = imported("retrain.cli.label_image", PHOTO, cwd=tmp_path)
    assert "ImageNet" in said and modules == ["openvino"]


def test_a_whole_run_imports_no_tensorflow(colour_tree: Path, tmp_path: Path) -> None:
    _, heavy = imported(
        "retrain.cli.main", "--image_dir", colour_tree, "--tfhub_module", TINY,
        "--how_many_training_steps", 20, "--bottleneck_dir", tmp_path / "b", cwd=tmp_path,
    )  # fmt: skip
    assert "tensorflow" not in heavy and "keras" not in heavy
    assert "openvino_telemetry" not in heavy
