"""The formats that a graph is exported to. Settings, `--to`, checks and exports read FORMATS.

Importing this must not import NumPy, because the command line's help needs the table: so a format
says in which module its code is (`format_module.FormatModule` says what that offers).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from retrain.export.format_module import FolderModule, FormatModule

FLOAT32, FLOAT16, DYNAMIC, INT8 = "float32", "float16", "dynamic", "int8"  # numbers of weights


@dataclass(frozen=True)
class ExportFormat:
    """A format of files, or folders, that classifiers are exported to.

    Attributes:
        name: As users are told it, in messages, in the report and in the model card.
        module: Of `retrain.export`, with its writer and its runtime.
        setting: Of ExportConfig, for where it goes.
        suffix: Of its files, by which `--to` knows it; None for the one that is a folder.
        needs: Packages, and the extras that bring them, for making and checking it.
        numbers_setting: Of ExportConfig, where its weights can be kept in several ways.
        agreement: Least share of photos that must get the frozen graph's own answer, for each way
            to keep the weights.
    """

    name: str
    module: str
    setting: str
    suffix: str | None
    needs: tuple[tuple[str, str], ...] = ()
    numbers_setting: str | None = None
    agreement: Mapping[str, float] = field(default_factory=lambda: {FLOAT32: 1.0})

    def load(self) -> "FormatModule":
        """Return the module with its writer and its runtime."""
        module: FormatModule = import_module(f"retrain.export.{self.module}")
        return module

    def load_folder(self) -> "FolderModule | None":
        """Return the module of a format that is a folder; None for one of files."""
        if self.suffix is not None:
            return None
        module: FolderModule = import_module(f"retrain.export.{self.module}")
        return module


SAVED_MODEL = ExportFormat("SavedModel", "saved_model", "saved_model_dir", None)
TFLITE = ExportFormat(
    "TFLite",
    "tflite",
    "tflite_output_file",
    ".tflite",
    needs=(("ai-edge-litert", "tflite"),),
    numbers_setting="tflite_quantization",
    # Rounded weights turn a photo whose best two classes are close, now and then, without anything
    # being wrong.
    agreement={FLOAT32: 1.0, FLOAT16: 0.99, DYNAMIC: 0.97, INT8: 0.97},
)
ONNX = ExportFormat(
    "ONNX",
    "onnx",
    "onnx_output_file",
    ".onnx",
    needs=(("onnx", "onnx"), ("tf2onnx", "onnx"), ("onnxruntime", "onnx")),
)
FORMATS = (SAVED_MODEL, TFLITE, ONNX)  # in the order in which they are made
BY_SUFFIX = {one.suffix: one for one in FORMATS}


def format_of(path: Path) -> ExportFormat:
    """Return the format that a path's suffix says; that of folders for any other."""
    return BY_SUFFIX.get(path.suffix.lower(), BY_SUFFIX[None])
