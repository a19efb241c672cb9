"""TensorFlow Lite's metadata: what is written comes back, what others wrote does no harm."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from flatbuffers import Builder

from retrain.artifacts.flatbuffer import Number, write_table, write_vector
from retrain.artifacts.manifest import Manifest
from retrain.artifacts.tflite_metadata import TfliteMetadata, read_metadata, with_metadata
from retrain.backbones.engines.litert_model import inputs_of, open_interpreter, outputs_of
from retrain.errors import RetrainError
from retrain.export.runtimes import own_scores
from retrain.utils.tensorflow import import_tensorflow

OURS = TfliteMetadata("flowers", 127.5, 127.5, {"labels.txt": b"a\nb\n", "manifest.json": b"{}"})


@pytest.fixture(scope="module")
def plain() -> bytes:
    """A model without metadata: three channels' means as three scores."""
    tf = import_tensorflow()
    shape = tf.TensorSpec([1, 4, 4, 3], tf.float32)
    function = tf.function(lambda image: tf.nn.softmax(tf.reduce_mean(image, [1, 2])))
    concrete = function.get_concrete_function(shape)
    content: bytes = tf.lite.TFLiteConverter.from_concrete_functions([concrete], function).convert()
    return content


def test_metadata_comes_back(plain: bytes) -> None:
    assert read_metadata(plain) is None
    assert read_metadata(with_metadata(plain, OURS)) == OURS
    bare = TfliteMetadata("bare", 0.0, 255.0)
    assert read_metadata(with_metadata(plain, bare)) == bare


def test_the_same_metadata_gives_the_same_bytes(plain: bytes) -> None:
    assert with_metadata(plain, OURS) == with_metadata(plain, OURS)


def test_associated_files_are_a_zip_at_the_end_uncompressed(plain: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(with_metadata(plain, OURS))) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["labels.txt", "manifest.json"]
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}


def test_the_model_still_runs_and_its_bytes_keep_their_alignment(
    plain: bytes, tmp_path: Path
) -> None:
    pixels = [np.random.default_rng(0).integers(0, 256, (4, 4, 3), dtype=np.uint8)]
    described = with_metadata(plain, OURS)
    (tmp_path / "plain.tflite").write_bytes(plain)
    (tmp_path / "described.tflite").write_bytes(described)
    interpreter = open_interpreter(tmp_path / "plain.tflite", 1)
    (given,), (made,) = inputs_of(interpreter), outputs_of(interpreter)
    manifest = Manifest(("r", "g", "b"), given.name, 4, 4, "", made.name)
    scores = own_scores(tmp_path / "described.tflite", manifest, pixels)
    assert np.array_equal(scores, own_scores(tmp_path / "plain.tflite", manifest, pixels))
    assert scores.sum() == pytest.approx(1, abs=1e-5)
    assert described.find(plain) > 0 and described.find(plain) % 16 == 0


def foreign(means: list[float], stds: list[float]) -> bytes:
    """A model that is nothing but another tool's metadata, with or without scaling."""

    def floats(builder: Builder, values: list[float]) -> int:
        return int(builder.CreateNumpyVector(np.array(values, np.float32)))

    inner = Builder(0)
    scaling = write_table(inner, {0: floats(inner, means), 1: floats(inner, stds)})
    calibration = write_table(inner, {1: Number("Uint8", 0)})
    units = [write_table(inner, {0: Number("Uint8", 2), 1: calibration})]
    if means:
        units.append(write_table(inner, {0: Number("Uint8", 1), 1: scaling}))
    image = write_table(inner, {4: write_vector(inner, units)})
    subgraph = write_table(inner, {2: write_vector(inner, [image])})
    whole = {0: inner.CreateString("theirs"), 3: write_vector(inner, [subgraph])}
    inner.Finish(write_table(inner, whole), file_identifier=b"M001")
    outer = Builder(0)
    content = outer.CreateByteVector(bytes(inner.Output()))
    buffers = write_vector(outer, [write_table(outer, {0: content})])
    name = outer.CreateString("TFLITE_METADATA")
    entries = write_vector(outer, [write_table(outer, {0: name, 1: Number("Uint32", 0)})])
    outer.Finish(write_table(outer, {4: buffers, 6: entries}), file_identifier=b"TFL3")
    return bytes(outer.Output())


def test_foreign_means_by_channel_are_averaged() -> None:
    found = read_metadata(foreign([123.0, 117.0, 105.0], [60.0, 58.0, 56.0]))
    assert found == TfliteMetadata("theirs", 115.0, 58.0, {})


def test_foreign_metadata_without_scaling_takes_pixels_as_they_are() -> None:
    assert read_metadata(foreign([], [])) == TfliteMetadata("theirs", 0.0, 1.0, {})


def test_what_is_no_model_or_cut_off_has_no_metadata(plain: bytes) -> None:
    assert read_metadata(b"") is None and read_metadata(b"....TFL3") is None
    described = with_metadata(plain, OURS)
    found = {read_metadata(described[:size]) is None for size in range(0, len(described), 7)}
    assert True in found  # and no exception on the way
    with pytest.raises(RetrainError, match="only a TensorFlow Lite model"):
        with_metadata(b"not a model", OURS)
