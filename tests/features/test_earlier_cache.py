"""A cache that an earlier version filled is found again: no feature is computed twice."""

import shutil
from pathlib import Path

from conftest import EXAMPLE_FLOWERS, TINY, Run

# Filled on 25 November 2026 by `retrain --tfhub_module mobilenet_v1_025_128` on the photos below.
EARLIER = Path(__file__).parent / "earlier_cache"
CLASSES, PHOTOS = 3, 6


def test_features_of_an_earlier_version_are_found(run: Run, tmp_path: Path) -> None:
    for source in sorted(path for path in EXAMPLE_FLOWERS.iterdir() if path.is_dir())[:CLASSES]:
        (tmp_path / "photos" / source.name).mkdir(parents=True)
        for photo in sorted(source.glob("*.jpg"))[:PHOTOS]:
            shutil.copy2(photo, tmp_path / "photos" / source.name)
    shutil.copytree(EARLIER, tmp_path / "cache")
    before = sorted(path.name for path in (tmp_path / "cache").glob("*/shards/*"))
    done = run("retrain", "--image_dir", tmp_path / "photos", "--tfhub_module", TINY,
               "--how_many_training_steps", 5, "--no-report", "--summaries_dir", "",
               "--bottleneck_dir", tmp_path / "cache")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert f"0 features computed, {CLASSES * PHOTOS} cached" in done.stderr
    assert sorted(path.name for path in (tmp_path / "cache").glob("*/shards/*")) == before
