"""Graphs and modules that write a file, or read one, when they are run: makers for the tests.

Each takes pictures [n, 32, 32, 3] and gives probabilities or features, as honest ones do.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from graph_kinds import LABELS, SIZE, network

from retrain.artifacts.graphdef import add_text_constant, read_graph
from retrain.artifacts.manifest import NODE, Manifest, manifest_text
from retrain.data.decoding.decode import Recipe
from retrain.utils.tensorflow import import_tensorflow

Deed = Callable[[Any, str], Any]


def _save(tf: Any, place: str) -> Any:
    return tf.raw_ops.SaveV2(
        prefix=place, tensor_names=["a"], shape_and_slices=[""], tensors=[tf.constant(1.0)]
    )


def _print(tf: Any, place: str) -> Any:
    return tf.raw_ops.PrintV2(input="evil", output_stream=f"file://{place}")


def _write(tf: Any, place: str) -> Any:
    return tf.raw_ops.WriteFile(filename=place, contents="evil")


def _debug(tf: Any, place: str) -> Any:
    return tf.raw_ops.DebugIdentityV2(
        input=tf.constant(1.0), tfdbg_context_id="x", op_name="y", output_slot=0,
        tensor_debug_mode=2, debug_urls=[f"file://{place}"], circular_buffer_size=-1,
        tfdbg_run_id="z",
    )  # fmt: skip


DEEDS: dict[str, Deed] = {
    "SaveV2": _save,
    "WriteFile": _write,
    "PrintV2": _print,
}


def _in_function(tf: Any, deed: Deed, place: str) -> Any:
    function = tf.function(lambda: _done(tf, deed, place))
    return function.get_concrete_function()()


def _in_nested_function(tf: Any, deed: Deed, place: str) -> Any:
    inner = tf.function(lambda: _done(tf, deed, place))
    return tf.function(lambda: inner() + 1).get_concrete_function()()


def _in_loop(tf: Any, deed: Deed, place: str) -> Any:
    return tf.while_loop(lambda i: i < 1, lambda i: (i + _done(tf, deed, place),), [0])[0]


def _in_branch(tf: Any, deed: Deed, place: str) -> Any:
    wanted = tf.constant(True)
    return tf.cond(wanted, lambda: _done(tf, deed, place), lambda: tf.constant(0))


WAYS: dict[str, Callable[[Any, Deed, str], Any]] = {
    "plainly": lambda tf, deed, place: _done(tf, deed, place),
    "in a function": _in_function,
    "in a function of a function": _in_nested_function,
    "in a loop": _in_loop,
    "in a branch": _in_branch,
}


def _done(tf: Any, deed: Deed, place: str) -> Any:
    """The number 1, once the deed is done."""
    made = deed(tf, place)
    with tf.control_dependencies([made] if made is not None else []):
        return tf.constant(1)


def hostile_graph(path: Path, place: Path, deed: str = "SaveV2", way: str = "plainly") -> None:
    """A frozen classifier with retrain's manifest that writes `place` when it is asked."""
    tf = import_tensorflow()
    with tf.Graph().as_default() as graph:
        image = tf.compat.v1.placeholder(tf.float32, [None, SIZE, SIZE, 3], name="Placeholder")
        with tf.compat.v1.control_dependencies([WAYS[way](tf, DEEDS[deed], str(place))]):
            logits = tf.identity(network(tf, image))
        tf.nn.softmax(logits, name="final_result")
    write_with_manifest(path, graph.as_graph_def().SerializeToString())


def reading_graph(path: Path, secret: Path) -> None:
    """A frozen classifier whose scores depend on the bytes of a file."""
    tf = import_tensorflow()
    with tf.Graph().as_default() as graph:
        image = tf.compat.v1.placeholder(tf.float32, [None, SIZE, SIZE, 3], name="Placeholder")
        content = tf.io.decode_raw(tf.io.read_file(str(secret)), tf.uint8)
        logits = network(tf, image) + tf.cast(content[:5], tf.float32)
        tf.nn.softmax(logits, name="final_result")
    write_with_manifest(path, graph.as_graph_def().SerializeToString())


def python_graph(path: Path, place: Path) -> None:
    """A frozen classifier that calls a Python function of the process that made it."""
    tf = import_tensorflow()
    with tf.Graph().as_default() as graph:
        image = tf.compat.v1.placeholder(tf.float32, [None, SIZE, SIZE, 3], name="Placeholder")
        called = tf.compat.v1.py_func(
            lambda: np.float32(place.write_bytes(b"evil")), [], tf.float32
        )
        tf.nn.softmax(network(tf, image) + called, name="final_result")
    write_with_manifest(path, graph.as_graph_def().SerializeToString())


def write_with_manifest(path: Path, graph: bytes) -> None:
    """A frozen graph as retrain would have written it."""
    path.write_bytes(graph)
    ours = read_graph(path)
    recipe = Recipe(SIZE, SIZE).text
    manifest = Manifest(LABELS, "Placeholder", SIZE, SIZE, recipe, "final_result")
    add_text_constant(ours, NODE, manifest_text(manifest))
    path.write_bytes(ours.SerializeToString())


def _features(tf: Any, images: Any) -> Any:
    return tf.reduce_mean(images, [1, 2])


