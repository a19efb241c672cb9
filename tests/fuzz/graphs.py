"""Damaged graphs of each format through label-image, inspect, export and train."""

import csv
import io
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import graph_kinds
from conftest import TINY, write_colour_tree, write_picture
from onnx_files import write_onnx

from fuzz.judge import Command, faults_of
from fuzz.mutations import EXTREMES, mutated

# By format: the whole ones, and how often each is taken.
WHOLE = {
    "pb": {"own.pb": 3, "hub.pb": 4, "decoding.pb": 2},
    "savedmodel": {"variables": 2, "frozen": 2},
    "tflite": {"float.tflite": 2, "quantized.tflite": 1},
    "onnx": {"own.onnx": 2, "module.onnx": 2},
}
OPERATIONS = ("Identity", "Add", "MatMul", "Conv2D", "Softmax", "Reshape", "Placeholder", "Const",
              "NoSuchOp", "Squeeze", "ConcatV2", "Conv", "Gemm", "Relu", "")  # fmt: skip


def prepare(folder: Path, command: Command) -> None:
    """Writes the whole graphs of all formats, photos and labels."""
    folder.mkdir()
    tree = write_colour_tree(folder / "tree", 4)
    trained = command("retrain", "--image_dir", tree, "--tfhub_module", TINY, "--output_graph",
                      folder / "own.pb", "--how_many_training_steps", 20, "--no-report",
                      "--output_labels", folder / "own.txt", "--summaries_dir", "",
                      "--onnx_output_file", folder / "own.onnx")  # fmt: skip
    assert trained.returncode == 0, trained.stderr
    (folder / "labels.txt").write_text("\n".join(graph_kinds.LABELS) + "\n")
    graph_kinds.hub_script_graph(folder / "hub.pb")
    graph_kinds.decoding_graph(folder / "decoding.pb")
    graph_kinds.saved_model_tf1(folder / "variables")
    graph_kinds.saved_model_two_signatures(folder / "frozen")
    graph_kinds.tflite_file(folder / "float.tflite", folder / "frozen")
    graph_kinds.tflite_file(folder / "quantized.tflite", folder / "frozen", quantized=True)
    write_onnx(folder / "module.onnx")
    write_picture(folder / "photo.png", (200, 40, 40), 1)


def damaged(kind: str, seed: int, whole: Path, folder: Path) -> tuple[Path, str]:
    """A damaged graph of this format in `folder`, and what was done."""
    rng = random.Random(f"{kind} {seed}")
    names = {name: often for name, often in WHOLE[kind].items() if (whole / name).exists()}
    name = rng.choices(list(names), list(names.values()))[0]
    target = folder / name
    if kind == "savedmodel":
        shutil.copytree(whole / name, target)
        files = sorted(path for path in target.rglob("*") if path.is_file())
        graph = target / "saved_model.pb"
        path = graph if rng.random() < 0.6 else rng.choice(files)
        if rng.random() < 0.05:
            path.unlink()
            return target, f"{name}: without {path.name}"
        content = path.read_bytes()
        rewired = path == graph and rng.random() < 0.6
    else:
        path, content = target, (whole / name).read_bytes()
        rewired = kind != "tflite" and rng.random() < 0.6
    if rewired:
        content, done = READERS[kind](content, rng)
    else:
        content, done = mutated(content or b"\0", rng)
    path.write_bytes(content)
    return target, f"{name}: {path.name} {done}"


def _frozen(content: bytes, rng: random.Random) -> tuple[bytes, str]:
    from tensorboard.compat.proto.graph_pb2 import GraphDef

    graph = GraphDef.FromString(content)
    done = _rewire(graph.node, rng)
    return graph.SerializeToString(), done


def _saved_model(content: bytes, rng: random.Random) -> tuple[bytes, str]:
    from retrain.artifacts.saved_model import _message_class

    model = _message_class().FromString(content)
    graph = model.meta_graphs[0].graph_def
    nodes = [graph.node, *(function.node_def for function in graph.library.function)]
    done = _rewire(rng.choice([one for one in nodes if one]), rng)
    return model.SerializeToString(), done


def _onnx(content: bytes, rng: random.Random) -> tuple[bytes, str]:
    import onnx

    model = onnx.ModelProto.FromString(content)
    graph = model.graph
    draw = rng.random()
    if draw < 0.6:
        done = _rewire(graph.node, rng)
        return model.SerializeToString(), done
    if draw < 0.8:
        weights = rng.choice(graph.initializer)
        if weights.dims:
            weights.dims[rng.randrange(len(weights.dims))] = rng.choice(EXTREMES)
        else:
            weights.data_type = rng.randrange(20)
        return model.SerializeToString(), f"weights {weights.name}"
    ends = rng.choice((graph.input, graph.output))
    end = rng.choice(ends)
    shape = end.type.tensor_type.shape
    if shape.dim and rng.random() < 0.7:
        rng.choice(shape.dim).dim_value = rng.choice((0, 1, 2, 7, -1, 2**31))
    else:
        end.type.tensor_type.elem_type = rng.randrange(20)
    return model.SerializeToString(), f"the shape of {end.name}"


