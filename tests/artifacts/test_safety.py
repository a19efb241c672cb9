"""Graphs that would write or read files are refused by name before anything runs them."""

import io
import json
import shutil
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import hostile_graphs as hostile
import numpy as np
import pytest
from conftest import EXAMPLE_FLOWERS, Run
from graph_kinds import SIZE, keras_model, run_graph
from hub_server import HubServer

from retrain.artifacts.graphdef import read_graph
from retrain.artifacts.inspect.inspect import inspect_artefact
from retrain.artifacts.onnx import import_onnx, read_onnx
from retrain.artifacts.safety.other_formats import check_tflite
from retrain.artifacts.safety.pure_operations import PURE
from retrain.artifacts.safety.tensorflow_graphs import check_graph, check_saved_model
from retrain.artifacts.safety.verdict import UnsafeGraph, unsafe_allowed
from retrain.artifacts.saved_model import parse_saved_model
from retrain.backbones.bundled import BUNDLED_FOLDER
from retrain.backbones.freeze.input_config import InputConfig
from retrain.backbones.freeze.keras_file import read_keras_file
from retrain.backbones.sources.resolve import resolve
from retrain.errors import RetrainError
from retrain.inference.spec.resolve import describe_graph
from retrain.utils.tensorflow import import_tensorflow

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
PHOTO = next(EXAMPLE_FLOWERS.glob("*/*.jpg"))
PIXELS = np.zeros((1, SIZE, SIZE, 3), np.float32)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A file that must not be there."""
    return tmp_path / "written by a graph"


def written(place: Path) -> bool:
    return any(path.name.startswith(place.name) for path in place.parent.iterdir())


@pytest.mark.parametrize(
    ("deed", "way"),
    [(deed, "plainly") for deed in hostile.DEEDS]
    + [("WriteFile", way) for way in hostile.WAYS if way != "plainly"],
)
def test_a_graph_that_writes_is_refused_by_name(
    deed: str, way: str, place: Path, tmp_path: Path
) -> None:
    graph = tmp_path / "evil.pb"
    hostile.hostile_graph(graph, place, deed, way)
    run_graph(graph.read_bytes(), "final_result:0", {"Placeholder:0": PIXELS})
    assert written(place)  # it is what it seems to be
    for path in tmp_path.glob(f"{place.name}*"):
        path.unlink()
    with pytest.raises(UnsafeGraph, match=f"op {deed} can write files"):
        check_graph(read_graph(graph), graph)
    with pytest.raises(UnsafeGraph, match=f"op {deed} can write files"):
        describe_graph(graph)
    assert any(f"op {deed} can write" in text for text in inspect_artefact(graph).contents.unsafe)
    assert not written(place)


def test_each_command_refuses_it(place: Path, tmp_path: Path, run: Run) -> None:
    graph = tmp_path / "evil.pb"
    hostile.hostile_graph(graph, place)
    tree = tmp_path / "tree" / "ash"
    tree.mkdir(parents=True)
    shutil.copy(PHOTO, tree)
    said = "is not run, because it does more than compute: op SaveV2 can write files (node SaveV2)"
    for command in (
        ("retrain", "export", "--graph", graph, "--to", tmp_path / "served"),
        ("label-image", "--graph", graph, PHOTO),
        ("retrain", "evaluate", "--graph", graph, "--image_dir", tree.parent, "--no-report"),
    ):
        done = run(*command)
        assert done.returncode == 1 and said in done.stderr and done.stdout == "", done.stderr
        assert done.stderr.count("\n") == 1 and not written(place)
    done = run("retrain", "inspect", graph)
    assert done.returncode == 0 and "op SaveV2 can write files" in done.stdout
    assert not written(place)
    done = run("retrain", "export", "--graph", graph, "--to", "served", "--allow_unsafe_module")
    assert "run because of --allow_unsafe_module" in done.stderr


def test_what_a_graph_reads_is_not_run_either(tmp_path: Path) -> None:
    hostile.reading_graph(tmp_path / "reads.pb", Path("/etc/passwd"))
    with pytest.raises(UnsafeGraph, match="op ReadFile can read files"):
        describe_graph(tmp_path / "reads.pb")
    hostile.python_graph(tmp_path / "calls.pb", tmp_path / "place")
    with pytest.raises(UnsafeGraph, match="op PyFunc runs Python code"):
        check_graph(read_graph(tmp_path / "calls.pb"), tmp_path / "calls.pb")


MODULES: dict[str, Callable[[Path, Path], None]] = {
    "when called": hostile.module_that_writes_when_called,
    "when loaded": hostile.module_that_writes_when_loaded,
    "by its own saver": hostile.module_that_saves_by_its_saver,
    "TF1, when asked": lambda folder, place: hostile.tf1_module(folder, place, "features"),
    "TF1, when loaded": lambda folder, place: hostile.tf1_module(folder, place, "main_op"),
    "TF1, when restored": lambda folder, place: hostile.tf1_module(folder, place, "restore"),
}


@pytest.mark.parametrize("kind", MODULES)
def test_a_module_that_writes_is_refused(kind: str, place: Path, tmp_path: Path) -> None:
    MODULES[kind](tmp_path / "module", place)
    with pytest.raises(
        UnsafeGraph, match="op (SaveV2|WriteFile|MergeV2Checkpoints|ShardedFilename) "
    ):
        resolve(str(tmp_path / "module"), InputConfig(), tmp_path / "store")
    assert not written(place)


@pytest.mark.parametrize("kind", ["when loaded", "TF1, when loaded", "TF1, when restored"])
def test_they_do_write_when_they_may(kind: str, place: Path, tmp_path: Path) -> None:
    MODULES[kind](tmp_path / "module", place)
    said: list[str] = []
    with unsafe_allowed(allowed=True, warn=said.append):
        resolve(str(tmp_path / "module"), InputConfig(), tmp_path / "store")
    assert written(place)
    assert "op WriteFile can write files" in said[0] and "--allow_unsafe_module" in said[0]


def test_a_module_from_the_network_or_an_archive(place: Path, tmp_path: Path) -> None:
    hostile.module_that_writes_when_loaded(tmp_path / "module", place)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        tar.add(tmp_path / "module", ".")
    (tmp_path / "module.tar.gz").write_bytes(packed.getvalue())
    hub = HubServer()
    hub.files["module.tar.gz"] = packed.getvalue()
    with hub.running():
        for handle in (f"{hub.url}/files/module.tar.gz", str(tmp_path / "module.tar.gz")):
            with pytest.raises(UnsafeGraph, match="op WriteFile can write files"):
                resolve(handle, InputConfig(), tmp_path / "store")
    assert not written(place)


def test_ordinary_modules_are_let_through(shared: Path, tmp_path: Path) -> None:
    for folder in (
        *(path.parent for path in BUNDLED_FOLDER.glob("*/saved_model.pb")),
        shared / "legacy" / "tf1_hub_module" / "mobilenet_v1_025_128_feature_vector",
    ):
        check_saved_model(folder)
    hostile.tf1_module(tmp_path / "honest", tmp_path / "place", "honest")
    backbone = resolve(str(tmp_path / "honest"), InputConfig(), tmp_path / "store")
    assert backbone.info.feature_width == 3


def test_a_table_filled_from_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("a\nb\n")
    hostile.asset_reading_module(tmp_path / "module", tmp_path / "words.txt")
    with pytest.raises(UnsafeGraph, match="op InitializeTableFromTextFileV2 can read files"):
        check_saved_model(tmp_path / "module")


def test_the_saver_counts_as_soon_as_anything_knows_its_name(tmp_path: Path) -> None:
    """TensorFlow's optimiser exchanges functions by their attributes, gradients by their names."""
    folder = Path(shutil.copytree(BUNDLED_FOLDER / "mobilenet_v1_025_128", tmp_path / "module"))
    content = (folder / "saved_model.pb").read_bytes()
    for change in ("attribute", "gradient", "name"):
        saved = parse_saved_model(content)
        (meta,) = saved.meta_graphs
        library = meta.graph_def.library
        saver = next(f for f in library.function if any(n.op == "SaveV2" for n in f.node_def))
        if change == "attribute":
            saver.attr["api_implements"].s = b"x"
        elif change == "gradient":
            library.gradient.add(
                function_name=library.function[0].signature.name,
                gradient_func=saver.signature.name,
            )
        else:
            library.function[0].attr["forward_function_name"].s = saver.signature.name.encode()
        (folder / "saved_model.pb").write_bytes(saved.SerializeToString())
        with pytest.raises(UnsafeGraph, match="op (SaveV2|MergeV2Checkpoints|ShardedFilename)"):
            check_saved_model(folder)


