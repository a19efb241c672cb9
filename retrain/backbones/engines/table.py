"""The engines that compute features. `--engine` and `choose_engine` are made from ENGINES.

Importing this must not import NumPy, because the command line's help needs the table: so an engine
says where its code is.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class EngineEntry:
    """One engine, which is a module with `open_backbone(backbone, precision) -> Engine`.

    Attributes:
        title: Its name for people.
        module: Where its code is. `open_backbone` raises RetrainError for a graph that it cannot
            run.
        is_reference: Its answers define a module's features; others are compared with them.
        on_gpu: `auto` takes it, and no other, where there is an NVIDIA GPU.
        runs_onnx: It runs modules that came in ONNX, too.
    """

    title: str
    module: str
    is_reference: bool = False
    on_gpu: bool = False
    runs_onnx: bool = False


# In the order in which `auto` tries them on a CPU.
ENGINES = {
    "openvino": EngineEntry("OpenVINO", "retrain.backbones.engines.openvino", runs_onnx=True),
    "tensorflow": EngineEntry(
        "TensorFlow", "retrain.backbones.engines.tensorflow", is_reference=True, on_gpu=True
    ),
}
AUTO = "auto"
