"""The user's settings of a module's input: size and value range."""

import re
from dataclasses import dataclass

from retrain.data.config import SIDE, VALUE
from retrain.errors import UsageFault
from retrain.utils.settings import shown

RANGE_REMEDY = "give LOW,HIGH, for example 0,1 or -1,1 or 0,255"


@dataclass(frozen=True)
class InputConfig:
    """The user's settings of a module's input; None: as the module says.

    Attributes:
        size: (height, width) of its pictures, in pixels.
        value_range: (low, high) of its values.
        usual_size: (height, width) for a module that does not say its size.
    """

    size: tuple[int, int] | None = None
    value_range: tuple[float, float] | None = None
    usual_size: tuple[int, int] | None = None

    @property
    def suffix(self) -> str:
        """Distinguishes the frozen graphs of one module; empty when nothing is set."""
        size = f"-{self.size[0]}x{self.size[1]}" if self.size else ""
        low_high = f"-{self.value_range[0]:g}to{self.value_range[1]:g}" if self.value_range else ""
        return size + low_high


def parse_size(text: str) -> tuple[int, int]:
    """Parse `224` or `128x96` (height x width) into (height, width); raise UsageFault."""
    found = re.fullmatch(r"([0-9]+)(?:x([0-9]+))?", text.strip().lower())
    if not found:
        raise UsageFault(f"--input_size {shown(text)}: give a number of pixels, or HEIGHTxWIDTH")
    sides = (side or found[1] for side in found.groups())
    height, width = (int(SIDE.parse(side, "--input_size")) for side in sides)
    return height, width


def parse_range(text: str) -> tuple[float, float]:
    """Parse `-1,1` into (low, high); raise UsageFault."""
    ends = text.split(",")
    if len(ends) != 2:
        raise UsageFault(f"--input_range {shown(text)}: {RANGE_REMEDY}")
    low, high = (float(VALUE.parse(end, "--input_range")) for end in ends)
    check_range(low, high)
    return low, high


def check_range(low: float, high: float) -> None:
    """Raise UsageFault unless `low` lies below `high`."""
    if not low < high:
        raise UsageFault(f"--input_range {low:g},{high:g}: {RANGE_REMEDY}")
