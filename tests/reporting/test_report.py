"""The page of a run: what it says, what it carries, and that a real browser shows it."""

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass, replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from conftest import EXAMPLE_FLOWERS
from made_up_run import draw, inputs_of, page_of
from PIL import Image
from run_commands import PATIENCE_S

from retrain.evaluation.calibration import Trial
from retrain.evaluation.learning_curve import LearningCurve
from retrain.evaluation.metrics import ReliabilityBin, compute_metrics
from retrain.evaluation.next_steps import Step
from retrain.evaluation.verdict import judge
from retrain.reporting.html import page, plots
from retrain.reporting.html.facts import ReportInputs, ScoredPhotos
from retrain.reporting.thumbnails import data_uri, draw_photos
from retrain.training.curve import CurvePoint

pytestmark = pytest.mark.slow


class Reader(HTMLParser):
    """What a browser would take from the page: the tags, and the text outside of scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.sections: list[str] = []
        self.text = ""
        self.data = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag == "section":
            self.sections.append(str(dict(attrs)["id"]))

    def handle_data(self, data: str) -> None:
        if self.lasttag == "script" and data.startswith("{"):
            self.data = data
        elif self.lasttag not in ("script", "style"):
            self.text += data


ALL = ["confusion", "classes", "earlier", "mistakes", "uncertain", "batch", "labels", "copies",
       "remarks", "photos", "more", "calibration", "training", "run"]  # fmt: skip


@dataclass(frozen=True)
class Shown:
    """A run, its page as text, and what a browser would take from that."""

    inputs: ReportInputs
    text: str
    read: Reader


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Shown:
    """The page of a run of five classes, made once for the tests that read it."""
    folder = tmp_path_factory.mktemp("page")
    inputs = inputs_of(folder, 5)
    text = page_of(inputs, folder)
    return Shown(inputs, text, Reader(text))


def test_the_page_has_every_section_and_says_the_accuracy_with_its_interval(shown: Shown) -> None:
    inputs, read = shown.inputs, shown.read
    assert read.sections == ALL
    accuracy, interval = inputs.metrics.accuracy, inputs.metrics.accuracy_interval
    assert accuracy is not None and interval is not None
    assert f"{accuracy * 100:.1f}\N{NO-BREAK SPACE}%" in read.text
    assert f"{interval.low * 100:.1f} to {interval.high * 100:.1f}" in read.text
    assert "retrain --image_dir flowers" in read.text and "/tmp/output_graph.pb" in read.text
    assert "gone.jpg: the file is empty" in read.text
    assert "about 80\N{NO-BREAK SPACE}% should be wrong" in read.text
    assert f"{inputs.labels[1]} or exclude?" in read.text


def test_the_verdict_comes_first_and_says_what_the_terminal_says(shown: Shown) -> None:
    verdict, text = shown.inputs.verdict, shown.read.text
    assert verdict.weakest is not None
    said = [verdict.usable, verdict.sure, verdict.weakest.sentence(), verdict.steps[0].what,
            verdict.steps[0].command, verdict.steps[1].command,
            "What is taken for what"]  # fmt: skip
    assert sorted(said, key=text.index) == said
    assert '<a href="#labels">Check the labels of 1 photo</a>' in shown.text
    assert f"<title>Flowers, retrained: {verdict.tested.share * 100:.1f}\xa0% of 200" in shown.text


def test_the_page_says_the_accuracy_of_photos_that_are_not_seen_in_training(
    shown: Shown, tmp_path: Path
) -> None:
    said = "3 test photos of 90 have a copy; accuracy of the other 87: 91.0% (83% to 95%)"
    page = Reader(page_of(replace(shown.inputs, unseen=said), tmp_path))
    assert said in page.text and said not in shown.read.text


def test_the_earlier_graph_stands_beside_the_new_one(shown: Shown) -> None:
    comparison, text = shown.inputs.comparison, shown.text
    assert comparison is not None
    earlier = text[text.index('id="earlier"') : text.index('id="mistakes"')]
    for share in (comparison.new_accuracy, comparison.earlier_accuracy):
        assert f"{share * 100:.1f}\xa0%" in earlier
    assert comparison.difference.words() in earlier and "/tmp/earlier.pb" in earlier
    rows = re.findall(r'<tr><th scope="row">(class \d).*?([+-][\d.]+)</td></tr>', earlier)
    assert len(rows) == 5 and rows[0][0] == "class 0"  # the only one that got worse
    assert [float(change) for _, change in rows] == sorted(float(change) for _, change in rows)
    assert "Now wrong" in earlier and "Now right" in earlier and "before class 0" in earlier


def test_what_is_not_known_is_left_out(tmp_path: Path) -> None:
    inputs = inputs_of(
        tmp_path, 5, counts=None, uncalibrated=None, calibration=None, training=(),
        learning_curve=None, audit=None, facts=(), outputs=(), maps={}, comparison=None,
    )  # fmt: skip
    read = Reader(page_of(inputs, tmp_path))
    assert read.sections == ["confusion", "classes", "mistakes", "uncertain", "batch",
                             "calibration"]  # fmt: skip
    assert "before" not in read.text and "speaks for" not in read.text


def test_the_page_says_whether_calibration_helps_and_praises_none_that_does_not(
    tmp_path: Path,
) -> None:
    inputs = inputs_of(tmp_path, 5)
    kept = Reader(page_of(inputs, tmp_path)).text
    assert "Calibration is kept because it helps: on folds of the 40 validation photos" in kept
    assert "too sure" in kept and "did not help" not in kept
    worse = inputs_of(
        tmp_path, 5, metrics=inputs.uncalibrated, uncalibrated=inputs.metrics,
    )  # fmt: skip
    assert "On the 200 test photos it did not help." in Reader(page_of(worse, tmp_path)).text
    without = inputs_of(
        tmp_path,
        5,
        uncalibrated=None,
        calibration=Trial(0.6, 40, (0.7, 0.9), (0.02, 0.1), (0.5, 0.7)),
    )
    left = Reader(page_of(without, tmp_path)).text
    assert "Calibration is left out because it does not help" in left and "kept" not in left
    untried = inputs_of(tmp_path, 5, uncalibrated=None, calibration=None)
    assert "Calibration is" not in Reader(page_of(untried, tmp_path)).text


def test_a_page_without_test_photos_says_so(tmp_path: Path) -> None:
    nothing = np.zeros((0, 3), np.float32)
    labels, truth = ["a", "b", "c"], np.zeros(0, np.int64)
    metrics = compute_metrics(nothing, truth, labels, rng=np.random.default_rng(0))
    inputs = inputs_of(
        tmp_path, 3, learning_curve=None, uncalibrated=None, comparison=None,
        photos=ScoredPhotos([], truth, nothing), metrics=metrics,
        verdict=judge(metrics, (), Step("Use it")),
    )  # fmt: skip
    read = Reader(page_of(inputs, tmp_path))
    assert "Nobody can say whether it can be used: there is no test photo." in read.text
    assert read.sections == ["labels", "copies", "remarks", "photos", "training", "run"]


def test_training_without_validation_photos_has_its_curve(shown: Shown, tmp_path: Path) -> None:
    assert shown.text.count(">validation</text>") == 2  # of the photos in each set, too
    points = [CurvePoint(step, 0.5, 1.0, None, None) for step in (0, 10)]
    text = page_of(inputs_of(tmp_path, 2, training=points), tmp_path)
    assert ">training</text>" in text
    assert text.count(">validation</text>") == 1  # of the photos in each set


def test_names_cannot_break_the_page(tmp_path: Path) -> None:
    nasty = ["<script>alert(1)</script>", "a&b\"'", "$x^$ \udce9", "</script><b>", "{{ 7*7 }} 漢字"]
    path = os.fsdecode(b"caf\xe9<i>'\".jpg")
    draw(tmp_path / path, 1)
    plain = inputs_of(tmp_path, 5, 40)
    photos = ScoredPhotos([path] * 40, plain.photos.truth, plain.photos.probabilities)
    metrics = compute_metrics(
        photos.probabilities, photos.truth, nasty, rng=np.random.default_rng(0)
    )
    text = page_of(
        inputs_of(tmp_path, 5, 40, labels=nasty, photos=photos, metrics=metrics, title=nasty[0]),
        tmp_path,
    )
    read = Reader(text)
    assert read.tags.count("script") == 2
    for name in (nasty[0], nasty[1], nasty[3], nasty[4], "$x^$ \N{REPLACEMENT CHARACTER}"):
        assert name in read.text
    assert "caf\N{REPLACEMENT CHARACTER}<i>'\".jpg" in read.text
    behind = json.loads(read.data)
    assert behind["labels"] == nasty
    assert {photo[0] for photos in behind["photos"].values() for photo in photos} == {path}


def test_each_test_photo_lies_behind_its_cell_the_surest_first(shown: Shown) -> None:
    inputs, behind = shown.inputs, json.loads(shown.read.data)
    confusion = inputs.metrics.confusion
    assert {key: len(photos) for key, photos in behind["photos"].items()} == behind["counts"]
    assert behind["counts"] == {
        f"{truth}-{answer}": confusion[truth, answer] for truth, answer in np.argwhere(confusion)
    }
    assert behind["root"] == inputs.image_dir
    for photos in behind["photos"].values():
        answered = [photo[1] for photo in photos]
        assert answered == sorted(answered, reverse=True)


def test_a_page_with_little_room_shows_some_of_every_cell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs = inputs_of(tmp_path, 5)
    room = 60_000
    monkeypatch.setattr(page, "ROOM", room)
    for shown_anyway in ("BATCH", "MISTAKES", "UNCERTAIN"):
        monkeypatch.setattr(page.galleries, shown_anyway, 0)
    behind = json.loads(Reader(page_of(inputs, tmp_path)).data)
    assert set(behind["photos"]) == set(behind["counts"])
    shown = [photo[3] for photos in behind["photos"].values() for photo in photos]
    assert 0.8 * room < sum(map(len, shown)) <= room


def test_a_page_of_5000_real_photos_is_below_10_megabytes(tmp_path: Path) -> None:
    found = sorted(
        str(path.relative_to(EXAMPLE_FLOWERS)) for path in EXAMPLE_FLOWERS.rglob("*.jpg")
    )
    inputs = inputs_of(tmp_path, 5, 5000)
    paths = [found[row % len(found)] for row in range(5000)]
    photos = ScoredPhotos(paths, inputs.photos.truth, inputs.photos.probabilities)
    changed = inputs_of(
        tmp_path, 5, 5000, photos=photos, image_dir=str(EXAMPLE_FLOWERS), audit=None
    )
    text = page_of(changed, tmp_path)
    assert len(text.encode()) < 10_000_000
    behind = json.loads(Reader(text).data)
    assert sum(map(len, behind["photos"].values())) == 5000


def test_the_same_inputs_give_the_same_bytes(shown: Shown) -> None:
    folder = Path(shown.inputs.image_dir)
    assert page_of(inputs_of(folder, 5), folder) == shown.text


def test_a_photo_that_has_gone_is_said_to_be_unreadable(tmp_path: Path) -> None:
    inputs = inputs_of(tmp_path, 2, 20)
    (tmp_path / "7.jpg").unlink()
    (tmp_path / "8.jpg").write_bytes(b"no picture")
    text = page_of(inputs, tmp_path)
    assert 'class="gone"' in text


def test_the_surest_mistakes_stand_beside_their_maps(shown: Shown) -> None:
    text = shown.text
    mistakes = text[text.index('id="mistakes"') : text.index('id="uncertain"')]
    assert "what in it speaks for the wrong answer" in mistakes
    for figure in re.findall(r"<figure.*?</figure>", mistakes, flags=re.DOTALL):
        number = re.search(r'alt="(\d+)\.jpg"', figure)
        assert number is not None
        sources = re.findall(r'src="data:image/jpeg;base64,([^"]+)"', figure)
        assert len(set(sources)) == len(sources) == (2 if int(number[1]) < 15 else 1)
    assert "speaks for" not in text.replace(mistakes, "")


def test_thumbnails_are_upright_small_and_keep_their_proportions(tmp_path: Path) -> None:
    import base64
    import io

    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    picture = Image.new("RGB", (400, 200), "white")
    picture.paste("black", (0, 0, 200, 200))
    picture.save(tmp_path / "turned.jpg", exif=exif, comment=b"x" * 5000)
    Image.new("RGBA", (30, 10), (0, 0, 0, 0)).save(tmp_path / "clear.png")
    turned, clear = draw_photos(
        [str(tmp_path / n) for n in ("turned.jpg", "clear.png")],
        lambda _, photo: data_uri(photo.inside(80), 60),
    )
    assert turned is not None and clear is not None and len(turned) < 2000
    with Image.open(io.BytesIO(base64.b64decode(turned.partition(",")[2]))) as small:
        assert small.size == (40, 80)
        assert small.getpixel((20, 10)) < (50, 50, 50) and small.getpixel((20, 70)) > (200,) * 3
    with Image.open(io.BytesIO(base64.b64decode(clear.partition(",")[2]))) as small:
        assert small.size == (30, 10) and small.getpixel((5, 5)) > (250,) * 3


def test_plots_are_quiet_where_no_cache_can_be_written_and_imported_late(tmp_path: Path) -> None:
    code = (
        "import sys, retrain.reporting.html.page\n"
        "assert not {'matplotlib', 'jinja2', 'scipy'} & set(sys.modules), 'heavy'\n"
        "import numpy as np; from retrain.reporting.html.plots import class_balance\n"
        "print(class_balance(['a', '漢$'], np.ones((2, 3), int))[:4])\n"
    )
    (tmp_path / "file").touch()
    place = str(tmp_path / "file" / "none")
    environment = {**os.environ, "MPLCONFIGDIR": place, "HOME": place, "XDG_CACHE_HOME": place}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert (done.stdout, done.stderr) == ("<svg\n", "")


def test_the_least_and_the_oddest_data_has_its_plots() -> None:
    nothing_learnt = LearningCurve(
        np.ones((4, 2), int), np.arange(2), np.ones((4, 1), int) - np.arange(2)
    )
    plots.accuracy_by_photos(nothing_learnt)
    plots.training_curves([CurvePoint(0, 1.0, 0.0, None, None)])
    sure = np.array([[1.0, 0.0]])
    one = compute_metrics(sure, np.array([0]), ["a", "b"], rng=np.random.default_rng(0))
    plots.reliability(one.reliability, None)
    odd = plots.class_balance(["漢" * 40, "$<b>\n", "W" * 40], np.zeros((3, 3), np.int64))
    assert "$&lt;b&gt;" in odd
    assert "W" * 23 + "…" in odd
    many = plots.class_balance([f"class {n}" for n in range(200)], np.ones((200, 3), np.int64))
    assert "200 classes, the largest first" in many and "class 7" not in many


def test_ticks_are_round(shown: Shown) -> None:
    """1, 2 or 5, or ten or a hundred times that, apart or each."""
    for section, after in (("more", "calibration"), ("calibration", "training")):
        text = shown.text[shown.text.index(f'id="{section}"') : shown.text.index(f'id="{after}"')]
        ticks = re.findall(r">(\d+)(\xa0%)?</text>", text)
        assert len(ticks) > 5
        shares = [int(number) for number, percent in ticks if percent]
        counts = [int(number) for number, percent in ticks if not percent]
        steps = {b - a for a, b in zip(shares, shares[1:], strict=False) if b > a}
        if section == "more":  # a logarithmic axis
            steps |= set(counts)
        assert all(str(step).rstrip("0") in ("1", "2", "5") for step in steps), steps


def test_no_line_goes_through_bins_of_a_few_photos() -> None:
    bins = [
        ReliabilityBin(low, low + 0.1, count, low + 0.05, share)
        for low, count, share in ((0.5, 3, 0.0), (0.6, 40, 0.6), (0.7, 8, 0.1), (0.8, 9, 0.9))
    ]
    drawn = plots.reliability(bins, None)
    (line,) = re.findall(
        r'd="([^"]*)" clip-path="[^"]*" style="fill: none; stroke: var\(--blue', drawn
    )
    assert len(re.findall("[ML]", line)) == 2
    points = re.findall(r'<use [^>]*style="([^"]*)"', drawn)
    hollow = [style for style in points if "fill-opacity: 0" in style]
    assert len(hollow) == 2, points
