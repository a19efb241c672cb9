"""ONNX model files: reading them and adding to them. Needs the extra `onnx`."""

from pathlib import Path
from typing import Any

from retrain.artifacts.safety.other_formats import check_onnx
from retrain.errors import RetrainError, one_line
from retrain.utils.files import cannot_read
from retrain.utils.optional import require

SUFFIX = ".onnx"


def import_onnx() -> Any:
    """Import and return the `onnx` package; raise RetrainError if it is not installed."""
    require("onnx", "onnx", "reading or writing ONNX files")
    import onnx
    import onnx.compose  # noqa: F401 -- callers use it as an attribute
    import onnx.numpy_helper  # noqa: F401 -- callers use it as an attribute
    import onnx.shape_inference  # noqa: F401 -- callers use it as an attribute

    return onnx


def read_onnx(path: Path) -> Any:
    """Read an ONNX file and return its ModelProto.

    Raises RetrainError if it is missing or no ONNX model, and UnsafeGraph, which is one, if it
    holds operations that are not ONNX's own.
    """
    onnx = import_onnx()
    try:
        model = onnx.load(str(path), load_external_data=False)
        check_onnx(model, path)
        onnx.load_external_data_for_model(model, str(path.absolute().parent))
        onnx.checker.check_model(model)
    except RetrainError:
        raise
    except OSError as error:
        raise cannot_read("model", path, error) from error
    except Exception as error:  # protobuf and the checker have their own kinds
        raise RetrainError(
            f"{path.absolute()} is not a usable ONNX model: {one_line(error)}; export it anew"
        ) from error
    return model


def add_constant(model: Any, name: str, values: Any) -> str:
    """Append a named constant array to a model and return its name."""
    model.graph.initializer.append(import_onnx().numpy_helper.from_array(values, name))
    return name


def add_node(model: Any, op: str, inputs: list[str], *, output: str, **attributes: Any) -> str:
    """Append a node with one output to a model and return the output's name.

    Args:
        model: The ModelProto, which is changed.
        op: The operation, such as `MatMul`.
        inputs: Names of the tensors that it takes.
        output: The name of the tensor that it makes.
        **attributes: The operation's attributes.

    Returns:
        `output`.
    """
    model.graph.node.append(import_onnx().helper.make_node(op, inputs, [output], **attributes))
    return output
