"""The confusion matrix for slides: PNG and SVG beside the page."""

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from retrain.evaluation.metrics import Metrics, compute_metrics
from retrain.reporting.html.matrix_picture import (
    as_picture,
    as_svg,
    lay_out,
    matrix_places,
    write_matrix,
)

SVG = "{http://www.w3.org/2000/svg}"
LONG = "photographed from above in the greenhouse of the old town"  # 60 letters, about
NAMES = ["a&b <i>\"'", "漢字 \udce9", LONG]


def metrics_of(labels: list[str]) -> Metrics:
    """Each class has three photos; one of the first's is taken for the second."""
    truth = np.repeat(np.arange(len(labels)), 3)
    answers = truth.copy()
    answers[0] = 1
    return compute_metrics(
        np.eye(len(labels))[answers], truth, labels, rng=np.random.default_rng(0)
    )


@pytest.mark.parametrize(
    ("page", "png"),
    [
        ("report.html", "report_matrix.png"),
        ("pages/tiny_report.htm", "pages/tiny_report_matrix.png"),
    ],
)
def test_the_pictures_lie_beside_the_page_under_its_name(page: str, png: str) -> None:
    assert matrix_places(Path(page)) == [Path(png), Path(png).with_suffix(".svg")]


def test_both_show_title_names_and_numbers(tmp_path: Path) -> None:
    write_matrix(metrics_of(NAMES), "flowers: 88.9 % of 9 test photos", tmp_path / "report.html")
    drawn = ElementTree.parse(tmp_path / "report_matrix.svg").getroot()
    texts = [text.text for text in drawn.iter(f"{SVG}text")]
    assert texts[:3] == ["flowers: 88.9 % of 9 test photos", "answer", "true class"]
    names = [NAMES[0], "漢字 \N{REPLACEMENT CHARACTER}", LONG]
    assert texts[3:9] == [name for name in names for _ in range(2)]
    assert texts[9:] == ["2", "1", "3", "3"]
    with Image.open(tmp_path / "report_matrix.png") as picture:
        assert picture.format == "PNG" and 1200 <= picture.width < 2400
        assert not picture.info  # no date: the same run gives the same bytes
        ratio = picture.width / float(drawn.get("width", 0))
        assert picture.height == ratio * float(drawn.get("height", 0))
        for square in list(drawn.iter(f"{SVG}rect"))[2:]:  # its corner has the square's colour
            x, y = (float(square.get(side, 0)) * ratio for side in "xy")
            assert f"rgb{picture.getpixel((round(x) + 2, round(y) + 2))}" == square.get("fill")


@pytest.mark.parametrize(("classes", "names", "numbers"), [(2, 4, 3), (32, 64, 33), (60, 120, 0),
                                                           (61, 0, 0), (250, 0, 0)])  # fmt: skip
def test_names_and_numbers_are_left_out_where_they_have_no_room(
    classes: int, names: int, numbers: int
) -> None:
    drawing = lay_out(metrics_of([f"c{number}" for number in range(classes)]), "title")
    assert len(drawing.lines) == 3 + names + numbers
    assert len(drawing.squares) == 1 + classes + 1
    assert drawing.width >= 3 * classes and drawing.height >= 3 * classes
    for square in drawing.squares:
        assert 0 <= square.x and square.x + square.side <= drawing.width
        assert 0 <= square.y and square.y + square.side <= drawing.height
    ElementTree.fromstring(as_svg(drawing))
    assert as_picture(drawing).width >= 1200 or classes > 250
