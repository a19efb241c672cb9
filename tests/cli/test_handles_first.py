"""Every module of every command is looked up before any work: a mistyped one costs nothing."""

from pathlib import Path

import pytest
from conftest import TINY, write_colour_tree
from run_commands import run_command


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_colour_tree(tmp_path_factory.mktemp("photos") / "colours", 3)


@pytest.mark.parametrize(
    "typed",
    [
        f"modules compare {TINY} {{}} --image_dir TREE --bottleneck_dir b",
        f"modules fetch {TINY} {{}} --model_dir b",
        f"modules verify {TINY} {{}}",
        "modules show {}",
        "TREE --tfhub_module {} --bottleneck_dir b",
        "TREE --architecture {} --bottleneck_dir b",
        "TREE --tfhub_module {} --fine_tune all --bottleneck_dir b",
        "audit TREE --tfhub_module {} --bottleneck_dir b",
        "compare-heads TREE --tfhub_module {} --bottleneck_dir b",
    ],
)
def test_a_module_that_is_none_is_refused_before_any_work(
    typed: str, tree: Path, tmp_path: Path
) -> None:
    words = typed.format("mobilenet_v1_025_127").replace("TREE", str(tree)).split()
    done = run_command("retrain", *words, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "no module is called 'mobilenet_v1_025_127'" in done.stderr
    assert "did you mean mobilenet_v1_025_" in done.stderr
    assert done.stderr.count("\n") == 1 and list(tmp_path.iterdir()) == []
