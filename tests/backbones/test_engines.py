"""OpenVINO against TensorFlow, and what happens when they differ."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from conftest import EXAMPLE_FLOWERS, TINY
from run_commands import PATIENCE_S

from retrain.backbones.backbone import INFO_FILE, REFERENCE_FILE, Backbone, read_backbone
from retrain.backbones.bundled import bundled_backbone
from retrain.backbones.engines.engine import Engine, choose_engine
from retrain.backbones.engines.table import ENGINES, EngineEntry
from retrain.data.decoding.decode import Recipe, decode
from retrain.errors import RetrainError
from retrain.utils.logs import console

pytestmark = pytest.mark.slow

PHOTOS = sorted(EXAMPLE_FLOWERS.glob("*/*.jpg"))[::5]


def pixels() -> list[np.ndarray]:
    return [decode(photo.read_bytes(), Recipe(128, 128)) for photo in PHOTOS]


def features(engine: Engine, photos: list[np.ndarray]) -> np.ndarray:
    found = dict(engine.run(enumerate(photos)))
    return np.stack([found[number] for number in range(len(photos))])


def engine_of(wanted: str, precision: str = "f32") -> Engine:
    return choose_engine(wanted, bundled_backbone(TINY), precision)


@pytest.fixture
def changed_backbone(tmp_path: Path) -> Backbone:
    """A backbone whose recorded TensorFlow answers are others than its graph gives."""
    folder = tmp_path / "backbone"
    shutil.copytree(bundled_backbone(TINY).folder, folder)
    shown, expected = bundled_backbone(TINY).read_reference()
    np.savez(folder / REFERENCE_FILE, pixels=shown, features=expected * 1.05)
    assert json.loads((folder / INFO_FILE).read_text())["feature_width"] == 256
    return read_backbone(folder)


def test_engines_agree() -> None:
    photos = pixels()
    reference = features(engine_of("tensorflow"), photos)
    found = features(engine_of("openvino"), photos)
    assert reference.shape == (35, 256) and reference.dtype == found.dtype == np.float32
    np.testing.assert_allclose(found, reference, atol=1e-4)


@pytest.mark.parametrize("wanted", ["openvino", "tensorflow"])
def test_features_do_not_depend_on_neighbours(wanted: str) -> None:
    engine, photos = engine_of(wanted), pixels()
    together = features(engine, photos)
    shuffled = features(engine, photos[::-1])[::-1]
    alone = np.concatenate([features(engine, [photo]) for photo in photos[:3]])
    assert together.tobytes() == shuffled.tobytes()
    assert together[:3].tobytes() == alone.tobytes()


@pytest.mark.parametrize("wanted", ["openvino", "tensorflow"])
def test_bf16_is_near(wanted: str) -> None:
    photos = pixels()
    reference = features(engine_of("openvino"), photos)
    found = features(engine_of(wanted, "bf16"), photos)
    cosine = (reference * found).sum(1) / np.linalg.norm(reference, axis=1)
    cosine /= np.linalg.norm(found, axis=1)
    assert cosine.min() > 0.9 and cosine.mean() > 0.98


def test_auto_falls_back_when_answers_differ(changed_backbone: Backbone) -> None:
    with console() as messages:
        engine = choose_engine("auto", changed_backbone, "f32")
    assert engine.name.startswith("TensorFlow")
    assert "differ from TensorFlow's by" in messages.warnings[0]
    assert messages.warnings[0].endswith("using TensorFlow, which is slower")


def test_openvino_asked_for_is_an_error_when_answers_differ(changed_backbone: Backbone) -> None:
    with pytest.raises(RetrainError, match="differ from TensorFlow's by 4.8%"):
        choose_engine("openvino", changed_backbone, "f32")


def test_auto_falls_back_when_the_graph_cannot_be_read(tmp_path: Path) -> None:
    folder = tmp_path / "backbone"
    shutil.copytree(bundled_backbone(TINY).folder, folder)
    graph = folder / "frozen_graph.pb"
    content = graph.read_bytes()
    assert content.count(b"Relu6") > 10
    graph.write_bytes(content.replace(b"\x12\x05Relu6", b"\x12\x05Zelu6"))
    with pytest.raises(RetrainError, match="OpenVINO cannot run mobilenet_v1_025_128: "):
        choose_engine("openvino", read_backbone(folder), "f32")


def test_an_engine_ends_cleanly_time_after_time() -> None:
    """Guards against a deadlock when the model is destroyed: OpenVINO's callbacks had one."""
    script = """
from retrain.backbones.bundled import bundled_backbone
from retrain.backbones.engines.engine import choose_engine
import numpy as np
pixels = np.zeros((128, 128, 3), np.uint8)
for _ in range(30):
    engine = choose_engine("openvino", bundled_backbone("mobilenet_v1_025_128"), "f32")
    assert [token for token, _ in engine.run((n, pixels) for n in range(9))] == list(range(9))
    del engine
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=PATIENCE_S)


def test_an_engine_is_one_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    """`auto` asks it first, and its answers are compared with those of the reference."""
    module = ModuleType("a_new_engine")
    module.open_backbone = lambda backbone, precision: SimpleNamespace(  # type: ignore[attr-defined]
        name="new",
        run=lambda photos: ((token, np.ones(256, np.float32)) for token, _ in photos),
    )
    monkeypatch.setitem(sys.modules, "a_new_engine", module)
    entry = EngineEntry("New", "a_new_engine")
    monkeypatch.setattr("retrain.backbones.engines.engine.ENGINES", {"new": entry, **ENGINES})
    backbone = bundled_backbone(TINY)
    with pytest.raises(RetrainError, match="^New's features of .* differ from TensorFlow's by "):
        choose_engine("new", backbone, "f32")
    with console() as talk:
        assert choose_engine("auto", backbone, "f32").name.startswith("OpenVINO")
    assert talk.warnings[0].endswith("using OpenVINO, which is slower")
