"""Photos of every kind that Python has get the answers of their files; answers are short."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import EXAMPLE_FLOWERS
from PIL import Image

import retrain
from retrain.errors import UsageFault
from retrain.inference.labeller import Labeller

PHOTO = sorted((EXAMPLE_FLOWERS / "daisy").glob("*.jpg"))[0]


@pytest.fixture(scope="module")
def classifier() -> Labeller:
    return retrain.load()


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A PNG, which is decoded alike from everywhere, on its side and with a clear corner."""
    with Image.open(PHOTO) as photo:
        picture = photo.convert("RGBA").resize((150, 100))
    picture.paste((0, 0, 0, 0), (0, 0, 30, 30))
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path_factory.mktemp("photos") / "small.png"
    picture.save(path, exif=exif)
    return path


def test_each_kind_gets_the_answer_of_the_file(classifier: Labeller, small: Path) -> None:
    with Image.open(small) as still_in_its_file, Image.open(small) as loaded:
        loaded.load()
        given: list[Any] = [
            small, str(small), small.read_bytes(), bytearray(small.read_bytes()),
            still_in_its_file, loaded,
        ]  # fmt: skip
        answers = classifier.label(given)
    assert len(answers) == len(given)
    for answer in answers:
        assert answer.problem is None and answer.labels == answers[0].labels
    assert [answer.name for answer in answers[1:4]] == [str(small), "photo 3", "photo 4"]
    assert classifier.label(small) == answers[0]
    assert classifier.label(small.read_bytes()).labels == answers[0].labels
    assert classifier.label(iter([small])) == [answers[0]]


def test_arrays_are_photos(classifier: Labeller) -> None:
    pixels = np.asarray(Image.open(PHOTO).resize((224, 224)))
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "png")
    wanted = classifier.label(buffer.getvalue()).labels
    assert classifier.label(pixels).labels == wanted
    turned = pixels[:, ::-1]
    assert [one.labels for one in classifier.label(np.stack([pixels, turned]))] == [
        wanted, classifier.label(turned).labels,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("photo", "said"),
    [
        (np.zeros((8, 8, 3), np.float32), "an array of float32"),
        (np.zeros((8, 8), np.uint8), r"an array of uint8 \(8, 8\)"),
        (np.zeros((8, 8, 4), np.uint8), "give uint8"),
        (np.zeros((0, 8, 3), np.uint8), "give uint8"),
        (5, "int is no photo: give a path, bytes"),
        ([5], "photo 1: int is no photo"),
        ([[PHOTO]], "list is no photo"),
        (None, "NoneType is no photo"),
    ],
)
def test_what_is_no_photo_is_refused(photo: Any, said: str, classifier: Labeller) -> None:
    with pytest.raises(UsageFault, match=said):
        classifier.label(photo)


def test_broken_photos_have_their_problem_and_the_rest_its_answers(
    classifier: Labeller, small: Path
) -> None:
    cut = Image.open(io.BytesIO(small.read_bytes()[:-2000]))
    answers = classifier.label([b"", b"no photo", cut, Image.new("F", (9, 9)), small], top_k=1)
    assert [bool(one.problem) for one in answers] == [True, True, True, True, False]
    assert "broken" in str(answers[2].problem) and "floating-point" in str(answers[3].problem)


def test_answers_are_short_and_harmless(classifier: Labeller, tmp_path: Path) -> None:
    missing = tmp_path / "<b>no</b>.jpg"
    answers = classifier.label([PHOTO, missing])
    assert repr(answers[0]).startswith(f"<{PHOTO}: daisy ") and len(repr(answers[0])) < 250
    assert "No such file" in repr(answers[1])
    for html in (answers._repr_html_(), answers[0]._repr_html_(), answers[1]._repr_html_()):
        assert html.startswith("<table>") and "<b>" not in html


def test_a_classifier_says_what_it_is(tmp_path: Path) -> None:
    assert repr(retrain.load()) == "<classifier 'imagenet'>"
    assert repr(retrain.load("g.pb", labels="l.txt", mean=0)) == (
        "<classifier 'g.pb', labels='l.txt', mean=0.0>"
    )
    assert "1001" in retrain.load()._repr_html_()
    assert "cannot read graph" in retrain.load(tmp_path / "no.pb")._repr_html_()


def test_a_wrong_override_names_the_near_one() -> None:
    for wrong, near in (("input_height", "height"), ("widht", "width"), ("output_layr",
                        "output_layer")):  # fmt: skip
        with pytest.raises(TypeError, match=rf"{wrong} \(did you mean {near}\?\)"):
            retrain.load("g.pb", **{wrong: 1})
