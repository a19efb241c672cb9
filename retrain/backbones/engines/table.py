"""The engines that compute features. `--engine` and `choose_engine` are made from ENGINES.

Importing this must not import NumPy, because the command line's help needs the table: so an engine
says where its code is.
"""

from dataclasses import dataclass
from importlib.util import find_spec


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
        package: That may be missing, in a lite installation; "" for none.
    """

    title: str
    module: str
    is_reference: bool = False
    on_gpu: bool = False
    runs_onnx: bool = False
    package: str = ""

    @property
    def is_installed(self) -> bool:
        """Whether its package is there; nothing is imported."""
        return not self.package or find_spec(self.package) is not None


# In the order in which `auto` tries them on a CPU.
ENGINES = {
    "openvino": EngineEntry("OpenVINO", "retrain.backbones.engines.openvino", runs_onnx=True),
    "tensorflow": EngineEntry(
        "TensorFlow",
        "retrain.backbones.engines.tensorflow",
        is_reference=True,
        on_gpu=True,
        package="tensorflow",
    ),
}
AUTO = "auto"
