"""What the audit of a run found is written: all of it, its counts, and in the model card."""

import csv
import json
import shutil
from pathlib import Path

import pytest
from conftest import COLOURS, TINY, write_colour_tree

import retrain
from retrain.artifacts.inspect.inspect import inspect_artefact
from retrain.artifacts.manifest import Manifest
from retrain.commands.export import audit_beside
from retrain.commands.result import TrainResult, files_written
from retrain.data.decoding.decode import Recipe
from retrain.evaluation.audit.listing import audit_counts, audit_lines
from retrain.export.model_card import model_card


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, session_cache: Path) -> TrainResult:
    """A run on sets that its user made, with eight photos of each class in two of them."""
    folder = tmp_path_factory.mktemp("records")
    tree = write_colour_tree(folder / "tree" / "train", 12)
    for name in COLOURS:
        (folder / "tree" / "test" / name).mkdir(parents=True)
        for photo in sorted((tree / name).iterdir())[:8]:
            shutil.copy2(photo, folder / "tree" / "test" / name)
    return retrain.train(
        folder / "tree", tfhub_module=TINY, how_many_training_steps=5, max_leaks=1000,
        output_graph=folder / "run" / "tiny.pb", summaries_dir=None, report=False,
        bottleneck_dir=session_cache / "bottlenecks",
    )  # fmt: skip


def test_every_finding_is_listed_and_counted(made: TrainResult) -> None:
    assert made.audit is not None
    folder, counts = made.places.graph.output_graph.parent, audit_counts(made.audit)
    with open(folder / "tiny_audit.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(made.audit.findings) == sum(counts["counts"].values()) >= 24
    facts = json.loads((folder / "tiny_evaluation.json").read_text())
    assert facts["audit"] == counts and counts["leaks"] >= 24
    assert facts["data"] == made.dataset.digests
    assert ("Audit", str(folder / "tiny_audit.csv")) in files_written(made.places, made)


def test_the_accuracy_without_photos_that_were_trained_on_is_said(made: TrainResult) -> None:
    assert made.audit is not None
    count = made.assessment.metrics.count
    assert made.unseen.startswith(f"{count} test photos of {count} have a copy")
    lines = audit_lines(made.audit, Path("audit.csv"), made.unseen)
    assert f"warning: {made.unseen}" in lines and not any("flatter" in line for line in lines)


def test_what_the_terminal_leaves_out_has_a_place(made: TrainResult) -> None:
    assert made.audit is not None
    listed = made.places.graph.beside("audit.csv")
    more = [line for line in audit_lines(made.audit, listed) if line.startswith("  and ")]
    assert more and all(line.endswith(f" more in {listed}") for line in more)


def test_the_model_card_names_leaks_and_suspects(made: TrainResult, tmp_path: Path) -> None:
    graph = made.places.graph.output_graph
    manifest = inspect_artefact(graph).contents.manifest
    assert manifest is not None
    audit = audit_beside(graph, manifest)  # as `retrain export` finds it later
    assert audit == audit_counts(made.audit)  # type: ignore[arg-type]
    card = model_card(manifest, [], audit)
    assert f"found {audit['leaks']} leaks (pairs of equal pictures in two sets" in card
    assert f"- exact duplicate (the same bytes twice): {audit['counts']['exact_duplicate']}" in card
    suspects = {**audit, "counts": {"suspected_label": 7, "of another version": 3}}
    card = model_card(manifest, [], suspects)
    assert "- suspected label (" in card and "): 7\n" in card and "another version" not in card
    clean = model_card(manifest, [], {"leaks": 0, "counts": {"outlier": 0}})
    assert "found 0 leaks" in clean and "and nothing else." in clean
    assert "audit" not in model_card(manifest, [])
    alone = tmp_path / "tiny.pb"  # another graph beside the same file
    empty = {"leaks": 1, "counts": {}}
    for facts in ([], {"audit": empty}, {"audit": empty, "data": {"split_digest": "0"}},
                  {"audit": {"leaks": "x", "counts": {}}, "data": manifest.data}):  # fmt: skip
        content = json.dumps(facts)
        (tmp_path / "tiny_evaluation.json").write_text(content)
        assert audit_beside(alone, manifest) is None


def test_the_model_card_says_in_words_how_photos_are_prepared() -> None:
    recipe = Recipe(8, 9).text
    card = model_card(Manifest(("a", "b"), "Placeholder", 8, 9, recipe, "final_result"), [])
    assert recipe not in card and "squash:" not in card
    assert "8 x 9 pixels (height x width)" in card and "turned upright as their EXIF" in card
    other = model_card(Manifest(("a", "b"), "Placeholder", 8, 9, "rgb16,x", "final_result"), [])
    assert "prepared as `rgb16,x` says" in other
