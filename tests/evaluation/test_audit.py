"""Each rule of the audit on faults planted among small arrays and files."""

import csv
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import TINY, age, write_colour_tree
from PIL import Image

from retrain.data.config import DataConfig
from retrain.data.decoding.decode import Recipe
from retrain.data.decoding.formats import FORMATS
from retrain.data.digests import digest_of
from retrain.data.looks import Look, keep_looks, kept_looks, look_at, looked_at, looks_at
from retrain.errors import RetrainError
from retrain.evaluation.audit.audit import Audit, leaks, run_audit
from retrain.evaluation.audit.balance import balance
from retrain.evaluation.audit.checks import CHECKS, Check
from retrain.evaluation.audit.evidence import Evidence
from retrain.evaluation.audit.files import misnamed, one_colour, too_large, too_small
from retrain.evaluation.audit.finding import Finding
from retrain.evaluation.audit.listing import audit_lines, write_audit_csv, write_audit_json
from retrain.evaluation.audit.outliers import outliers
from retrain.evaluation.audit.suspects import expected_errors
from retrain.evaluation.audit.unseen import accuracy_of_unseen, seen_photos
from retrain.evaluation.scoring import Evaluation
from retrain.features.config import ExtractConfig
from retrain.features.dataset import prepare
from retrain.features.matrix import FeatureMatrix
from retrain.features.neighbours import nearest, unit_vectors
from retrain.utils.logs import console
from retrain.utils.text import plain

NETWORK = Recipe(128, 128)


def units(vectors: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-12), np.float32)


def clusters(rng: np.random.Generator, each: int, classes: int = 3) -> tuple[np.ndarray, ...]:
    """Features (n, 20) around one centre for each class, and labels (n,)."""
    labels = np.repeat(np.arange(classes), each)
    features = 3 * rng.normal(size=(classes, 20))[labels] + rng.normal(size=(len(labels), 20))
    return features.astype(np.float32), labels


def test_unit_vectors_have_length_one_and_point_the_same_way() -> None:
    stored = np.random.default_rng(0).normal(size=(9000, 4)).astype(np.float32)
    rows = np.arange(0, 9000, 2)
    matrix = FeatureMatrix([stored], np.zeros(9000, np.int64), np.arange(9000), width=4)
    np.testing.assert_allclose(unit_vectors(matrix, rows), units(stored[rows]), rtol=1e-5)


def test_nearest_neighbours_are_those_of_the_whole_table() -> None:
    vectors = units(np.random.default_rng(1).normal(size=(5000, 8)))  # more than one block
    found = nearest(vectors, 3)
    some = np.arange(0, 5000, 97)
    table = vectors[some] @ vectors.T
    table[np.arange(len(some)), some] = -9
    expected = np.sort(table, axis=1)[:, :-4:-1]
    np.testing.assert_allclose(found.similarity[some], expected, atol=1e-5)
    at = np.take_along_axis(table, found.rows[some], axis=1)
    np.testing.assert_allclose(at, expected, atol=1e-5)


def test_a_row_is_not_its_own_neighbour_among_many_equal_ones() -> None:
    found = nearest(units(np.ones((30, 4))), 5)
    assert found.rows.shape == (30, 5)
    assert not (found.rows == np.arange(30)[:, None]).any()


def test_photos_like_no_other_are_outliers_and_copies_do_not_hide_them() -> None:
    rng = np.random.default_rng(3)
    features, labels = clusters(rng, 60)
    odd = np.array([7, 8, 9])
    features[odd] = -3 * features[labels == 1].mean(axis=0)  # three copies of one odd picture
    found = outliers(nearest(units(features), 5), labels)
    assert {outlier.row for outlier in found} == set(odd.tolist())
    assert all(outlier.score > 3.5 for outlier in found)


def test_a_motley_class_is_not_all_outliers() -> None:
    rng = np.random.default_rng(4)
    features, labels = clusters(rng, 100, 2)
    other = 5 * rng.normal(size=(40, 20))
    features = np.concatenate([features, other])
    labels = np.concatenate([labels, np.full(40, 2)])
    assert len(outliers(nearest(units(features), 5), labels)) < 4


def test_the_balance_speaks_up_where_it_matters() -> None:
    assert balance(["a", "b"], [20, 30]).sentence() == ""
    uneven = balance(["a", "b", "c"], [300, 10, 40])
    assert (uneven.smallest, uneven.largest, uneven.ratio) == ("b", "a", 30)
    assert "'b' has 10 photos" in uneven.sentence() and "30.0 times" in uneven.sentence()


