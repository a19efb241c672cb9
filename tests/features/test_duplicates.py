"""Photos of the same picture or scene: found, kept, and held together by the split."""

from pathlib import Path

import numpy as np
import pytest
from conftest import TINY, age
from PIL import Image, ImageOps

from retrain.commands.audit import audit_tree
from retrain.data.config import DataConfig
from retrain.data.looks import look_at
from retrain.errors import UsageFault
from retrain.evaluation.audit.audit import Audit, leaks
from retrain.features import duplicates
from retrain.features.config import ExtractConfig
from retrain.features.duplicates import alike_photos

CLASSES = ("a", "b")


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """48 pictures of two classes: of each original a smaller copy, a mirrored one and a crop."""
    root = tmp_path_factory.mktemp("alike") / "photos"
    rng = np.random.default_rng(0)
    for number in range(12):
        folder = root / CLASSES[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 256, (6, 6, 3)).astype(np.uint8)
        image = Image.fromarray(pixels).resize((180, 180), Image.Resampling.BICUBIC)
        image.save(folder / f"{number}.png")
        image.resize((140, 140)).save(folder / f"{number}-small.jpg", quality=70)
        ImageOps.mirror(image).save(folder / f"{number}-mirrored.jpg")
        image.crop((14, 5, 178, 165)).save(folder / f"{number}-cut.jpg")
    age(root)
    return root


def audited(tree: Path, cache: Path, **more: str) -> Audit:
    data = DataConfig(str(tree), testing_percentage=30, **more)  # type: ignore[arg-type]
    return audit_tree(data, ExtractConfig(tfhub_module=TINY, bottleneck_dir=cache), [])


def in_two_sets(audit: Audit) -> int:
    return sum(bool(found.other) and found.set != found.other_set for found in audit.findings)


def test_what_is_kept_together_is_in_one_set_and_leaks_are_gone(
    tree: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    torn = audited(tree, tmp_path)
    assert len(leaks(torn)) > 5 and in_two_sets(torn) > len(leaks(torn))
    with caplog.at_level("INFO"):
        whole = audited(tree, tmp_path, keep_together="duplicates")
    assert leaks(whole) == [] and in_two_sets(whole) == 0
    assert "Kept together in one set: " in caplog.text
    assert len(whole.of_kind("near_duplicate")) == len(torn.of_kind("near_duplicate")) >= 24
    assert len(whole.of_kind("same_scene")) == len(torn.of_kind("same_scene")) >= 11
    assert {found.set for found in whole.of_kind("near_duplicate")} >= {"train", "test"}


def test_pairs_are_kept_for_the_same_photos_and_features(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(1)
    looks = {}
    for number in range(4):
        pixels = rng.integers(0, 256, (5, 5, 3)).astype(np.uint8)
        image = Image.fromarray(pixels).resize((90, 90), Image.Resampling.BICUBIC)
        for name, side in (("whole", 90), ("small", 70)):
            image.resize((side, side)).save(tmp_path / "one.png")
            key = f"{name}{number}".ljust(16).encode()
            looks[key] = look_at((tmp_path / "one.png").read_bytes())
    units = np.eye(8, dtype=np.float32)
    found = alike_photos(units, list(looks), looks, folder=tmp_path)
    assert [(pair.first, pair.second) for pair in found if pair.picture] and all(
        pair.second == pair.first + 1 and pair.first % 2 == 0 for pair in found
    )
    assert len(found) == 4
    monkeypatch.setattr(duplicates, "find_alike", lambda *_: pytest.fail("found anew"))
    assert alike_photos(units, list(looks), looks, folder=tmp_path) == found
    with pytest.raises(pytest.fail.Exception, match="found anew"):
        alike_photos(units[::-1], list(looks), looks, folder=tmp_path)


def test_the_old_rule_of_names_keeps_no_duplicates_together() -> None:
    with pytest.raises(UsageFault, match="--split legacy"):
        DataConfig("photos", split="legacy", keep_together="duplicates")