def test_the_list_of_operations_is_of_this_tensorflow() -> None:
    """A name that is none would be a slip of the pen; what touches files is not on the list."""
    tf = import_tensorflow()
    from tensorflow.core.framework.op_def_pb2 import OpList
    from tensorflow.python.client import pywrap_tf_session as session

    known = OpList.FromString(session.TF_GetBuffer(session.TF_GetAllOpList()))
    assert tf and {op.name for op in known.op} >= PURE
    words = ("File", "Save", "Restore", "Dataset", "Reader", "Print", "Py", "Rpc", "Debug", "Send")
    assert [name for name in PURE if any(word in name for word in words)] == []


def test_keras_files_stay_without_code(tmp_path: Path) -> None:
    tf = import_tensorflow()
    honest = keras_model()
    layers = [*honest.layers[:2], tf.keras.layers.Lambda(lambda x: x), *honest.layers[2:]]
    evil = tf.keras.Sequential([tf.keras.Input((SIZE, SIZE, 3)), *layers])
    with zipfile.ZipFile(tmp_path / "evil.keras", "w") as archive:
        archive.writestr("config.json", evil.to_json())
    with h5py.File(tmp_path / "evil.h5", "w") as file:
        file.attrs["model_config"] = evil.to_json()
    for name in ("evil.keras", "evil.h5"):
        with pytest.raises(UnsafeGraph, match="op Lambda runs Python code"):
            read_keras_file(tmp_path / name)
    honest.save(tmp_path / "honest.keras")
    assert read_keras_file(tmp_path / "honest.keras").channels == 3
    for part in (
        {"class_name": "TFSMLayer", "module": "keras.layers", "config": {"filepath": "evil"}},
        {"class_name": "run", "module": "os", "config": {}},
        {"class_name": "StringLookup", "config": {"vocabulary": "/etc/passwd"}},
    ):
        path = tmp_path / "odd.keras"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("config.json", json.dumps({"config": {"layers": [part]}}))
        with pytest.raises(UnsafeGraph, match=f"op {part['class_name']} "):
            read_keras_file(path)