def noise(width: int, height: int) -> Image.Image:
    pixels = np.random.default_rng(width * height).integers(0, 256, (height, width, 3))
    return Image.fromarray(pixels.astype(np.uint8))


JUDGES = {
    "tiny": too_small,
    "oversized": too_large,
    "blank": one_colour,
    "mis_suffixed": misnamed,
}


def complaints(name: str, look: Look) -> list[tuple[str, str]]:
    told = [(kind, judge(name, look, NETWORK)) for kind, judge in JUDGES.items()]
    return [(kind, detail) for kind, detail in told if detail]


@pytest.mark.parametrize(
    ("name", "picture", "kinds"),
    [
        ("fine.jpg", noise(200, 100), []),
        ("fine.JPEG", noise(200, 100), []),
        ("fine.tiff", noise(40, 40), []),
        ("small.png", noise(300, 20), ["tiny"]),
        ("dot.png", Image.new("RGB", (1, 1)), ["tiny", "blank"]),
        ("white.png", Image.new("RGB", (200, 200), "white"), ["blank"]),
        ("clear.png", Image.new("RGBA", (200, 200), (9, 99, 9, 0)), ["blank"]),
        ("huge.png", Image.new("L", (9000, 6000)), ["oversized", "blank"]),
    ],
)
def test_odd_files(name: str, picture: Image.Image, kinds: list[str], tmp_path: Path) -> None:
    picture.save(tmp_path / name)
    look = look_at((tmp_path / name).read_bytes())
    assert (look.width, look.height) == picture.size
    assert [kind for kind, _ in complaints(name, look)] == kinds


def test_a_suffix_that_does_not_name_the_content(tmp_path: Path) -> None:
    for name in ("photo.jpg", "photo", "photo.txt"):
        noise(100, 100).save(tmp_path / name, format="PNG")
        look = look_at((tmp_path / name).read_bytes())
        ((kind, detail),) = complaints(name, look)
        assert kind == "mis_suffixed" and "a PNG file" in detail


