"""The short form of scripts/crash: some kills at random moments, and what is there afterwards."""

import os
import subprocess
import sys
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

import pytest
from conftest import REPO, write_colour_tree

pytestmark = pytest.mark.slow

KILLS, STEPS = 2, 50


@pytest.fixture(scope="module")
def script() -> ModuleType:
    loader = SourceFileLoader("crash_script", str(REPO / "scripts" / "crash"))
    spec = spec_from_loader(loader.name, loader)
    assert spec is not None
    module = module_from_spec(spec)
    sys.modules[loader.name] = module  # where its dataclasses look for their names
    loader.exec_module(module)
    return module


def test_kills_lose_nothing_and_leave_nothing(script: ModuleType, tmp_path: Path) -> None:
    photos = write_colour_tree(tmp_path / "photos", photos=8)
    said: list[str] = []
    jobs = script.all_jobs(photos, STEPS)
    right = script.crash(
        tmp_path / "crash", photos, jobs, ["first run", "labelling"], KILLS, 1, said.append
    )
    assert right, "\n".join(said)
    assert [line.split()[-6:] for line in said[1:]] == [["0"] * 6] * 2


def test_what_a_kill_spoils_is_found(script: ModuleType, tmp_path: Path) -> None:
    """A job that writes half a file, leaves a temporary one and touches a photo."""
    photos = write_colour_tree(tmp_path / "photos", photos=1)
    (tmp_path / "crash").mkdir()
    work = script.Crash(tmp_path / "crash", photos, [script.Job("bad", "retrain", ())])
    work._start = lambda job: script.subprocess.Popen(
        ["sh", "-c", f"echo half > out; touch ../tmp/x .out.tmp; [ -e ../../again ] && "
         f"echo x >> {photos}/red/000.png; touch ../../again; [ -e ../../first ] && sleep 60; "
         "touch ../../first; echo whole > out; rm ../tmp/x .out.tmp"],
        cwd=work.place / "work", start_new_session=True,
    )  # fmt: skip
    work.undisturbed("bad")
    work.seconds["bad"] = 1.0
    score = script.Score()
    (tmp_path / "crash" / "first").touch()
    starts = iter(
        [
            work._start,
            lambda job: script.subprocess.Popen(
                ["sh", "-c", "echo other > out; touch ../tmp/x; exit 3"], cwd=work.place / "work"
            ),
        ]
    )
    work._start = lambda job: next(starts)(job)
    work.kill_once("bad", 0.9, score)
    assert score.kills == 1
    assert set(score.faults) == {"half-written", "different", "litter", "failed", "photos"}


def test_onnxruntime_reports_to_nobody(tmp_path: Path) -> None:
    """It keeps the session of its reports in TMPDIR."""
    pytest.importorskip("onnxruntime")
    (tmp_path / "tmp").mkdir()
    script = (
        "from pathlib import Path; from retrain.export.onnx import open_runtime\n"
        "from types import SimpleNamespace as S\n"
        "try:\n    open_runtime(Path('none.onnx'), S(input_node='a', output_node='b'))\n"
        "except Exception as error:\n    print(type(error).__name__)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True,
                          env={**os.environ, "TMPDIR": str(tmp_path / "tmp")})  # fmt: skip
    assert done.stdout.strip() == "NoSuchFile", done.stderr
    assert list((tmp_path / "tmp").iterdir()) == []
