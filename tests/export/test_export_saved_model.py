"""SavedModels: two signatures, files beside them, numbered versions, nothing overwritten."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import EXAMPLE_FLOWERS
from PIL import Image

from retrain.artifacts.graphdef import read_graph
from retrain.artifacts.manifest import Manifest, find_manifest
from retrain.data.decoding.decode import Recipe, decode
from retrain.errors import RetrainError, UsageFault
from retrain.export.config import ExportConfig
from retrain.export.export import check_exports
from retrain.export.runtimes import own_scores
from retrain.export.saved_model import target_of, write_saved_model
from retrain.utils.tensorflow import import_tensorflow

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def graph(trained: Path) -> bytes:
    return (trained / "output_graph.pb").read_bytes()


@pytest.fixture(scope="module")
def manifest(trained: Path) -> Manifest:
    found = find_manifest(read_graph(trained / "output_graph.pb"))
    assert found is not None
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, graph: bytes, manifest: Manifest) -> Path:
    version = tmp_path_factory.mktemp("served") / "1"
    write_saved_model(graph, manifest, version)
    return version


@pytest.fixture(scope="module")
def loaded(folder: Path) -> Any:
    return import_tensorflow().saved_model.load(str(folder))


def answers(loaded: Any, contents: list[bytes]) -> tuple[np.ndarray, np.ndarray]:
    tf = import_tensorflow()
    found = loaded.signatures["serving_bytes"](image_bytes=tf.constant(contents, tf.string))
    return found["labels"].numpy(), found["scores"].numpy()


def test_files_go_in_and_labels_come_out_best_first(
    loaded: Any, folder: Path, manifest: Manifest
) -> None:
    photos = sorted(EXAMPLE_FLOWERS.glob("*/*.jpg"))
    labels, scores = answers(loaded, [photo.read_bytes() for photo in photos])
    assert labels.shape == scores.shape == (175, 5) and scores.dtype == np.float32
    assert (np.diff(scores) <= 0).all()
    recipe = Recipe.parse(manifest.recipe)
    pixels = (decode(photo.read_bytes(), recipe) for photo in photos)
    expected = own_scores(folder, manifest, pixels)
    position = {label.encode(): place for place, label in enumerate(manifest.labels)}
    found = np.empty_like(expected)
    for row, names in enumerate(labels):
        found[row, [position[name] for name in names]] = scores[row]
    gaps = np.abs(found - expected)
    assert gaps.max() <= 0.03 and gaps.mean() < 0.001
    assert (found.argmax(axis=1) == expected.argmax(axis=1)).all()


def test_formats_mix_in_a_request(loaded: Any, tmp_path: Path) -> None:
    photo = sorted(EXAMPLE_FLOWERS.glob("*/*.jpg"))[0]
    with Image.open(photo) as image:
        image.resize((150, 150)).save(tmp_path / "same.jpg")
    with Image.open(tmp_path / "same.jpg") as image:
        image.save(tmp_path / "same.png")
    labels, scores = answers(
        loaded, [(tmp_path / name).read_bytes() for name in ("same.png", "same.jpg")]
    )
    assert (labels[0] == labels[1]).all() and np.allclose(scores[0], scores[1], atol=1e-5)


def test_labels_that_are_no_utf8_come_out_as_their_bytes(
    graph: bytes, manifest: Manifest, tmp_path: Path
) -> None:
    labels = ("margu\udce9rite", *manifest.labels[1:])
    write_saved_model(graph, replace(manifest, labels=labels), tmp_path / "1")
    photo = sorted(EXAMPLE_FLOWERS.glob("daisy/*.jpg"))[0]
    found, _ = answers(
        import_tensorflow().saved_model.load(str(tmp_path / "1")), [photo.read_bytes()]
    )
    assert b"margu\xe9rite" in found[0].tolist()


def test_nothing_else_is_left_beside_it(folder: Path) -> None:
    assert [path.name for path in folder.parent.iterdir()] == ["1"]


def test_weights_are_stored_once(folder: Path, graph: bytes) -> None:
    assert (folder / "saved_model.pb").stat().st_size < len(graph) + 500_000


def test_openvino_reads_the_default_signature(folder: Path, manifest: Manifest) -> None:
    import openvino

    model = openvino.Core().read_model(str(folder))
    assert [port.get_any_name() for port in (*model.inputs, *model.outputs)] == [
        "image",
        "prediction",
    ]
    pixels = np.random.default_rng(0).integers(0, 256, (2, 128, 128, 3), dtype=np.uint8)
    hint = {"INFERENCE_PRECISION_HINT": "f32"}
    compiled = openvino.Core().compile_model(model, "CPU", hint)
    found = compiled(pixels.astype(np.float32) / 255)[0]
    np.testing.assert_allclose(found, own_scores(folder, manifest, pixels), atol=1e-5)


def test_tensorflows_own_converter_takes_the_default_signature(folder: Path) -> None:
    """As the README says; it cannot have the one that decodes files."""
    tf = import_tensorflow()
    converter = tf.lite.TFLiteConverter.from_saved_model(
        str(folder), signature_keys=["serving_default"]
    )
    assert converter.convert()[4:8] == b"TFL3"


def test_versions_are_counted(tmp_path: Path) -> None:
    models = tmp_path / "models"
    assert target_of(models) == models / "1"
    (models / "9").mkdir(parents=True)
    (models / "10").mkdir()
    (models / ".hidden").touch()
    assert target_of(models) == models / "11"
    assert target_of(models / "12") == models / "12"
    assert target_of(models / "9") == models / "9"  # empty
    check_exports(ExportConfig(saved_model_dir=models / "deeper" / "3"))
    assert (models / "deeper").is_dir()


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    old = tmp_path / "old"
    (old / "7").mkdir(parents=True)
    (old / "7" / "saved_model.pb").touch()
    (tmp_path / "file").touch()
    for folder, reason in (
        (old / "7", "old/7 is not empty: take another number"),
        (tmp_path, "holds (old|file), which is no version of a SavedModel: name a new folder"),
        (tmp_path / "file", "file is a file: name a folder"),
    ):
        with pytest.raises(UsageFault, match=reason):
            check_exports(ExportConfig(saved_model_dir=folder))
    (old / "saved_model.pb").touch()
    with pytest.raises(UsageFault, match="holds saved_model.pb"):
        target_of(old)


def test_a_write_that_fails_leaves_nothing(
    graph: bytes, manifest: Manifest, tmp_path: Path
) -> None:
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "kept").touch()
    with pytest.raises(RetrainError, match="cannot write"):
        write_saved_model(graph, manifest, tmp_path / "1")
    assert [path.name for path in tmp_path.rglob("*")] == ["1", "kept"]
