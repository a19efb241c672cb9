"""Colours for the words that start a warning or an error, where a terminal shows them."""

import os
from typing import TextIO

RED, YELLOW = "31", "33"  # of ANSI (ECMA-48, SGR), which follow the terminal's own palette
STARTS = {"warning:": YELLOW, "ERROR:": RED}


def shows_colours(stream: TextIO | None) -> bool:
    """Tell whether a stream is a terminal with colours that nobody has switched off.

    NO_COLOR switches them off (https://no-color.org), and so does TERM=dumb.
    """
    if stream is None or os.environ.get("NO_COLOR"):
        return False
    able = os.environ.get("TERM", "dumb") != "dumb" or "WT_SESSION" in os.environ  # Windows
    return able and stream.isatty()


def coloured(text: str, colour: str, stream: TextIO | None) -> str:
    """Return the text in a colour if the stream shows colours, else as it is."""
    return f"\x1b[1;{colour}m{text}\x1b[0m" if shows_colours(stream) else text


def with_coloured_start(line: str, stream: TextIO | None) -> str:
    """Return the line with its first word coloured, if that is one of STARTS."""
    word = line.partition(" ")[0]
    if word not in STARTS:
        return line
    return coloured(word, STARTS[word], stream) + line[len(word) :]
