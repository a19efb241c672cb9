"""Reading graphs of any format into OpenVINO, whole or a part."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from retrain.artifacts.variables_index import check_variables_index

FROZEN_GRAPH = ".pb"


def import_openvino() -> Any:
    """Import and return the `openvino` package, with its usage reports switched off.

    Importing it would send a report through `openvino_telemetry`; where that package is absent it
    uses its own silent stand-in, so it is made absent in this process.
    """
    if "openvino" not in sys.modules:
        sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    return openvino


def read_part(
    graph: Path, input_node: str, output: str, *, fixed: Mapping[str, float] | None = None
) -> Any:
    """Read the part of a graph between two nodes and return it as OpenVINO's model.

    In a frozen TensorFlow graph the input may be any node: what feeds it is left out, and need not
    be anything that OpenVINO knows.

    Args:
        graph: The graph's file or folder.
        input_node: Where the part begins, without `:0`.
        output: Where it ends, without `:0`.
        fixed: Numbers that other inputs always get.

    Returns:
        OpenVINO's model.

    Raises:
        KeyError: A node is missing.
        RetrainError: A SavedModel's variables are damaged.
        RuntimeError: OpenVINO's, for a graph that it cannot read, or that needs inputs that are not
            `fixed`.
    """
    ov = import_openvino()
    fixed = fixed or {}
    if graph.suffix == FROZEN_GRAPH and graph.is_file():
        whole = _part_of_frozen_graph(graph, [input_node, *fixed], output)
        result = whole.output(0).get_node().input_value(0)
    else:
        if graph.is_dir():
            check_variables_index(graph)
        whole = ov.Core().read_model(graph)
        result = _tensor_called(whole, output)
    inputs = []
    for parameter in whole.get_parameters():
        given = parameter.output(0)
        value = next((fixed[name] for name in fixed if _is_called(given, name)), None)
        if _is_called(given, input_node):
            inputs.append(parameter)
        elif value is not None:
            _fix(given, value)
    if not inputs:
        raise KeyError(input_node)
    try:
        return ov.Model([result], inputs)
    except RuntimeError as error:
        others = [p.get_friendly_name() for p in whole.get_parameters() if p not in inputs]
        known = {name for name in others if name.removesuffix(":0") in fixed}
        if set(others) - known and "Parameter" in str(error):
            needed = ", ".join(sorted(set(others) - known))
            raise RuntimeError(f"it needs other inputs than pictures, too: {needed}") from error
        raise


def _fix(given: Any, value: float) -> None:
    """Replace an input by a constant."""
    import numpy as np
    from openvino import opset13

    shape = given.get_partial_shape()
    rank = shape.rank.get_length() if shape.rank.is_static else 0
    sizes = [shape[at].get_length() if shape[at].is_static else 1 for at in range(rank)]
    kind = given.get_element_type()
    constant = opset13.constant(np.full(sizes, value), kind)
    for use in given.get_target_inputs():
        use.replace_source_output(constant.output(0))


def _tensor_called(model: Any, name: str) -> Any:
    for operation in model.get_ordered_ops():
        for tensor in operation.outputs():
            if _is_called(tensor, name):
                return tensor
    raise KeyError(name)


def why(error: RuntimeError) -> str:
    """Return the line of OpenVINO's message that says what is wrong.

    The first lines name its sources.
    """
    lines = [line.strip(" -") for line in str(error).splitlines() if line.strip()]
    telling = [line for line in lines if not line.startswith(("Exception from", "Check '"))]
    known = [line for line in telling if line.startswith("No conversion rule")]
    return (known or telling or lines or [type(error).__name__])[0]


def _is_called(tensor: Any, node: str) -> bool:
    """Tell whether a tensor is a node's output.

    Its name is `node:0` in TensorFlow graphs and `node` in ONNX ones.
    """
    return not {node, f"{node}:0"}.isdisjoint(tensor.get_names())


def _part_of_frozen_graph(graph: Path, inputs: list[str], output: str) -> Any:
    import_openvino()
    from openvino.frontend import (
        FrontEndManager,
        GeneralFailure,
        NotImplementedFailure,
        OpConversionFailure,
        OpValidationFailure,
    )
    from openvino.frontend.tensorflow import ConversionExtension

    reader = FrontEndManager().load_by_framework("tf")
    reader.add_extension(
        ConversionExtension("BatchNormWithGlobalNormalization", _old_batch_normalisation)
    )
    model = reader.load(str(graph))
    places = []
    for name in (*inputs, output):
        place = model.get_place_by_tensor_name(name if ":" in name else f"{name}:0")
        if place is None:
            raise KeyError(name)
        places.append(place)
    model.extract_subgraph(places[:-1], places[-1:])
    try:
        return reader.convert(model)
    except (
        GeneralFailure,
        NotImplementedFailure,
        OpConversionFailure,
        OpValidationFailure,
    ) as error:
        raise RuntimeError(str(error)) from error  # the kind that `read_model` raises


def _old_batch_normalisation(node: Any) -> Any:
    """Return BatchNormWithGlobalNormalization as operations that OpenVINO has.

    Inception v3 of 2015 uses it; TensorFlow gave it up in 2016, OpenVINO never had it.
    """
    from openvino import opset13

    pixels, mean, variance, beta, gamma = (node.get_input(number) for number in range(5))
    deviation = opset13.sqrt(opset13.add(variance, _scalar(node.get_attribute("variance_epsilon"))))
    scale = opset13.divide(_scalar(1.0), deviation)
    if node.get_attribute("scale_after_normalization"):
        scale = opset13.multiply(scale, gamma)
    return opset13.add(opset13.multiply(opset13.subtract(pixels, mean), scale), beta).outputs()


def _scalar(value: float) -> Any:
    import numpy as np
    from openvino import opset13

    return opset13.constant(np.float32(value))
