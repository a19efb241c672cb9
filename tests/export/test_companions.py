"""Labels, manifest and model card beside exports."""

from pathlib import Path

import pytest

from retrain.artifacts.manifest import Manifest
from retrain.data.decoding.decode import Recipe
from retrain.export.companions import Companions


def of(labels: tuple[str, ...], *, is_rejected: bool = False) -> Companions:
    manifest = Manifest(labels, "Placeholder", 8, 9, Recipe(8, 9).text, "final_result")
    return Companions(manifest, None, is_rejected)


def test_those_of_other_classes_are_replaced_with_a_word(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    of(("a", "b")).write(tmp_path, [])
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert before.keys() == {"labels.txt", "manifest.json", "MODEL_CARD.md"}
    of(("a", "b")).write(tmp_path, [])  # the same classes, as each night of a job
    of(("b", "c"), is_rejected=True).write(tmp_path, [])
    assert {name: (tmp_path / name).read_bytes() for name in before} == before
    assert (tmp_path / "labels.rejected.txt").read_text() == "b\nc\n"
    assert not caplog.records
    of(("b", "a")).write(tmp_path, [])
    assert f"in {tmp_path} were of a classifier of other classes" in caplog.text
    assert (tmp_path / "labels.txt").read_text() == "b\na\n"
