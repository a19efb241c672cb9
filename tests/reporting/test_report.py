"""The page of a run: what it says, what it carries, and that a real browser shows it."""

import json
import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from conftest import EXAMPLE_FLOWERS
from PIL import Image
from run_commands import PATIENCE_S

from retrain.evaluation.audit.audit import Audit
from retrain.evaluation.audit.balance import balance
from retrain.evaluation.audit.finding import Finding
from retrain.evaluation.learning_curve import LearningCurve, advice, learning_curve
from retrain.evaluation.metrics import compute_metrics
from retrain.evaluation.next_steps import Step
from retrain.evaluation.verdict import judge
from retrain.features.matrix import FeatureMatrix
from retrain.reporting.html import page, plots
from retrain.reporting.html.facts import ReportInputs, ScoredPhotos
from retrain.reporting.thumbnails import data_uri, draw_photos
from retrain.training.curve import CurvePoint
from retrain.training.head import Head
from retrain.utils.numerics import softmax

pytestmark = pytest.mark.slow


def draw(path: Path, seed: int) -> None:
    """A small picture with shapes of its own."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (4, 5, 3)).astype(np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).resize((200, 160), Image.Resampling.BICUBIC).save(path, quality=80)


def inputs_of(root: Path, classes: int, count: int = 200, **changes: object) -> ReportInputs:
    """A made-up run with everything a page can show; `count` test photos share 20 pictures."""
    rng = np.random.default_rng(classes)
    labels = [f"class {number}" for number in range(classes)]
    for number in range(20):
        if not (root / f"{number}.jpg").exists():
            draw(root / f"{number}.jpg", number)
    truth = np.sort(rng.integers(classes, size=count))
    logits = rng.normal(size=(count, classes))
    logits[np.arange(count), (truth + (rng.random(count) < 0.15)) % classes] += 4
    probabilities = softmax(logits)
    curve = LearningCurve(
        photos=np.outer([5, 10, 20, 40], np.ones(classes, np.int64)),
        truth=truth,
        right=rng.random((4, count)) < np.array([[0.5], [0.6], [0.7], [0.9]]),
    )
    findings = [
        Finding("exact_duplicate", "error", "a leak: in train and in test", "1.jpg", labels[0],
                "train", "2.jpg", labels[0], "test", score=1.0),
        Finding("near_duplicate", "note", f"both {labels[0]!r}, both in train", "3.jpg", labels[0],
                "train", "4.jpg", labels[0], "train", score=0.9),
        Finding("suspected_label", "warning", f"looks like {labels[1]!r}", "5.jpg", labels[0],
                "train", suggested=labels[1], score=0.01),
        Finding("broken", "warning", "the file is empty", "gone.jpg"),
    ]  # fmt: skip
    counts = rng.integers(8, 120, (classes, 3))
    metrics = compute_metrics(probabilities, truth, labels, rng=np.random.default_rng(0))
    steps = (Step("Check the labels of 1 photo", "retrain audit --image_dir flowers", "labels"),)
    use = Step("Use it", "label-image --graph output_graph.pb PHOTO")
    values: dict[str, object] = dict(
        title="Flowers, retrained",
        facts=[("Command", "retrain --image_dir flowers"), ("Seed", "0")],
        labels=labels,
        metrics=metrics,
        verdict=judge(metrics, steps, use),
        photos=ScoredPhotos([f"{row % 20}.jpg" for row in range(count)], truth, probabilities),
        image_dir=str(root),
        maps={f"{number}.jpg": rng.normal(size=(7, 7)).astype(np.float32) for number in range(15)},
        counts=counts,
        uncalibrated=compute_metrics(
            softmax(logits * 2), truth, labels, rng=np.random.default_rng(0)
        ),
        temperature=2.0,
        training=[
            CurvePoint(s, 1 - 1 / (s + 2), 2 / (s + 1), 1 - 2 / (s + 4), 3 / (s + 2))
            for s in range(0, 500, 10)
        ],
        learning_curve=curve,
        audit=Audit(count, tuple(labels), balance(labels, counts.sum(axis=1)), tuple(findings)),
        outputs=[("Graph", "/tmp/output_graph.pb")],
    )
    return ReportInputs(**{**values, **changes})  # type: ignore[arg-type]


def page_of(inputs: ReportInputs, folder: Path) -> str:
    page.write_report(inputs, folder / "report.html", np.random.default_rng(0))
    return (folder / "report.html").read_text(encoding="utf-8")


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


ALL = ["confusion", "classes", "mistakes", "uncertain", "batch", "labels", "copies", "remarks",
       "photos", "more", "calibration", "training", "run"]  # fmt: skip


def test_the_page_has_every_section_and_says_the_accuracy_with_its_interval(tmp_path: Path) -> None:
    inputs = inputs_of(tmp_path, 5)
    read = Reader(page_of(inputs, tmp_path))
    assert read.sections == ALL
    accuracy, interval = inputs.metrics.accuracy, inputs.metrics.accuracy_interval
    assert accuracy is not None and interval is not None
    assert f"{accuracy * 100:.1f}\N{NO-BREAK SPACE}%" in read.text
    assert f"{interval.low * 100:.1f} to {interval.high * 100:.1f}" in read.text
    assert "retrain --image_dir flowers" in read.text and "/tmp/output_graph.pb" in read.text
    assert "gone.jpg: the file is empty" in read.text


def test_what_is_not_known_is_left_out(tmp_path: Path) -> None:
    inputs = inputs_of(
        tmp_path, 5, counts=None, uncalibrated=None, temperature=None, training=(),
        learning_curve=None, audit=None, facts=(), outputs=(), maps={},
    )  # fmt: skip
    read = Reader(page_of(inputs, tmp_path))
    assert read.sections == ["confusion", "classes", "mistakes", "uncertain", "batch",
                             "calibration"]  # fmt: skip
    assert "before" not in read.text and "speaks for" not in read.text


def test_a_page_without_test_photos_says_so(tmp_path: Path) -> None:
    nothing = np.zeros((0, 3), np.float32)
    labels, truth = ["a", "b", "c"], np.zeros(0, np.int64)
    metrics = compute_metrics(nothing, truth, labels, rng=np.random.default_rng(0))
    inputs = inputs_of(
        tmp_path, 3, learning_curve=None, uncalibrated=None,
        photos=ScoredPhotos([], truth, nothing), metrics=metrics,
        verdict=judge(metrics, (), Step("Use it")),
    )  # fmt: skip
    read = Reader(page_of(inputs, tmp_path))
    assert "Nobody can say whether it can be used: there is no test photo." in read.text
    assert read.sections == ["labels", "copies", "remarks", "photos", "training", "run"]


def test_training_without_validation_photos_has_its_curve(tmp_path: Path) -> None:
    points = [CurvePoint(step, 0.5, 1.0, None, None) for step in (0, 10)]
    text = page_of(inputs_of(tmp_path, 2, training=points), tmp_path)
    assert ">training</text>" in text
    assert ">validation</text>" in page_of(inputs_of(tmp_path, 2), tmp_path)
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


def test_each_test_photo_lies_behind_its_cell_the_surest_first(tmp_path: Path) -> None:
    inputs = inputs_of(tmp_path, 5)
    behind = json.loads(Reader(page_of(inputs, tmp_path)).data)
    confusion = inputs.metrics.confusion
    assert {key: len(photos) for key, photos in behind["photos"].items()} == behind["counts"]
    assert behind["counts"] == {
        f"{truth}-{answer}": confusion[truth, answer] for truth, answer in np.argwhere(confusion)
    }
    assert behind["root"] == str(tmp_path)
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


def test_the_same_inputs_give_the_same_bytes(tmp_path: Path) -> None:
    assert page_of(inputs_of(tmp_path, 5), tmp_path) == page_of(inputs_of(tmp_path, 5), tmp_path)


def test_a_photo_that_has_gone_is_said_to_be_unreadable(tmp_path: Path) -> None:
    inputs = inputs_of(tmp_path, 2, 20)
    (tmp_path / "7.jpg").unlink()
    (tmp_path / "8.jpg").write_bytes(b"no picture")
    text = page_of(inputs, tmp_path)
    assert 'class="gone"' in text


def test_the_surest_mistakes_stand_beside_their_maps(tmp_path: Path) -> None:
    text = page_of(inputs_of(tmp_path, 5), tmp_path)
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
    nothing_learnt = LearningCurve(np.ones((4, 2), int), np.arange(2), np.zeros((4, 2), bool))
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


def matrix_of(features: np.ndarray) -> FeatureMatrix:
    rows = np.arange(len(features))
    return FeatureMatrix([features], np.zeros(len(rows), np.int64), rows, width=features.shape[1])


def test_the_learning_curve_trains_on_growing_parts_of_every_class() -> None:
    labels = np.repeat(np.arange(3), (80, 20, 1))
    features = np.eye(3, dtype=np.float32)[labels]
    parts: list[set[int]] = []

    def train(rows: np.ndarray) -> Head:
        parts.append(set(rows.tolist()))
        blind = np.diag([1, 1 if len(rows) > 30 else 0, 1]).astype(np.float32)
        return Head(blind, np.array([0.5, 0, 0], np.float32))

    every = np.arange(101)
    curve = learning_curve(
        matrix_of(features),
        labels,
        every,
        test_rows=every,
        classes=3,
        train=train,
        rng=np.random.default_rng(0),
    )
    assert curve is not None
    assert curve.photos.tolist() == [[10, 2, 1], [20, 5, 1], [40, 10, 1], [80, 20, 1]]
    assert all(small < large for small, large in zip(parts, parts[1:], strict=False))
    assert parts[-1] == set(every.tolist())
    for part, counts in zip(parts, curve.photos, strict=True):
        assert np.bincount(labels[list(part)], minlength=3).tolist() == counts.tolist()
    assert [curve.accuracy(part)[0] for part in range(4)] == [81 / 101] * 2 + [1.0] * 2
    none = np.arange(0)
    rng = np.random.default_rng(0)
    assert (
        learning_curve(
            matrix_of(features), labels, every, test_rows=none, classes=3, train=train, rng=rng
        )
        is None
    )


@pytest.mark.parametrize(
    ("count", "half", "full", "verdict"),
    [
        (100, 60, 90, "yes"),
        (100, 90, 90, "no"),
        (100, 90, 60, "no"),
        (30, 30, 30, "no"),
        (20, 15, 17, "unclear"),
        (8, 1, 8, "too few"),
        (0, 0, 0, "too few"),
    ],
)
def test_advice_for_a_class(count: int, half: int, full: int, verdict: str) -> None:
    right = np.arange(count) < np.array([[half], [full]])
    curve = LearningCurve(np.array([[20], [40]]), np.zeros(count, np.int64), right)
    (answer,) = advice(curve, ["daisy"])
    assert (answer.label, answer.verdict) == ("daisy", verdict)
    assert ("20" in answer.sentence and "40" in answer.sentence) == (half != count > 8)


BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
needs_browser = pytest.mark.skipif(
    BROWSER is None, reason="neither chromium nor google-chrome on the PATH"
)


def browse(path: Path, width: int, *flags: str) -> tuple[str, list[str]]:
    """Opens the page; gives what the browser prints, and its console's lines."""
    command = [
        str(BROWSER), "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
        "--enable-logging=stderr", "--v=0", f"--user-data-dir={path.parent / 'profile'}",
        f"--window-size={width},1600", *flags, path.as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=True)
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


