"""Settings of the module that computes features, and of where both are kept."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from retrain.backbones.bundled import DEFAULT_MODULE
from retrain.backbones.engines.table import AUTO, ENGINES
from retrain.backbones.freeze.input_config import (
    InputConfig,
    check_range,
    parse_range,
    parse_size,
)
from retrain.data.config import SIDE, VALUE
from retrain.errors import UsageFault
from retrain.utils.files import user_cache_dir
from retrain.utils.handles import Handle
from retrain.utils.settings import MODULE, Section, setting, shown, text_of

SIMPLE_CNN = "simple_cnn"  # the name of the network that is trained from scratch
ALLOW_UNSAFE = (
    "Run a module or graph that does more than compute, such as writing files; only if you trust "
    "its maker."
)


def default_modules_folder() -> Path:
    """Return where modules are kept when no flag says otherwise."""
    return user_cache_dir() / "modules"


def _pair(name: str, value: Any) -> tuple[Any, Any]:
    if not isinstance(value, (list, tuple)) or len(value) != 2:
        raise UsageFault(f"{name} {shown(value)}: give two numbers")
    return value[0], value[1]


def _size(value: Any) -> tuple[int, int]:
    height, width = (SIDE.number(n, "--input_size") for n in _pair("input_size", value))
    return int(height), int(width)


def _range(value: Any) -> tuple[float, float]:
    low, high = (VALUE.number(n, "--input_range") for n in _pair("input_range", value))
    check_range(low, high)
    return low, high


@dataclass(frozen=True)
class ExtractConfig(Section, group=MODULE):
    """The module, how it is fed and run, and the folders of modules and features.

    `input_size` is (height, width), `input_range` (low, high); None: as the module says. Folders
    that are None lie in the user's cache folder.
    """

    tfhub_module: str = setting(
        DEFAULT_MODULE,
        help="Module: a name (see: retrain modules list), folder, .tar.gz, .keras, .h5, .onnx, hub "
        "URL or Kaggle handle.",
        metavar="MODULE",
        everyday=True,
        check=lambda given: Handle(text_of("tfhub_module", given)),
        recorded=False,  # the manifest has its name and its fingerprint
    )
    input_size: tuple[int, int] | None = setting(
        None,
        help="Size of the module's pictures; needed where it takes any.",
        metavar="N|HxW",
        check=_size,
        parse=parse_size,
        recorded=False,
    )
    input_range: tuple[float, float] | None = setting(
        None,
        help="Values that the module's pixels have, if it is not 0 to 1.",
        metavar="LOW,HIGH",
        check=_range,
        parse=parse_range,
        recorded=False,
    )
    engine: str = setting(
        "auto",
        help="What runs the module; auto: TensorFlow on a GPU, else OpenVINO.",
        choices=(AUTO, *ENGINES),
        recorded=False,
    )
    precision: str = setting(
        "f32",
        help="bf16 is about twice as fast where the processor has it, but the exported graph, "
        "which computes in f32, may then score up to 0.2 apart from training. Fine-tuning uses it "
        "on CPUs.",
        choices=("f32", "bf16"),
    )
    bottleneck_dir: Path | None = setting(
        None,
        help="Where features are kept.",
        metavar="DIR",
        shown_default="the user's cache",
        everyday=True,
        recorded=False,
    )
    model_dir: Path | None = setting(
        None,
        help="Where modules are kept once frozen.",
        metavar="DIR",
        shown_default="the user's cache",
        recorded=False,
    )
    allow_unsafe_module: bool = setting(False, help=ALLOW_UNSAFE, recorded=False)

    @property
    def from_scratch(self) -> bool:
        """Whether the network itself is trained, on pixels, and no module is used."""
        return self.tfhub_module.lower().replace("-", "_") == SIMPLE_CNN

    @property
    def features_folder(self) -> Path:
        """Where features are kept."""
        return self.bottleneck_dir or user_cache_dir() / "bottlenecks"

    @property
    def modules_folder(self) -> Path:
        """Where frozen modules are kept."""
        return self.model_dir or default_modules_folder()

    @property
    def input_config(self) -> InputConfig:
        """The user's settings of the module's input."""
        return InputConfig(self.input_size, self.input_range)