def test_weights_of_a_keras_file_lie_in_it(tmp_path: Path) -> None:
    outer = io.BytesIO()
    with h5py.File(outer, "w") as file:
        file["layers"] = h5py.ExternalLink("/etc/other.h5", "/")
    with zipfile.ZipFile(tmp_path / "links.keras", "w") as archive:
        archive.writestr("config.json", "{}")
        archive.writestr("model.weights.h5", outer.getvalue())
    with pytest.raises(UnsafeGraph, match="ExternalLink"):
        read_keras_file(tmp_path / "links.keras")


def test_onnx_files_have_onnx_operations_and_their_own_weights(tmp_path: Path) -> None:
    onnx = import_onnx()
    helper = onnx.helper
    value = helper.make_tensor_value_info

    def written_model(domain: str, place: str | None) -> Path:
        node = helper.make_node("Add", ["x", "w"], ["y"], domain=domain)
        weight = onnx.numpy_helper.from_array(np.ones((1,), np.float32), "w")
        if place is not None:
            weight.ClearField("raw_data")
            weight.data_location = onnx.TensorProto.EXTERNAL
            weight.external_data.add(key="location", value=place)
        graph = helper.make_graph([node], "g", [value("x", 1, [1])], [value("y", 1, [1])], [weight])
        opsets = [helper.make_opsetid("", 17), helper.make_opsetid("evil", 1)]
        path = tmp_path / "model.onnx"
        path.write_bytes(helper.make_model(graph, opset_imports=opsets).SerializeToString())
        return path

    assert read_onnx(written_model("", None))
    with pytest.raises(UnsafeGraph, match=r"op evil\.Add is not known to only compute"):
        read_onnx(written_model("evil", None))
    for place in ("/etc/passwd", "../secret", "weights/../../secret", "..\\secret"):
        with pytest.raises(RetrainError, match="takes weights from .*, outside of its folder"):
            read_onnx(written_model("", place))


def test_tflite_files_have_tflite_operations(tmp_path: Path) -> None:
    tf = import_tensorflow()

    @tf.function(input_signature=[tf.TensorSpec([1, SIZE, SIZE, 3], tf.float32)])
    def call(images):  # type: ignore[no-untyped-def]
        return tf.reduce_mean(tf.raw_ops.AdjustHue(images=images, delta=0.1), [1, 2])

    converter = tf.lite.TFLiteConverter.from_concrete_functions([call.get_concrete_function()])
    converter.target_spec.supported_ops = [
        tf.lite.OpsSet.TFLITE_BUILTINS,
        tf.lite.OpsSet.SELECT_TF_OPS,
    ]
    path = tmp_path / "flex.tflite"
    path.write_bytes(converter.convert())
    with pytest.raises(UnsafeGraph, match="op Flex"):
        check_tflite(path)
    with pytest.raises(UnsafeGraph, match="op Flex"):
        describe_graph(path)
    assert any("op Flex" in text for text in inspect_artefact(path).contents.unsafe)