@needs_browser
@pytest.mark.parametrize("classes", [5, 2, 120])
def test_a_browser_shows_the_page_without_complaint(classes: int, tmp_path: Path) -> None:
    text = page_of(inputs_of(tmp_path, classes, 400), tmp_path)
    assert not re.search(r"https?:|[\"'(]//", text)
    shot = tmp_path / "shot.png"
    _, console = browse(tmp_path / "report.html", 1100, f"--screenshot={shot}")
    assert console == []
    with Image.open(shot) as image:
        pixels = np.asarray(image.convert("RGB"), np.float32)
    assert pixels.shape == (1600, 1100, 3)
    for band in np.split(pixels, 4):  # something everywhere, and colours among it
        assert band.std() > 5
    assert np.ptp(pixels, axis=2).max() > 60


# Presses things on the page and tells on the console what came of it.
PROBE = """<script>
const told = {};
const table = document.querySelector("table.sortable");
const names = () => [...table.tBodies[0].rows].map((row) => row.cells[0].textContent.trim());
const recall = table.tHead.rows[0].cells[2];
const press = () => {
  recall.querySelector("button").click();
  return [recall.getAttribute("aria-sort"), names()];
};
told.falling = press();
told.rising = press();
const dialog = document.querySelector("dialog");
const behind = () => [dialog.open, dialog.querySelector("h2").textContent,
                      dialog.querySelectorAll("img").length];
told.before = behind();
const opener = document.querySelector(".wrong[data-cell], .wrong [data-cell]");
told.opener = opener.dataset.cell;
opener.dispatchEvent(new MouseEvent("click", { bubbles: true }));
told.cell = behind();
dialog.querySelector("form button").click();
told.closed = dialog.open;
document.querySelector("[data-row='1']").click();
told.row = behind();
dialog.close();
document.title = JSON.stringify(told);
</script></body>"""


