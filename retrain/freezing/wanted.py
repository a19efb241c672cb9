"""What a user says of a module's input."""

import re
from dataclasses import dataclass

from retrain.errors import UsageFault


@dataclass(frozen=True)
class InputWanted:
    """The (height, width) of a module's pictures, and the (low, high) of its values.

    None: as the module says. `usual_size` is for a module that does not say its size.
    """

    size: tuple[int, int] | None = None
    value_range: tuple[float, float] | None = None
    usual_size: tuple[int, int] | None = None

    @property
    def suffix(self) -> str:
        """Distinguishes the frozen graphs of one module; empty when nothing is said."""
        size = f"-{self.size[0]}x{self.size[1]}" if self.size else ""
        low_high = f"-{self.value_range[0]:g}to{self.value_range[1]:g}" if self.value_range else ""
        return size + low_high


def parse_size(text: str) -> tuple[int, int]:
    """`224` or `128x96` (height x width) as (height, width). Raises UsageFault."""
    found = re.fullmatch(r"(\d+)(?:x(\d+))?", text.strip().lower())
    size = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
    if min(size) < 1:
        raise UsageFault(f"--input_size {text}: give a number of pixels, or HEIGHTxWIDTH")
    return size


def parse_range(text: str) -> tuple[float, float]:
    """`-1,1` as (low, high). Raises UsageFault."""
    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError:
        low = high = 0.0
    if not low < high < float("inf"):
        raise UsageFault(f"--input_range {text}: give LOW,HIGH, for example 0,1 or -1,1 or 0,255")
    return low, high
