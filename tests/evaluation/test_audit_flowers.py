"""The audit on real photos, with faults planted among them."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest import age
from PIL import Image

from retrain.backbones.bundled import DEFAULT_MODULE
from retrain.data.config import DataConfig
from retrain.evaluation.audit.audit import Audit, leaks, run_audit
from retrain.features.config import ExtractConfig
from retrain.features.dataset import prepare

pytestmark = pytest.mark.slow


def audited(root: Path, session_cache: Path, module: str = DEFAULT_MODULE) -> Audit:
    age(root)
    extract = ExtractConfig(tfhub_module=module, bottleneck_dir=session_cache / "bottlenecks")
    data = prepare(DataConfig(str(root)), extract, [], aside_csv=root.parent / "set_aside.csv")
    return run_audit(
        data.index,
        data.keys,
        data.features,
        sets=data.split.sets,
        recipe=data.recipe,
        looks=root.parent,
    )


def photos_of(flower_photos: Path) -> list[Path]:
    return sorted(flower_photos.glob("*/*.jpg"))


def plant_swapped_labels(flower_photos: Path, root: Path, rng: np.random.Generator) -> set[str]:
    """A copy of the photos, 20 of them in a wrong folder; which those are, as paths."""
    photos = photos_of(flower_photos)
    classes = sorted({photo.parent.name for photo in photos})
    swapped = {photos[number] for number in rng.permutation(len(photos))[:20]}
    wrong = set()
    for photo in photos:
        label = photo.parent.name
        if photo in swapped:
            label = str(rng.choice([name for name in classes if name != label]))
            wrong.add(f"{label}/swapped-{photo.name}")
        name = f"swapped-{photo.name}" if photo in swapped else photo.name
        (root / label).mkdir(parents=True, exist_ok=True)
        shutil.copyfile(photo, root / label / name)
    return wrong


def plant_copies(flower_photos: Path, root: Path, rng: np.random.Generator) -> set[frozenset[str]]:
    """The photos in three sets, and 10 of them again in another, 5 of those saved anew."""
    sets = ("train", "validation", "test")
    places = {}
    for photo in photos_of(flower_photos):
        place = sets[rng.choice(3, p=(0.8, 0.1, 0.1))]
        places[photo] = f"{place}/{photo.parent.name}/{photo.name}"
        (root / place / photo.parent.name).mkdir(parents=True, exist_ok=True)
        shutil.copyfile(photo, root / places[photo])
    pairs = set()
    for number, chosen in enumerate(rng.permutation(len(places))[:10]):
        photo = list(places)[chosen]
        here = places[photo].split("/")[0]
        there = str(rng.choice([place for place in sets if place != here]))
        path = f"{there}/{photo.parent.name}/copy-{photo.name}"
        if number % 2:
            with Image.open(photo) as image:
                scale = rng.uniform(0.5, 0.8)
                size = (round(image.width * scale), round(image.height * scale))
                image.resize(size).save(root / path, quality=int(rng.integers(50, 86)))
        else:
            shutil.copyfile(photo, root / path)
        pairs.add(frozenset((places[photo], path)))
    return pairs


def pairs_of(audit: Audit) -> set[frozenset[str]]:
    found = audit.of_kind("exact_duplicate") + audit.of_kind("near_duplicate")
    return {frozenset((finding.path, finding.other)) for finding in found}


def test_most_swapped_labels_are_among_the_first_suspects(
    shared: Path, session_cache: Path, tmp_path: Path
) -> None:
    photos = shared / "data" / "flower_photos"  # all thousand: the rest says what is usual
    wrong = plant_swapped_labels(photos, tmp_path / "photos", np.random.default_rng(0))
    audit = audited(tmp_path / "photos", session_cache)
    suspects = [finding.path for finding in audit.of_kind("suspected_label")]
    assert len(wrong & set(suspects[:40])) >= 14


@pytest.mark.parametrize("seed", [0, 1])
def test_copies_in_other_sets_are_found(
    seed: int, flower_photos: Path, session_cache: Path, tmp_path: Path
) -> None:
    planted = plant_copies(flower_photos, tmp_path / "photos", np.random.default_rng(seed))
    audit = audited(tmp_path / "photos", session_cache)
    found = pairs_of(audit)
    assert len(planted) == 10 and planted <= found
    assert len(found - planted) <= 3
    leaking = {frozenset((leak.path, leak.other)) for leak in leaks(audit)}
    assert planted <= leaking <= found
