"""The thousand real photos, when they lie beside the checkout."""

import re
from pathlib import Path

import pytest
from conftest import Run

pytestmark = pytest.mark.slow


def test_a_fifth_of_the_flowers_is_named_right(shared: Path, run: Run, tmp_path: Path) -> None:
    photos = ("--image_dir", shared / "data" / "flower_photos")
    plain = run("retrain", *photos)
    assert plain.returncode == 0, plain.stderr
    assert (tmp_path / "work/output_graph.pb").exists()
    assert (tmp_path / "work/output_labels.txt").exists()

    done = run("retrain", *photos, "--testing_percentage", 20)
    assert done.returncode == 0, done.stderr
    assert "0 features computed, 999 cached; 0 photos read" in done.stderr
    found = re.search(r"Final test accuracy = ([\d.]+)% \(N=(\d+)\)", done.stdout)
    assert found and float(found[1]) >= 85.0 and int(found[2]) > 150
    # The set holds one photo twice, as a rose and as a tulip.
    assert "1 photo found, byte for byte, in two classes" in done.stderr