def test_a_turned_photo_has_the_thumbnail_that_is_seen(tmp_path: Path) -> None:
    upright = noise(8, 12).resize((200, 300))
    upright.save(tmp_path / "upright.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    upright.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "turned.png", exif=exif)
    one, other = (look_at((tmp_path / f"{n}.png").read_bytes()) for n in ("upright", "turned"))
    assert np.abs(one.pixels().astype(int) - other.pixels()).mean() < 2


def test_a_photo_that_has_gone_is_an_expected_fault(tmp_path: Path) -> None:
    with pytest.raises(RetrainError, match=r"gone\.jpg could be read before"):
        looks_at({b"k" * 16: str(tmp_path / "gone.jpg")}, tmp_path)


def test_looks_are_kept_and_damaged_ones_taken_again(tmp_path: Path) -> None:
    paths = {}
    for size in (50, 60):
        path = tmp_path / f"{size}.png"
        noise(size, size).save(path)
        paths[digest_of(path.read_bytes())] = str(path)
    first = looks_at(paths, tmp_path)
    (kept,) = (tmp_path / "looks").iterdir()
    for path in paths.values():
        Path(path).rename(f"{path}.away")
    again = looks_at(paths, tmp_path)
    assert [(o.format, o.width, o.height, o.spread) for o in again.values()] == [
        (o.format, o.width, o.height, o.spread) for o in first.values()
    ]
    for key, look in again.items():
        assert look.small == first[key].small
    kept.write_bytes(kept.read_bytes()[:-3])
    with console() as messages, pytest.raises(RetrainError, match=r"50\.png could be read before"):
        looks_at(paths, tmp_path)
    assert "is damaged" in messages.warnings[0]


def test_looks_of_another_decoder_of_the_format_are_taken_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    noise(50, 50).save(tmp_path / "a.png")
    content = (tmp_path / "a.png").read_bytes()
    keep_looks(tmp_path, {digest_of(content): look_at(content)}, pytest.fail)
    assert looked_at(tmp_path, pytest.fail) == {digest_of(content)}
    assert kept_looks(tmp_path, pytest.fail).keys() == {digest_of(content)}
    monkeypatch.setitem(FORMATS, "PNG", replace(FORMATS["PNG"], decoder="libother 2"))
    assert looked_at(tmp_path, pytest.fail) == set()
    assert kept_looks(tmp_path, pytest.fail) == {}


def audit_of(root: Path, session_cache: Path) -> Audit:
    age(root)
    extract = ExtractConfig(tfhub_module=TINY, bottleneck_dir=session_cache / "bottlenecks")
    data = prepare(DataConfig(str(root)), extract, [], aside_csv=root.parent / "set_aside.csv")
    return run_audit(
        data.index,
        data.keys,
        data.features,
        sets=data.split.sets,
        recipe=data.recipe,
        looks=root.parent,
    )


def pattern(path: Path, seed: int, scale: float = 1, **save: int) -> None:
    """A picture with shapes of its own."""
    pixels = np.random.default_rng(seed).integers(0, 256, (6, 6, 3)).astype(np.uint8)
    big = Image.fromarray(pixels).resize((240, 240), Image.Resampling.BICUBIC)
    path.parent.mkdir(parents=True, exist_ok=True)
    big.resize((int(240 * scale),) * 2).save(path, **save)


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory, session_cache: Path) -> Audit:
    """Two sets as folders; copies within and across sets and classes; odd files."""
    root = tmp_path_factory.mktemp("faulty") / "photos"
    for name in ("train", "test"):
        write_colour_tree(root / name, 12 if name == "train" else 6)
    for place in (root / "test").rglob("*.png"):  # the tree repeats its pictures
        with Image.open(place) as image:
            image.rotate(90).save(place)
    pattern(root / "train/red/a.jpg", 1)
    pattern(root / "test/red/a-again.jpg", 1)
    pattern(root / "train/red/b.jpg", 2)
    pattern(root / "test/blue/b-smaller.jpg", 2, 0.6, quality=60)
    pattern(root / "train/blue/c.jpg", 3)
    pattern(root / "train/green/c.jpg", 3)
    pattern(root / "train/green/d_nohash_1.jpg", 4)
    pattern(root / "train/green/d_nohash_2.jpg", 4, 0.7, quality=70)
    pattern(root / "train/green/e.jpg", 5)
    pattern(root / "train/green/e.png.jpg", 5, 0.7, quality=70)
    pattern(root / "train/red/f.jpg", 6)
    with Image.open(root / "train/red/f.jpg") as image:
        image.crop((20, 10, 240, 220)).save(root / "test/red/f-cut.jpg")
    noise(100, 100).save(root / "train/blue/png.jpg", format="PNG")
    (root / "train/blue/broken.jpg").write_bytes(b"no picture")
    return audit_of(root, session_cache)


def pairs(audit: Audit, kind: str) -> dict[tuple[str, str], str]:
    return {(f.path, f.other): f.severity for f in audit.of_kind(kind)}


def test_the_accuracy_without_photos_that_are_seen_in_training(faulty: Audit) -> None:
    assert seen_photos(faulty) == {
        "test/red/a-again.jpg", "test/blue/b-smaller.jpg", "test/red/f-cut.jpg"
    }  # fmt: skip
    paths = ["test/red/a-again.jpg", "test/blue/b-smaller.jpg", "test/red/x.png", "test/red/y.png"]
    right = Evaluation(np.arange(4), np.array([0, 0, 0, 1]), np.eye(2)[[0, 0, 0, 0]])
    said = accuracy_of_unseen(faulty, right, paths)
    assert said.startswith("2 test photos of 4 have a copy, a crop or")
    assert said.endswith("accuracy of the other 2: 50.0% (9.5% to 90.5%), of all: 75.0%")
    assert f"warning: {said}" in audit_lines(faulty, Path("audit.csv"), said)
    others = Evaluation(right.rows[2:], right.truth[2:], right.probabilities[2:])
    assert accuracy_of_unseen(faulty, others, paths[2:]) == ""
    none = Evaluation(right.rows[:2], right.truth[:2], right.probabilities[:2])
    assert "no other is left" in accuracy_of_unseen(faulty, none, paths[:2])


def test_copies_are_told_by_sets_and_classes(faulty: Audit) -> None:
    assert pairs(faulty, "exact_duplicate") == {
        ("test/red/a-again.jpg", "train/red/a.jpg"): "error",
        ("train/blue/c.jpg", "train/green/c.jpg"): "warning",
    }
    assert pairs(faulty, "near_duplicate") == {
        ("test/blue/b-smaller.jpg", "train/red/b.jpg"): "error",
        ("train/green/e.jpg", "train/green/e.png.jpg"): "note",
    }
    assert pairs(faulty, "same_scene") == {("test/red/f-cut.jpg", "train/red/f.jpg"): "warning"}
    assert [(f.set, f.other_set) for f in leaks(faulty)] == [("test", "train")] * 2


