"""When two names mean the same class: in folders of sets, a graph's labels, on the command line."""

import unicodedata
from pathlib import Path

import pytest
from test_tree import put

from retrain.data.folder import read_tree
from retrain.data.name_matching import legacy_label, match_name, match_names
from retrain.errors import UsageFault
from retrain.evaluation.gates import check_recall_labels


def nfc(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def nfd(name: str) -> str:
    return unicodedata.normalize("NFD", name)


SAME = [
    ("rose", "rose"),
    (nfc("Mädesüß"), nfd("Mädesüß")),
    (nfc("한국"), nfd("한국")),
    (nfc("が"), nfd("が")),
    ("Red", "red"),
    (nfc("Ölweide"), nfd("ölweide")),
    ("rose ", "rose"),
    ("Red_Rose", "red rose"),
    ("GREEN-leaf", "green leaf"),
    ("Rose (red)", "rose red "),
    ("Rose (red)", "rose red"),  # as a labels file without blanks at its lines' ends has it
    (nfc("Blaue Blüte"), legacy_label(nfc("Blaue Blüte"))),
    (nfc("Blaue Blüte"), legacy_label(nfd("Blaue Blüte"))),
    (nfd("Blaue Blüte"), legacy_label(nfc("Blaue Blüte"))),
    (nfd("Blaue Blüte"), legacy_label(nfd("Blaue Blüte"))),
    ("日本", " "),
]


@pytest.mark.parametrize(("name", "other"), SAME)
def test_names_that_mean_the_same(name: str, other: str) -> None:
    assert match_name(name, ["else", other]) == 1
    assert match_name(other, ["else", name]) == 1
    check_recall_labels([(name, 0.5)], ["else", other])


@pytest.mark.parametrize(
    ("name", "other"),
    [("rose", "roses"), ("Red_Rose", "red-rose!"), ("a b", "ab"), ("é", "è"), ("日本", "中国")],
)
def test_names_that_mean_another_class(name: str, other: str) -> None:
    assert match_name(name, [other]) is None
    with pytest.raises(UsageFault, match="no such class"):
        check_recall_labels([(name, 0.5)], [other])


def test_a_closer_name_comes_first() -> None:
    assert match_names(["red", "Red"], ["Red", "red"]) == {0: 1, 1: 0}
    assert match_names(["Red", "red"], ["red"]) == {1: 0}
    assert match_names(["a", "A "], ["A", "a "]) == {}  # either might be meant
    assert match_names([nfc("ä"), nfd("ä")], [nfd("ä"), nfc("ä")]) == {0: 1, 1: 0}
    assert match_names(["Red_Rose", "red-rose"], ["red rose"]) == {}
    assert match_names(["crane"], ["crane", "crane"]) == {0: 1}  # as ImageNet has them


@pytest.mark.parametrize(("name", "other"), [pair for pair in SAME if pair[0] != pair[1]])
def test_sets_with_names_that_mean_the_same(tmp_path: Path, name: str, other: str) -> None:
    root = put(tmp_path, f"train/{name}/1.jpg", "train/zz/1.jpg", f"test/{other}/1.jpg")
    index = read_tree(str(root))
    assert index.classes == tuple(sorted((name, "zz")))
    assert all(Path(index.full_path(photo)).is_file() for photo in index.photos)
    said = [remark for remark in index.remarks if "one class" in remark]
    if nfc(name) == nfc(other):
        assert not said
    else:
        assert f"'train/{name}'" in said[0] and f"'test/{other}'" in said[0]


def test_one_folder_written_in_two_ways(tmp_path: Path) -> None:
    files = [f"{nfc('ä')}/1.jpg", f"{nfd('ä')}/2.jpg", "b/3.jpg"]
    index = read_tree(str(put(tmp_path, *files)))
    assert len(index.classes) == 2 and len(index.photos) == 3
    assert sorted(index.counts()) == [1, 2]
    assert all(Path(index.full_path(photo)).is_file() for photo in index.photos)
    (remark,) = index.remarks
    assert "NFC and NFD" in remark


def test_names_that_are_easily_taken_for_each_other_are_said(tmp_path: Path) -> None:
    index = read_tree(str(put(tmp_path, "red/1.jpg", "red /2.jpg", "Blue/1.jpg")))
    assert index.classes == ("Blue", "red", "red ")
    blank, alike = index.remarks
    assert "blank" in blank and "'red '" in blank
    assert "'red'" in alike and "'red '" in alike
