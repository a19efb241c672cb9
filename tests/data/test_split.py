"""The split: which set a photo is in, and that adding photos or growing a set moves none."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from retrain.data.config import check_percentages
from retrain.data.digests import digest_of
from retrain.data.folder import Index, Photo
from retrain.data.layout import SET_WORDS
from retrain.data.split import (
    SETS,
    TEST,
    TRAIN,
    VALIDATION,
    legacy_percent,
    split_index,
)
from retrain.errors import UsageFault

# Path as retrain.py hashed it, its percent, its set at 10/10: computed from the old script.
GOLDEN = [
    ("flower_photos", "daisy/21652746_cc379e0eea_m.jpg", 76.2628441771, TRAIN),
    ("/tmp/flower_photos", "daisy/21652746_cc379e0eea_m.jpg", 96.3020510696, TRAIN),
    ("flower_photos//", "daisy/21652746_cc379e0eea_m.jpg", 74.9891383573, TRAIN),
    ("data", "cat/leaf_nohash_1.jpg", 23.7340712826, TRAIN),
    ("data", "cat/leaf_nohash_2.jpg", 23.7340712826, TRAIN),
    ("data", "cat/leaf", 23.7340712826, TRAIN),
    ("data", "dog/a.jpg", 14.3569552478, TEST),
    ("data", "日本/a.jpg", 12.9783631338, TEST),
]

Contents = Mapping[str, str]  # path -> a text that stands for the photo's bytes


def tree(contents: Contents, typed: str = "img", given: bool = False) -> Index:
    """An index as `read_tree` would make it; with `given`, the first folder names the set."""
    class_of = {path: path.split("/")[1 if given else 0] for path in contents}
    classes = sorted(set(class_of.values()))
    photos = []
    for path in sorted(contents, key=lambda path: (class_of[path], path)):
        given_set = SET_WORDS[path.split("/")[0]] if given else None
        photos.append(Photo(path, classes.index(class_of[path]), (1, 1, 1, 1, 1), given_set))
    return Index(Path(typed), typed, tuple(classes), tuple(photos))


def digests_of(contents: Contents) -> dict[str, bytes]:
    return {path: digest_of(text.encode()) for path, text in contents.items()}


def split(
    contents: Contents, testing: int = 10, validation: int = 10, rule: str = "content", **more: Any
) -> dict[str, int]:
    """The set of each photo, by path."""
    index = tree(contents, **more)
    found = split_index(index, digests_of(contents), testing, validation=validation, rule=rule)
    assert (found.sets.shape, found.sets.dtype) == ((len(index.photos),), np.int8)
    return dict(zip((photo.path for photo in index.photos), found.sets.tolist(), strict=True))


def remarks(contents: Contents, given: bool = False) -> tuple[str, ...]:
    index = tree(contents, given=given)
    return split_index(index, digests_of(contents), 10, validation=10, rule="content").remarks


def many(name: str, count: int, start: int = 0) -> dict[str, str]:
    """`count` different photos of one class."""
    return {f"{name}/{number}.jpg": f"{name} {number}" for number in range(start, start + count)}


def sets_used(found: Mapping[str, int], name: str) -> set[int]:
    return {which for path, which in found.items() if path.startswith(f"{name}/")}


@pytest.mark.parametrize(("typed", "path", "percent", "which"), GOLDEN)
def test_legacy_golden(typed: str, path: str, percent: float, which: int) -> None:
    joined = typed + path if typed.endswith("/") else f"{typed}/{path}"
    assert legacy_percent(joined) == pytest.approx(percent, abs=1e-9)
    index = tree({path: "x"}, typed)
    assert split_index(
        index, digests_of({path: "x"}), 10, validation=10, rule="legacy"
    ).sets.tolist() == [which]


def test_legacy_depends_on_the_typed_root_but_not_its_slash() -> None:
    contents = many("a", 100)
    found = {
        typed: split_index(
            tree(contents, typed), digests_of(contents), 10, validation=10, rule="legacy"
        ).sets
        for typed in ("img", "img/", "./img")
    }
    assert np.array_equal(found["img"], found["img/"])
    assert not np.array_equal(found["img"], found["./img"])


def test_content_sets_are_disjoint_and_complete() -> None:
    contents = {**many("a", 400), **many("b", 400)}
    index = tree(contents)
    found = split_index(index, digests_of(contents), 10, validation=20, rule="content")
    rows = np.concatenate([found.rows(which) for which in range(len(SETS))])
    assert sorted(rows.tolist()) == list(range(800))
    assert (
        np.abs(found.counts(np.array([p.label for p in index.photos]), 2) - [280, 80, 40]).max()
        < 40
    )
    assert found.remarks == ()


def test_content_does_not_depend_on_names() -> None:
    contents = many("a", 60) | many("b", 60)
    renamed = {
        f"{path[0]}/deep/{len(contents) - number}.png": text
        for number, (path, text) in enumerate(contents.items())
    }
    by_text = {contents[path]: which for path, which in split(contents).items()}
    assert by_text == {renamed[path]: which for path, which in split(renamed).items()}
    assert split(contents) == split(contents, typed="./img") == split(contents, typed="/data/img")


def test_content_adding_photos_moves_none() -> None:
    rng = np.random.default_rng(1)
    contents = {
        f"{c}/s{n}_nohash_{k}.jpg": f"{c}{n}{k}" for c in "ab" for n in range(20) for k in "01"
    }
    contents |= many("a", 80) | many("b", 80)
    before = split(contents)
    assert sets_used(before, "a") == sets_used(before, "b") == {TRAIN, VALIDATION, TEST}
    for round_number in range(60):
        kind, name = rng.integers(4), "abc"[rng.integers(3)]
        number, copies = int(rng.integers(1000)), int(rng.integers(1, 30))
        if kind == 0:
            added = many(name, copies, 1000 * (round_number + 1))
        elif kind == 1:  # copies of photos that are there already
            old = [p for p in sorted(contents) if p.startswith("a/") and "_nohash_" not in p]
            added = {f"a/copy{round_number}-{k}.jpg": contents[old[k]] for k in range(copies)}
        elif kind == 2:  # more of the same shots
            added = {
                f"a/s{number % 20}_nohash_{round_number}-{k}": f"{round_number}.{k}" for k in "234"
            }
        else:
            added = {f"{name}/new{number}_nohash_{k}": f"{name}{number} {k}" for k in range(copies)}
        contents |= added
        after = split(contents)
        assert before == {path: after[path] for path in before}
        if sum(path.startswith("c/") for path in after) >= 150:  # no longer lends photos
            before = after


@pytest.mark.parametrize("count", [3, 4, 5, 8, 13, 30, 300])
def test_content_growing_validation_keeps_validation(count: int) -> None:
    for number in range(20):
        contents = many(f"class {number}", count)
        old: set[str] = set()
        for validation in (1, 5, 10, 20, 35, 50, 70, 85):
            found = split(contents, 10, validation)
            new = {path for path, which in found.items() if which == VALIDATION}
            assert old <= new
            old = new


@pytest.mark.parametrize("percentages", [(10, 10), (1, 1), (1, 98), (98, 1), (49, 50)])
def test_content_small_classes(percentages: tuple[int, int]) -> None:
    contents: dict[str, str] = {}
    for number in range(300):
        contents |= many(f"{1 + number % 6} of {number}", 1 + number % 6)
    found = split(contents, *percentages)
    for name in {path.split("/")[0] for path in contents}:
        expected = {"1": {TRAIN}, "2": {TRAIN, TEST}}.get(name[0], {TRAIN, VALIDATION, TEST})
        assert sets_used(found, name) == expected


def test_content_copies_do_not_count_as_photos() -> None:
    for number in range(30):
        contents = {f"a/{k}.jpg": f"{number}-{k % 2}" for k in range(10)}
        found = split(contents)
        assert sets_used(found, "a") == {TRAIN, TEST}
        assert len({(found[path], text) for path, text in contents.items()}) == 2


def test_content_equal_bytes_land_together() -> None:
    rng = np.random.default_rng(2)
    contents = {f"{'ab'[n % 2]}/{n}.jpg": str(rng.integers(150)) for n in range(600)}
    found = split(contents)
    assert len({(text, found[path]) for path, text in contents.items()}) == len(
        set(contents.values())
    )


@pytest.mark.parametrize("rule", ["content", "legacy"])
def test_siblings_land_together(rule: str) -> None:
    contents = {f"a/{n}_nohash_{k}.jpg": f"{n} {k}" for n in range(60) for k in range(4)}
    found = split(contents, rule=rule)
    assert sets_used(found, "a") == {TRAIN, VALIDATION, TEST}
    for number in range(60):
        assert len({found[f"a/{number}_nohash_{k}.jpg"] for k in range(4)}) == 1


def test_content_percentages_of_zero() -> None:
    contents = many("a", 100) | many("b", 2) | many("c", 1)
    assert set(split(contents, 0, 0).values()) == {TRAIN}
    assert set(split(contents, 10, 0).values()) == {TRAIN, TEST}
    assert sets_used(split(contents, 0, 10), "b") == {TRAIN, VALIDATION}
    assert set(split(contents, 0, 0, "legacy").values()) == {TRAIN}


@pytest.mark.parametrize("rule", ["content", "legacy"])
def test_given_sets_are_respected(rule: str) -> None:
    contents = {
        f"{s}/{c}/{n}.jpg": f"{s}{c}{n}"
        for s in ("train", "val", "test")
        for c in "ab"
        for n in "123"
    }
    found = split(contents, rule=rule, given=True)
    assert {path: SETS[which] for path, which in found.items()} == {
        path: SET_WORDS[path.split("/")[0]] for path in contents
    }


@pytest.mark.parametrize(("kept", "carved"), [("test", VALIDATION), ("valid", TEST)])
def test_given_sets_missing_one_is_carved_from_train(kept: str, carved: int) -> None:
    contents = {f"train/{name}/{n}": f"{name}{n}" for name in "ab" for n in range(50)}
    contents |= {f"{kept}/{name}/{n}": f"{kept}{name}{n}" for name in "ab" for n in range(50)}
    found = split(contents, 10, 10, given=True)
    assert sets_used(found, kept) == {SETS.index(SET_WORDS[kept])}
    for name in "ab":
        assert sets_used(found, f"train/{name}") == {TRAIN, carved}


def test_remark_on_equal_bytes_in_two_classes() -> None:
    (remark,) = remarks(many("a", 20) | many("b", 20) | {"b/same.jpg": "a 3"})
    assert "1 photo" in remark and "a/3.jpg and b/same.jpg" in remark
    assert remarks(many("a", 20) | {"a/same.jpg": "a 3"}) == ()


def test_remark_on_equal_bytes_across_given_sets() -> None:
    contents = {
        f"{s}/{c}/{n}": f"{s}{c}{n}" for s in ("train", "test") for c in "ab" for n in "123"
    }
    (remark,) = remarks(contents | {"test/a/9": "traina1"}, given=True)
    assert "two sets" in remark and "test/a/9" in remark and "train/a/1" in remark


@pytest.mark.parametrize("faulty", [(-1, 10), (10, -1), (101, 0), (0, 100), (50, 50), (100, 0)])
def test_check_percentages(faulty: tuple[int, int]) -> None:
    with pytest.raises(UsageFault, match=r"_percentage") as caught:
        check_percentages(*faulty)
    assert len(str(caught.value).splitlines()) == 1
    for fine in [(0, 0), (10, 10), (0, 99), (99, 0), (49, 50)]:
        check_percentages(*fine)


def test_tied_photos_share_a_set_and_no_other_photo_moves() -> None:
    contents = {f"c{n % 3}/{n}.jpg": str(n) for n in range(300)}
    index, digests = tree(contents), digests_of(contents)
    paths = list(contents)
    tied = [tuple(paths[start : start + 4]) for start in range(0, 120, 4)]
    ties = [(digests[one], digests[group[0]]) for group in tied for one in group[1:]]

    def divided(given: list[tuple[bytes, bytes]]) -> dict[str, int]:
        found = split_index(index, digests, 20, validation=20, rule="content", ties=given)
        assert not found.remarks
        return {p.path: int(w) for p, w in zip(index.photos, found.sets, strict=True)}

    before, after = divided([]), divided(ties)
    for group in tied:
        assert len({after[path] for path in group}) == 1
        assert after[group[0]] in {before[path] for path in group}
    assert all(after[path] == before[path] for path in paths[120:])
    assert divided(ties[::-1]) == after


def test_tied_photos_in_given_sets_stay_and_that_is_said() -> None:
    contents = {
        f"{s}/{c}/{n}.jpg": f"{s}{c}{n}" for s in ("train", "test") for c in "ab" for n in "12"
    }
    index, digests = tree(contents, given=True), digests_of(contents)
    ties = [(digests["train/a/1.jpg"], digests["test/a/1.jpg"])]
    found = split_index(index, digests, 10, validation=0, rule="content", ties=ties)
    assert [SETS[which] for which in found.sets] == [p.given_set for p in index.photos]
    assert found.remarks == (
        "1 pair of duplicates in two sets, as their folders say: --keep_together moves no photo "
        "of a given set (the first: train/a/1.jpg and test/a/1.jpg)",
    )
