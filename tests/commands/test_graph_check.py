"""Features that another version of Pillow made: said where they differ a little, refused beyond."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import TINY, Run

from retrain.data import read

SHORT = ("--tfhub_module", TINY, "--how_many_training_steps", 50, "--no-report",
         "--summaries_dir", "")  # fmt: skip


def brighter(pixels: np.ndarray) -> np.ndarray:
    return np.clip(pixels.astype(np.int16) + 2, 0, 255).astype(np.uint8)


def turned(pixels: np.ndarray) -> np.ndarray:
    return np.roll(pixels, 1, axis=-1)  # other colours


@pytest.mark.parametrize(("change", "code"), [(brighter, 0), (turned, 4)])
def test_features_of_another_decoder(
    change: Callable[[np.ndarray], np.ndarray],
    code: int,
    run: Run,
    colour_tree: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    train = ("retrain", "--image_dir", colour_tree, *SHORT)
    cache = ("--bottleneck_dir", tmp_path / "cache")
    with monkeypatch.context() as then:
        pixels_of = read.pixels_of
        then.setattr(read, "pixels_of", lambda *given: change(pixels_of(*given)))
        done = run("retrain", "audit", "--image_dir", colour_tree, "--tfhub_module", TINY, *cache)
        assert done.returncode == 0, done.stderr
    done = run(*train, *cache)
    assert done.returncode == code, done.stderr
    assert "0 features computed" in done.stderr
    said = [line for line in done.stderr.splitlines() if "are not quite" in line]
    said = [line for line in said if not line.startswith("  ")]  # once more in the list at the end
    assert len(said) == 1 and "--bottleneck_dir" in said[0] and str(tmp_path / "cache") in said[0]
    assert "--engine" not in done.stderr
    again = run(*train, "--bottleneck_dir", tmp_path / "another")
    assert again.returncode == 0 and "not quite" not in again.stderr
