"""Where TensorFlow is not installed: the default job works, and what needs it names the pip line.

`scripts/test_lite` does the same in a real environment without it.
"""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import REPO, TINY, write_colour_tree
from run_commands import PATIENCE_S

from retrain.backbones.bundled import bundled_backbone
from retrain.backbones.engines import engine, openvino
from retrain.errors import RetrainError
from retrain.utils.tensorflow import PIP_LINE


@pytest.mark.slow  # a process of its own, for TensorFlow has been imported in this one
def test_the_default_job_works_without_tensorflow(tmp_path: Path) -> None:
    tree = write_colour_tree(tmp_path / "colours", 6)
    command = [sys.executable, REPO / "tests/lite_job.py", tree, tmp_path / "out", "--block"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_lite_installation_is_the_whole_but_tensorflow() -> None:
    """Read as text: Python 3.10 cannot read TOML."""
    project = (REPO / "pyproject.toml").read_text(encoding="utf-8")
    (listed,) = re.findall(r"^dependencies = \[\n(.*?)^\]", project, re.M | re.S)
    whole = {line.strip().rstrip(",").strip('"').replace("'", '"') for line in listed.splitlines()}
    lines = (REPO / "requirements-lite.txt").read_text(encoding="utf-8").splitlines()
    lite = {line for line in lines if not line.startswith("#")}
    (left_out,) = whole - lite
    assert lite < whole and PIP_LINE == f'pip install "{left_out}"'


@pytest.mark.parametrize("gpu", [False, True])
def test_auto_takes_an_engine_that_is_installed(
    gpu: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    monkeypatch.setattr(engine, "_nvidia_gpu_present", lambda: gpu)
    assert engine.choose_engine("auto", bundled_backbone(TINY), "f32").name.startswith("OpenVINO")
    assert ("the GPU is not used" in caplog.text) == gpu


def test_a_module_that_only_tensorflow_can_run_names_the_pip_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def cannot(*_: object) -> None:
        raise RetrainError("OpenVINO cannot run it: an odd operation")

    monkeypatch.setitem(sys.modules, "tensorflow", None)
    monkeypatch.setattr(openvino, "open_backbone", cannot)
    with pytest.raises(RetrainError, match="odd operation; TensorFlow may, and is not") as fault:
        engine.choose_engine("auto", bundled_backbone(TINY), "f32")
    assert str(fault.value).endswith(PIP_LINE)
