"""Figures and names as words on the page."""

import re

from retrain.evaluation.intervals import Interval
from retrain.utils import text as texts
from retrain.utils.text import percent


def printable(text: str) -> str:
    """The text with a replacement sign for what is no character, as in undecodable file names;
    what no reader should meet in a page, as text.printable has it. Its lines stay lines."""
    characters = re.sub("[\ud800-\udfff]", "\N{REPLACEMENT CHARACTER}", text)
    return "\n".join(texts.printable(line) for line in characters.split("\n"))


def shortened(text: str, length: int) -> str:
    """At most `length` characters, the end cut off."""
    return text if len(text) <= length else text[: length - 1] + "\N{HORIZONTAL ELLIPSIS}"


def between(interval: Interval, digits: int = 1) -> str:
    """`88.4 to 93.5 %`."""
    return f"{interval.low * 100:.{digits}f} to {percent(interval.high, digits)}"