def module_that_writes_when_called(folder: Path, place: Path) -> None:
    tf = import_tensorflow()
    module = tf.Module()

    @tf.function(input_signature=[tf.TensorSpec([None, SIZE, SIZE, 3], tf.float32)])
    def call(images: Any) -> Any:
        with tf.control_dependencies([_write(tf, str(place))]):
            return tf.identity(_features(tf, images))

    module.__call__ = call
    _saved(tf, module, call, folder)


def module_that_writes_when_loaded(folder: Path, place: Path) -> None:
    """By the initialiser of a resource, which TensorFlow runs while it loads a module."""
    tf = import_tensorflow()
    from tensorflow.python.trackable.resource import TrackableResource

    class Evil(TrackableResource):  # type: ignore[misc]
        def _create_resource(self) -> Any:
            table = tf.raw_ops.HashTableV2(key_dtype=tf.string, value_dtype=tf.int64)
            return table

        def _initialize(self) -> None:
            _write(tf, str(place))

    module = tf.Module()
    module.evil = Evil()

    @tf.function(input_signature=[tf.TensorSpec([None, SIZE, SIZE, 3], tf.float32)])
    def call(images: Any) -> Any:
        module.evil.resource_handle  # noqa: B018
        return _features(tf, images)

    module.__call__ = call
    _saved(tf, module, call, folder)
    place.unlink(missing_ok=True)


def module_that_saves_by_its_saver(folder: Path, place: Path) -> None:
    """The function that any SavedModel has for saving, called by the module itself."""
    tf = import_tensorflow()
    module = tf.Module()
    module.scale = tf.Variable(2.0)

    @tf.function(input_signature=[tf.TensorSpec([None, SIZE, SIZE, 3], tf.float32)])
    def call(images: Any) -> Any:
        return module.scale * _features(tf, images)

    module.__call__ = call
    _saved(tf, module, call, folder)
    from retrain.artifacts.saved_model import parse_saved_model

    path = folder / "saved_model.pb"
    saved = parse_saved_model(path.read_bytes())
    (meta,) = saved.meta_graphs
    library = meta.graph_def.library.function
    saver = next(f for f in library if any(n.op == "SaveV2" for n in f.node_def))
    called = [f for f in library if f.signature.name in meta.object_graph_def.concrete_functions]
    for function in called:
        prefix = function.node_def.add(op="Const", name="evil/prefix")
        prefix.attr["dtype"].type = 7
        tensor = prefix.attr["value"].tensor
        tensor.dtype = 7
        tensor.tensor_shape.SetInParent()
        tensor.string_val.append(str(place).encode())
        node = function.node_def.add(op="StatefulPartitionedCall", name="evil/call")
        node.input.extend(["evil/prefix:output:0"])
        node.attr["f"].func.name = saver.signature.name
    path.write_bytes(saved.SerializeToString())


def _saved(tf: Any, module: Any, call: Any, folder: Path) -> None:
    tf.saved_model.save(module, str(folder), signatures={"serving_default": call})


def tf1_module(folder: Path, place: Path, way: str) -> None:
    """A module of TensorFlow 1 that writes: `main_op` when it is loaded, `restore` when its
    variables are restored, `features` when it is asked; `honest` never."""
    tf = import_tensorflow()
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        images = v1.placeholder(tf.float32, [None, SIZE, SIZE, 3], name="images")
        scale = v1.get_variable("scale", initializer=np.float32(2), use_resource=True)
        features = scale * _features(tf, images)
        if way == "features":
            with tf.control_dependencies([_write(tf, str(place))]):
                features = tf.identity(features)
        main_op = _write(tf, str(place)) if way == "main_op" else None
        saver = v1.train.Saver(sharded=True, allow_empty=True)
        session.run(v1.global_variables_initializer())
        builder = v1.saved_model.Builder(str(folder))
        signature = v1.saved_model.predict_signature_def({"images": images}, {"default": features})
        builder.add_meta_graph_and_variables(
            session, ["serve"], signature_def_map={"default": signature}, saver=saver,
            main_op=main_op,
        )  # fmt: skip
        builder.save()
    if way == "restore":
        from retrain.artifacts.saved_model import parse_saved_model

        path = folder / "saved_model.pb"
        saved = parse_saved_model(path.read_bytes())
        (meta,) = saved.meta_graphs
        with tf.Graph().as_default() as graph:
            with tf.name_scope("evil"):
                _write(tf, str(place))
        nodes = graph.as_graph_def().node
        writer = next(node.name for node in nodes if node.op == "WriteFile")
        for node in nodes:
            meta.graph_def.node.add().ParseFromString(node.SerializeToString())
        restore = next(n for n in meta.graph_def.node if n.name == meta.saver_def.restore_op_name)
        restore.input.append(f"^{writer}")
        path.write_bytes(saved.SerializeToString())
    place.unlink(missing_ok=True)


def asset_reading_module(folder: Path, words: Path) -> None:
    """A module whose features come out of a text file, by a table that is filled from it."""
    tf = import_tensorflow()
    module = tf.Module()
    source = tf.lookup.TextFileInitializer(
        str(words), tf.string, tf.lookup.TextFileIndex.WHOLE_LINE, tf.int64,
        tf.lookup.TextFileIndex.LINE_NUMBER,
    )  # fmt: skip
    module.table = tf.lookup.StaticHashTable(source, -1)

    @tf.function(input_signature=[tf.TensorSpec([None, SIZE, SIZE, 3], tf.float32)])
    def call(images: Any) -> Any:
        return _features(tf, images) + tf.cast(module.table.lookup(tf.constant("a")), tf.float32)

    module.__call__ = call
    _saved(tf, module, call, folder)