def _rewire(nodes: Any, rng: random.Random) -> str:
    """One change to the nodes of a graph, TensorFlow's or ONNX's; returns its name."""
    number = rng.randrange(len(nodes))
    node, other = nodes[number], rng.choice(nodes)

    def attribute() -> None:
        if not node.attr:
            node.op = rng.choice(OPERATIONS)
            return
        value = node.attr[rng.choice(sorted(node.attr))]
        kind = value.WhichOneof("value")
        if kind == "type":
            value.type = rng.choice((1, 3, 7, 10, 99))
        elif kind == "tensor" and value.tensor.tensor_shape.dim:
            rng.choice(value.tensor.tensor_shape.dim).size = rng.choice((0, 3, -1, 2**31, 2**62))
        elif kind == "tensor":
            value.tensor.dtype = rng.choice((1, 3, 7, 10))
        elif kind == "shape":
            value.shape.dim.add(size=rng.choice((0, 3, -1, 2**40)))
        elif kind == "list" and value.list.i:
            value.list.i[0] = rng.choice((0, -1, 10**6, 2**62))
        elif kind == "s":
            value.s = rng.choice((b"", b"NCHW", b"SAME_LOWER", b"\xff\xfe"))
        else:
            value.Clear()

    def integers() -> None:
        if node.attribute:
            chosen = rng.choice(node.attribute)
            chosen.i = rng.choice((0, -1, 2**31, 2**62))
            if chosen.ints:
                chosen.ints[0] = rng.choice((0, -1, 10**6, 2**62))
            if chosen.HasField("t") and chosen.t.dims:
                chosen.t.dims[0] = rng.choice((0, -1, 2**31))

    def rewire() -> None:
        if node.input:
            node.input[rng.randrange(len(node.input))] = rng.choice((other.name, node.name, "no:7"))

    def operation() -> None:
        setattr(node, "op" if hasattr(node, "op") else "op_type", rng.choice(OPERATIONS))

    def name() -> None:
        node.name = rng.choice((other.name, "", "a b", "\N{SNOWMAN}", "x" * 300))

    changes: dict[str, Callable[[], object]] = {
        "node removed": lambda: nodes.pop(number),
        "node twice": lambda: nodes.add().CopyFrom(node),
        "inputs removed": lambda: node.ClearField("input"),
        "input more": lambda: node.input.append(other.name),
        "attribute": attribute if hasattr(node, "attr") else integers,
        "attribute again": attribute if hasattr(node, "attr") else integers,
        "rewired": rewire,
        "operation": operation,
        "name": name,
    }
    done = rng.choice(sorted(changes))
    which = f"{done} at {node.name}"
    changes[done]()
    return which


READERS = {"pb": _frozen, "savedmodel": _saved_model, "onnx": _onnx}


def hunt(kind: str, seed: int, whole: Path, folder: Path, command: Command) -> list[str]:
    """What is wrong with how one damaged graph is taken."""
    graph, done = damaged(kind, seed, whole, folder)
    photo = whole / "photo.png"
    label = ("label-image", "--graph", graph, "--format", "csv", photo, photo)
    if not graph.name.startswith("own"):
        label += ("--labels", whole / "labels.txt")
    first, second = command(*label), command(*label)
    faults = faults_of("label-image", first, codes=(0, 1, 2))
    if (first.stdout, first.returncode) != (second.stdout, second.returncode):
        faults.append(f"label-image: another answer the second time: {second.stdout[-200:]}")
    for row in csv.DictReader(io.StringIO(first.stdout)):
        if not row["error"] and not 0 <= float(row["score"]) <= 1.001:
            faults.append(f"label-image: a score that is none: {row}")
    faults += faults_of("inspect", command("retrain", "inspect", graph), codes=(0, 1, 2))
    if seed % 5 == 0:
        out = command("retrain", "export", "--graph", graph, "--to", folder / "out.tflite",
                      "--image_dir", whole / "tree")  # fmt: skip
        faults += faults_of("export", out, codes=(0, 1, 2, 3))
    if seed % 3 == 0 and kind in ("savedmodel", "onnx"):
        train = command("retrain", "--image_dir", whole / "tree", "--tfhub_module", graph,
                        "--how_many_training_steps", 3, "--no-report", "--summaries_dir", "",
                        "--bottleneck_dir", folder / "kept")  # fmt: skip
        faults += faults_of("train", train, codes=(0, 1, 2))
    return [f"{done}: {fault}" for fault in faults]
