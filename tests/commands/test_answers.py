"""Which photos of a tree are judged, and what a photo is called that is none of the classes."""

import json
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import EXAMPLE_FLOWERS, TINY, Run, write_picture

import retrain
from retrain.commands.audit import audit_tree
from retrain.commands.evaluate import evaluate_graph
from retrain.commands.graph_evaluation import GraphEvaluation
from retrain.config import TrainConfig
from retrain.data.class_names import unknown_answer
from retrain.errors import RetrainError
from retrain.export.model_card import model_card
from retrain.inference.answers import LabelledPhoto
from retrain.inference.config import Overrides
from retrain.inference.labeller import ReadyLabeller
from retrain.inference.sorting import Sorter
from retrain.inference.writers import CSV, JSON, TEXT, formatted

Judging = Callable[..., GraphEvaluation]


def flowers(folder: Path, count: int, **names: str) -> Path:
    """The first photos of some of the example flowers, in folders of these names."""
    for kind, name in names.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        for photo in sorted((EXAMPLE_FLOWERS / kind).iterdir())[:count]:
            shutil.copy(photo, folder / name)
    return folder


@pytest.fixture
def judged(trained: Path, tmp_path: Path) -> Judging:
    def judge_tree(which: str | None = None) -> GraphEvaluation:
        return evaluate_graph(
            trained / "output_graph.pb",
            str(tmp_path / "t"),
            Overrides(),
            labels_file=None,
            which=which,
        )

    return judge_tree