def test_odd_files_are_findings(faulty: Audit) -> None:
    assert [f.path for f in faulty.of_kind("broken")] == ["train/blue/broken.jpg"]
    assert [f.path for f in faulty.of_kind("mis_suffixed")] == ["train/blue/png.jpg"]


def test_the_table_has_a_row_for_each_finding(faulty: Audit, tmp_path: Path) -> None:
    write_audit_csv(faulty, tmp_path / "audit.csv")
    with open(tmp_path / "audit.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["kind"], row["path"], row["other"]) for row in rows] == [
        (finding.kind, finding.path, finding.other) for finding in faulty.findings
    ]
    order = [list(CHECKS).index(row["kind"]) for row in rows]
    assert order == sorted(order)
    assert float(rows[0]["score"]) == 1.0


def test_the_json_counts_what_it_lists(faulty: Audit, tmp_path: Path) -> None:
    write_audit_json(faulty, tmp_path / "audit.json")
    told = json.loads((tmp_path / "audit.json").read_text(encoding="utf-8"))
    assert told["leaks"] == 2 and told["photos"] == faulty.photos
    assert sum(told["counts"].values()) == len(told["findings"]) == len(faulty.findings)
    assert set(told["counts"]) == set(CHECKS)


def test_the_summary_starts_with_the_leaks_and_stays_short(faulty: Audit) -> None:
    lines = audit_lines(faulty, Path("audit.csv"))
    assert lines[0].startswith("ERROR: 2 pairs of equal pictures in two sets")
    assert "test/red/a-again.jpg and train/red/a.jpg" in lines[1]
    assert len(lines) <= 5 * (len(CHECKS) + 1)


def test_a_label_worth_a_look_has_its_chance_and_two_remedies(
    tmp_path: Path, session_cache: Path
) -> None:
    write_colour_tree(tmp_path / "photos", 20)
    (tmp_path / "photos/red/000.png").rename(tmp_path / "photos/blue/red.png")
    audit = audit_of(tmp_path / "photos", session_cache)
    (found,) = audit.of_kind("suspected_label")
    assert (found.path, found.suggested, found.exclude) == ("blue/red.png", "red", True)
    assert found.score is not None and found.score > 0.5
    assert f"{100 * found.score:.0f} %: label it 'red', or exclude it" in found.detail
    (line,) = [line for line in audit_lines(audit, Path("audit.csv")) if "worth a look" in line]
    assert line.endswith(": 1, " + plain(expected_errors([found.score])))
    write_audit_csv(audit, tmp_path / "audit.csv")
    with open(tmp_path / "audit.csv", newline="", encoding="utf-8") as file:
        rows = {row["path"]: row for row in csv.DictReader(file)}
    row = rows["blue/red.png"]
    assert (row["suggested"], row["exclude"], row["score"]) == ("red", "yes", f"{found.score:.4f}")


def test_a_new_check_is_told_everywhere(
    tmp_path: Path, session_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def first(evidence: Evidence) -> Iterator[Finding]:
        yield evidence.photo("first", "note", 0, detail="comes first")

    monkeypatch.setitem(CHECKS, "first", Check("before all others", first))
    for label in ("red", "blue"):
        (tmp_path / "photos" / label).mkdir(parents=True)
        for number in range(6):
            noise(100 + number, 100).save(tmp_path / "photos" / label / f"{number}.png")
    audit = audit_of(tmp_path / "photos", session_cache)
    assert [f.path for f in audit.of_kind("first")] == ["blue/0.png"]
    assert "note: first (before all others): 1" in audit_lines(audit, Path("audit.csv"))
    write_audit_json(audit, tmp_path / "audit.json")
    assert json.loads((tmp_path / "audit.json").read_text(encoding="utf-8"))["counts"]["first"] == 1


def test_nothing_odd_is_said_in_one_line(faulty: Audit) -> None:
    clean = Audit(9, ("a", "b"), balance(["a", "b"], [5, 4]), ())
    assert audit_lines(clean, Path("audit.csv")) == ["nothing odd about 9 photos"]
