"""Reading graphs of any format into OpenVINO, and taking the part that is wanted."""

import sys
from pathlib import Path
from typing import Any

FROZEN_GRAPH = ".pb"


def import_openvino() -> Any:
    """The `openvino` module with its usage reports switched off.

    Importing it would send a report through `openvino_telemetry`; where that package is absent
    it uses its own silent stand-in, so it is made absent in this process.
    """
    if "openvino" not in sys.modules:
        sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    return openvino


def read_part(graph: Path, input_node: str, output: str) -> Any:
    """OpenVINO's model of what lies between two nodes; names are without `:0`.

    In a frozen TensorFlow graph the input may be any node: what feeds it is left out, and need not
    be anything that OpenVINO knows. Raises KeyError for a missing node, RuntimeError (OpenVINO's)
    for a graph that it cannot read.
    """
    if graph.suffix == FROZEN_GRAPH and graph.is_file():
        return _part_of_frozen_graph(graph, input_node, output)
    ov = import_openvino()
    model = ov.Core().read_model(graph)
    inputs = [p for p in model.get_parameters() if _is_called(p.output(0), input_node)]
    if not inputs:
        raise KeyError(input_node)
    for operation in model.get_ordered_ops():
        for tensor in operation.outputs():
            if _is_called(tensor, output):
                return ov.Model([tensor], inputs)
    raise KeyError(output)


def why(error: RuntimeError) -> str:
    """The line of OpenVINO's message that says what is wrong; the first ones name its sources."""
    lines = [line.strip(" -") for line in str(error).splitlines() if line.strip()]
    telling = [line for line in lines if not line.startswith(("Exception from", "Check '"))]
    known = [line for line in telling if line.startswith("No conversion rule")]
    return (known or telling or lines or [type(error).__name__])[0]


def _is_called(tensor: Any, node: str) -> bool:
    """Whether it is the node's output: `node:0` in TensorFlow graphs, `node` in ONNX ones."""
    return not {node, f"{node}:0"}.isdisjoint(tensor.get_names())


def _part_of_frozen_graph(graph: Path, input_node: str, output: str) -> Any:
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
    for name in (input_node, output):
        place = model.get_place_by_tensor_name(name if ":" in name else f"{name}:0")
        if place is None:
            raise KeyError(name)
        places.append(place)
    model.extract_subgraph(places[:1], places[1:])
    try:
        return reader.convert(model)
    except (
        GeneralFailure,
        NotImplementedFailure,
        OpConversionFailure,
        OpValidationFailure,
    ) as error:
        raise RuntimeError(str(error)) from error  # what `read_model` makes of them


def _old_batch_normalisation(node: Any) -> Any:
    """Inception v3 of 2015 is made of it; TensorFlow gave it up in 2016, OpenVINO never had it."""
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