@pytest.mark.parametrize(
    ("sets", "which", "count"),
    [
        ({"train": 4, "test": 2, "val": 3}, None, 4),
        ({"train": 4, "test": 2, "val": 3}, "test", 4),
        ({"train": 4, "test": 2, "val": 3}, "validation", 6),
        ({"train": 4, "test": 2, "val": 3}, "train", 8),
        ({"train": 4, "test": 2, "val": 3}, "all", 18),
        ({"Training": 4, "Testing": 2}, None, 4),
        ({"train": 4, "dev": 3}, None, 6),
        ({"val": 3, "test": 2}, None, 4),
        ({"": 3}, None, 6),
        ({"": 3}, "all", 6),
    ],
)
def test_the_test_photos_are_judged_unless_others_are_named(
    judged: Judging, tmp_path: Path, sets: dict[str, int], which: str | None, count: int
) -> None:
    for name, photos in sets.items():
        flowers(tmp_path / "t" / name, photos, daisy="daisy", tulips="Tulips")
    found = judged(which)
    assert len(found.photos) == count and len(found.headline) == found.metrics.count
    truth = Counter(found.labels[label] for label in found.truth.tolist())
    assert truth == {"daisy": count // 2, "tulips": count // 2}


@pytest.mark.parametrize("sets", [{"train": 2, "test": 1}, {"": 2}])
def test_a_set_that_is_not_there_is_refused(
    judged: Judging, tmp_path: Path, sets: dict[str, int]
) -> None:
    for name, photos in sets.items():
        flowers(tmp_path / "t" / name, photos, daisy="daisy", tulips="tulips")
    with pytest.raises(RetrainError, match="--set validation"):
        judged("validation")


def test_photos_of_one_class_are_judged_with_a_report(
    trained: Path, run: Run, tmp_path: Path
) -> None:
    flowers(tmp_path / "one", 3, daisy="daisy")
    (tmp_path / "one" / "tulips").mkdir()
    done = run("retrain", "evaluate", "--graph", trained / "output_graph.pb", "--image_dir",
               tmp_path / "one")  # fmt: skip
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "work" / "output_graph_on_one"
    facts = json.loads((folder / "evaluation.json").read_text())
    assert facts["photos"] == 3 and facts["macro_auc"] is None
    assert (folder / "report.html").stat().st_size > 10_000


@pytest.mark.parametrize("photos", [1, 2, 7])
def test_photos_of_one_class_are_audited(tmp_path: Path, photos: int) -> None:
    for number in range(photos):
        write_picture(tmp_path / f"t/red/{number}.png", (200, 40, 40), number)
    (tmp_path / "t/blue").mkdir()
    config = TrainConfig.from_flat(image_dir=str(tmp_path / "t"), tfhub_module=TINY)
    audit = audit_tree(config.data, config.extract, [])
    assert audit.photos == photos and audit.classes == ("red",)
    assert not audit.of_kind("suspected_label") and not audit.of_kind("imbalance")


@pytest.mark.parametrize(
    ("labels", "answer"),
    [
        (("cat", "dog"), "unknown"),
        (("cat", "unknown"), "no_answer"),
        (("cat", "Unknown"), "no_answer"),  # one folder, where case is not told apart
        (("cat", "unknown "), "no_answer"),
        (("unknown", "no_answer"), "no_answer_"),
        (("unknown fish",), "unknown"),
    ],
)
def test_the_answer_to_a_strange_photo_is_no_class(labels: Sequence[str], answer: str) -> None:
    assert unknown_answer(labels) == answer


@pytest.fixture(scope="module")
def with_unknown(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> ReadyLabeller:
    """The flowers, the second kind of which is now a class of unknown ones; never sure enough."""
    labels = tmp_path_factory.mktemp("labels") / "labels.txt"
    labels.write_text("daisy\nunknown\nroses\nsunflowers\ntulips\n")
    said: list[str] = []
    classifier = (
        retrain.load(trained / "output_graph.pb", labels=labels).open(1, said.append).classifier
    )
    classifier.spec = replace(classifier.spec, unknown_below=1.1)
    return ReadyLabeller(classifier, lambda: None)


@pytest.fixture(scope="module")
def rows(with_unknown: ReadyLabeller) -> list[LabelledPhoto]:
    """A photo that is of the class unknown, and one that is not."""
    from retrain.inference.inputs import Input

    kinds = ("dandelion", "tulips")
    photos = [sorted((EXAMPLE_FLOWERS / kind).iterdir())[0] for kind in kinds]
    return list(with_unknown.rows([Input(str(photo)) for photo in photos], 2))


def test_rows_tell_the_class_unknown_from_the_answer(rows: list[LabelledPhoto]) -> None:
    assert [[label for label, _ in row.labels][:2] for row in rows] == [
        ["no_answer", "unknown"],
        ["no_answer", "tulips"],
    ]
    text = "".join(formatted(iter(rows), TEXT, titled=False, labels=2))
    assert text.count("no_answer (score=") == 2 and "\nunknown (score=" in text
    table = "".join(formatted(iter(rows), CSV, titled=False, labels=2)).splitlines()
    assert table[1].split(",")[1::3] == ["no_answer", "unknown"]
    facts = json.loads("".join(formatted(iter(rows), JSON, titled=False, labels=2)))
    assert [label["label"] for label in facts[0]["labels"]][:2] == ["no_answer", "unknown"]


def test_sorting_tells_the_class_unknown_from_the_answer(
    rows: list[LabelledPhoto], tmp_path: Path
) -> None:
    sorter = Sorter(tmp_path / "s", ["unknown", "tulips"], link=False)
    dandelion, tulip = rows
    sorter.place(replace(dandelion, labels=dandelion.labels[1:]))
    sorter.place(tulip)
    sorter.place(replace(dandelion, labels=[]))
    assert {folder.name: len(list(folder.iterdir())) for folder in (tmp_path / "s").iterdir()} == {
        "unknown": 1, "no_answer": 2,
    }  # fmt: skip


def test_it_is_said_what_the_answer_is_called(with_unknown: ReadyLabeller, trained: Path) -> None:
    from retrain.artifacts.graphdef import read_graph
    from retrain.artifacts.manifest import find_manifest
    from retrain.inference.labeller import _remarked

    said: list[str] = []
    _remarked(with_unknown, said.append)
    assert "'unknown' is a class" in said[-1] and "'no_answer'" in said[-1]
    manifest = find_manifest(read_graph(trained / "output_graph.pb"))
    assert manifest is not None
    card = model_card(
        replace(manifest, labels=("unknown", *manifest.labels[1:]), unknown_below=0.5), []
    )
    assert "is to be called no_answer" in card