@needs_browser
@pytest.mark.parametrize("classes", [5, 120])
def test_the_page_can_be_sorted_and_its_cells_opened(classes: int, tmp_path: Path) -> None:
    inputs = inputs_of(tmp_path, classes, 400)
    metrics = inputs.metrics
    text = page_of(inputs, tmp_path)
    (tmp_path / "probed.html").write_text(text.replace("</body>", PROBE), encoding="utf-8")
    printed, console = browse(tmp_path / "probed.html", 1100, "--dump-dom")
    assert console == []
    title = re.search(r"<title>(.*?)</title>", printed)
    assert title is not None
    told = json.loads(title[1])
    falling = sorted(metrics.classes, key=lambda each: -each.recall)
    rising = sorted(metrics.classes, key=lambda each: each.recall)
    recalls = {each.label: each.recall for each in metrics.classes}
    for order, (sort, names) in (("descending", told["falling"]), ("ascending", told["rising"])):
        expected = falling if order == "descending" else rising
        assert sort == order
        assert [recalls[name] for name in names] == [each.recall for each in expected]
    assert told["before"] == [False, "", 0]
    truth, answer = map(int, told["opener"].split("-"))
    taken = f"class {truth}, taken for class {answer}"
    assert told["cell"] == [True, taken, metrics.confusion[truth, answer]]
    assert told["closed"] is False
    assert told["row"] == [True, "class 1", metrics.classes[1].support]


@needs_browser
@pytest.mark.parametrize("classes", [20, 120])
def test_nothing_sticks_out_of_a_phone(classes: int, tmp_path: Path) -> None:
    text = page_of(inputs_of(tmp_path, classes), tmp_path)
    probe = "<script>console.log(document.documentElement.scrollWidth, innerWidth)</script></body>"
    (tmp_path / "probed.html").write_text(text.replace("</body>", probe), encoding="utf-8")
    frame = '<iframe src="probed.html" style="width: 390px"></iframe>'  # no window is so narrow
    (tmp_path / "phone.html").write_text(frame, encoding="utf-8")
    _, console = browse(tmp_path / "phone.html", 1100, "--dump-dom")
    assert len(console) == 1 and '"390 390"' in console[0]


@needs_browser
def test_the_browsers_complaints_are_heard(tmp_path: Path) -> None:
    (tmp_path / "bad.html").write_text("<script>missing()</script>", encoding="utf-8")
    _, console = browse(tmp_path / "bad.html", 400, "--dump-dom")
    assert len(console) == 1 and "missing is not defined" in console[0]
