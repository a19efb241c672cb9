"""Figures and names as words on the page."""

import re

from retrain.evaluation.intervals import Interval
from retrain.utils import text as texts
from retrain.utils.text import percent


def printable(text: str) -> str:
    """Return text that a page can show, as text.printable has it; its lines stay lines.

    A replacement sign stands for what is no character, as in file names that cannot be decoded.
    """
    characters = re.sub("[\ud800-\udfff]", "\N{REPLACEMENT CHARACTER}", text)
    return "\n".join(texts.printable(line) for line in characters.split("\n"))


def between(interval: Interval, digits: int = 1) -> str:
    """Return an interval in words: `88.4 to 93.5 %`."""
    return f"{interval.low * 100:.{digits}f} to {percent(interval.high, digits)}"
