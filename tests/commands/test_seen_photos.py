"""`retrain evaluate` tells photos that the graph was made of from new ones, by their bytes."""

import json
import logging
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from conftest import COLOURS, TINY, write_colour_tree, write_picture
from damage import DAMAGES

import retrain
from retrain.artifacts.detect import Artefact, Format
from retrain.artifacts.inspect.inspect import inspect_artefact
from retrain.artifacts.photo_record import find_sets, write_record
from retrain.cli.evaluate import command
from retrain.commands.evaluate import default_folder, evaluate_graph
from retrain.commands.graph_evaluation import GraphEvaluation
from retrain.commands.result import TrainResult
from retrain.errors import GateFault, UsageFault
from retrain.evaluation.comparison import Comparison, compare_with
from retrain.evaluation.config import GateConfig
from retrain.evaluation.gates import gate_faults
from retrain.evaluation.known_photos import sets_in_training
from retrain.inference.config import Overrides
from retrain.utils.logs import console

Made = tuple[TrainResult, Path, Path]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, session_cache: Path) -> Made:
    """A run with a head that is hardly trained; its photos, and the folder of its files."""
    folder = tmp_path_factory.mktemp("seen")
    tree = write_colour_tree(folder / "colours", 8)
    result = retrain.train(
        tree, tfhub_module=TINY, how_many_training_steps=1, testing_percentage=40,
        output_dir=folder / "run", summaries_dir=None, report=False,
        bottleneck_dir=session_cache / "bottlenecks",
    )  # fmt: skip
    return result, tree, folder / "run"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty user's cache: another machine."""
    monkeypatch.setenv("RETRAIN_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def evaluated(graph: Path, tree: Path) -> GraphEvaluation:
    return evaluate_graph(graph, str(tree), Overrides(), labels_file=None)


def counts(result: TrainResult) -> dict[str, int]:
    return Counter(result.dataset.set_names())


def test_the_photos_of_the_run_give_the_accuracy_of_the_run(
    made: Made, caplog: pytest.LogCaptureFixture
) -> None:
    result, tree, folder = made
    judged = evaluated(folder / "output_graph.pb", tree)
    tested = counts(result)["test"]
    assert judged.metrics.count == len(judged.headline) == tested < len(judged.photos) == 24
    assert judged.metrics.accuracy == result.assessment.metrics.accuracy
    assert judged.seen is not None and judged.seen.count == 24 - tested
    assert judged.shares() == {**counts(result), "new": 0}
    assert Counter(which for _, which, _, _ in judged.rows()) == counts(result)
    assert f"made of {24 - tested} of the 24 photos, which are left out" in caplog.text
    assert judged.what == "photos new to the graph" and judged.facts()["judged"] == "new"


def test_photos_are_known_under_other_names_and_classes_and_among_new_ones(
    made: Made, tmp_path: Path
) -> None:
    result, tree, folder = made
    for number, name in enumerate(COLOURS):
        for photo in sorted((tree / name).iterdir()):
            shutil.copy(photo, tmp_path / f"{number}.png")
            (tmp_path / "more" / name).mkdir(parents=True, exist_ok=True)
            (tmp_path / f"{number}.png").rename(tmp_path / "more" / name / f"x{photo.name}")
        write_picture(tmp_path / "more" / name / "new.png", COLOURS[name], 777 + number)
    judged = evaluated(folder / "output_graph.pb", tmp_path / "more")
    assert judged.shares() == {**counts(result), "new": 3}
    assert judged.metrics.count == counts(result)["test"] + 3
    (tmp_path / "new").mkdir()
    for name in COLOURS:
        (tmp_path / "new" / name).mkdir()
        (tmp_path / "more" / name / "new.png").rename(tmp_path / "new" / name / "new.png")
    judged = evaluated(folder / "output_graph.pb", tmp_path / "new")
    assert judged.shares() == {"train": 0, "validation": 0, "test": 0, "new": 3}
    assert judged.seen is None and judged.metrics.count == 3


def test_photos_that_were_all_seen_say_nothing(
    made: Made, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    result, tree, folder = made
    for photo, which in zip(result.dataset.index.photos, result.dataset.set_names(), strict=True):
        if which != "test":
            (tmp_path / "seen" / photo.path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(tree / photo.path, tmp_path / "seen" / photo.path)
    judged = evaluated(folder / "output_graph.pb", tmp_path / "seen")
    assert judged.all_seen and judged.metrics.count == 24 - counts(result)["test"]
    assert judged.facts()["judged"] == "seen" and judged.for_gates.count == 0
    (warning,) = [r.message for r in caplog.records if r.levelno == logging.WARNING]
    assert "the graph was made of all" in warning and "says nothing of new ones" in warning


def test_a_graph_that_was_moved_alone(made: Made, tmp_path: Path, cache: Path) -> None:
    result, tree, folder = made
    graph = tmp_path / "prod" / "flowers.pb"
    graph.parent.mkdir()
    shutil.copy(folder / "output_graph.pb", graph)
    # On another machine just the photos of the run are divided again.
    assert evaluated(graph, tree).shares() == {**counts(result), "new": 0}
    shutil.copytree(tree, tmp_path / "some")
    next((tmp_path / "some" / "red").iterdir()).unlink()
    unknown = evaluated(graph, tmp_path / "some")
    assert unknown.sets is None and unknown.metrics.count == 23 and unknown.what == "photos"
    assert unknown.facts() == {"judged": "unknown", "photos": 23, "sets": None, "seen": None}
    # On the machine of the run its record is kept; and it may be put beside, under any name.
    keys, names = result.dataset.keys, result.dataset.set_names()
    write_record(tmp_path / "x.csv", keys, names)
    sets = dict(zip(keys, names, strict=True))
    assert sets_in_training(graph, set(keys)) == sets
    shutil.rmtree(cache)
    assert sets_in_training(graph, set(keys)) is None
    (tmp_path / "x.csv").rename(graph.parent / "my digests of May.csv")
    assert sets_in_training(graph, set(keys)) == sets


def test_only_the_record_of_this_graph_is_believed(made: Made, tmp_path: Path, cache: Path) -> None:
    """Whatever format it has; a SavedModel's may lie beside, in or above it."""
    result = made[0]
    manifest = inspect_artefact(made[2] / "output_graph.pb").contents.manifest
    assert manifest is not None
    keys, names = result.dataset.keys, result.dataset.set_names()
    model = tmp_path / "serving" / "1"
    model.mkdir(parents=True)
    for artefact, places in (
        (Artefact(model, Format.SAVED_MODEL), (model, model.parent, tmp_path)),
        (Artefact(tmp_path / "f.tflite", Format.TFLITE), (tmp_path,)),
        (Artefact(tmp_path / "f.onnx", Format.ONNX), (tmp_path,)),
    ):
        for place in places:
            for wrong in (keys[1:], keys[::-1]):
                write_record(place / "digests.csv", wrong, names[: len(wrong)])
                shutil.rmtree(cache)
                assert find_sets(artefact, manifest, set(keys)) is None
            (place / "a digests.csv").write_bytes(b"blake2b_128,set\nno hex,train\n")
            write_record(place / "digests.csv", keys, names)
            shutil.rmtree(cache)
            assert find_sets(artefact, manifest, set(keys)) == dict(zip(keys, names, strict=True))
            (place / "digests.csv").unlink()


def test_the_command_writes_beside_the_files_of_the_run(
    made: Made, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    result, tree, folder = made
    monkeypatch.chdir(folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    words: list[Any] = ["--graph", "output_graph.pb", "--image_dir", str(tree), "--no-report"]
    command.main(words, standalone_mode=False)
    assert {name: (folder / name).read_bytes() for name in before} == before
    facts = json.loads((folder / "output_graph_on_colours" / "evaluation.json").read_text())
    assert facts["accuracy"] == result.assessment.metrics.accuracy
    assert facts["photos"] == 24 and facts["sets"]["test"] == facts["count"]
    assert "photos new to the graph are recognised" in capsys.readouterr().out
    with pytest.raises(UsageFault, match="a run has left its own evaluation.json there"):
        command.main([*words, "--output_dir", "."], standalone_mode=False)
    with pytest.raises(UsageFault, match="would be taken for a class: name another folder"):
        command.main([*words, "--output_dir", str(tree / "e")], standalone_mode=False)
    assert not (tree / "e").exists()
    with pytest.raises(GateFault, match="accuracy is"):
        command.main([*words, "--assert_accuracy", "1"], standalone_mode=False)
    assert {name: (folder / name).read_bytes() for name in before} == before


def test_an_earlier_graph_is_not_asked_about_photos_that_it_has_seen(
    made: Made, tmp_path: Path, session_cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It kept fewer photos for its test, so that it has seen some of the new run's test photos."""
    result, tree, _ = made

    def compared(share: int) -> tuple[TrainResult, Comparison | None]:
        earlier = retrain.train(
            tree, tfhub_module=TINY, how_many_training_steps=1, testing_percentage=share,
            output_dir=tmp_path, summaries_dir=None, report=False,
            bottleneck_dir=session_cache / "bottlenecks",
        )  # fmt: skip
        return earlier, compare_with(
            tmp_path / "output_graph.pb", result.dataset, result.labels,
            assessment=result.assessment,
        )  # fmt: skip

    earlier, comparison = compared(20)
    tested, asked = counts(result)["test"], counts(earlier)["test"]
    assert comparison is not None and comparison.photos == asked < tested
    assert f"was made of {tested - asked} test photos, left out" in caplog.text
    assert compared(0)[1] is None
    gates = GateConfig(assert_not_worse=True)
    assert gate_faults(gates, None) == ["nothing could be compared, --assert_not_worse"]


def test_default_folders() -> None:
    assert default_folder(Path("a/tiny.pb"), "photos/birds/") == Path("tiny_on_birds")
    assert default_folder(Path("g.pb"), "https://a.org/x/birds.zip?key=1") == Path("g_on_birds")
    assert default_folder(Path("serving/3"), "birds") == Path("serving_on_birds")


def test_a_kept_record_that_is_damaged_is_said_and_taken_from_beside(
    made: Made, cache: Path
) -> None:
    result, _, folder = made
    keys, names = result.dataset.keys, result.dataset.set_names()
    sets = dict(zip(keys, names, strict=True))
    graph = folder / "output_graph.pb"
    assert sets_in_training(graph, set(keys)) == sets
    (kept,) = (cache / "digests").iterdir()
    content = kept.read_bytes()
    for damage in DAMAGES.values():
        damage(kept)
        with console() as messages:
            assert sets_in_training(graph, set(keys)) == sets
        assert kept.read_bytes() == content
        said = messages.warnings
        assert len(said) == (damage.__name__ != "delete")
        assert all(message.endswith("and not used") for message in said)
