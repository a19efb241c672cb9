"""The confusion matrix as pictures for slides and papers: PNG and SVG, beside the page.

Laid out once, in SVG's pixels, as squares and lines of text; either format draws these.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from math import ceil
from pathlib import Path

from PIL import Image, ImageDraw

from retrain.evaluation.metrics import Metrics
from retrain.reporting.html.cells import Cell, cells
from retrain.reporting.html.text import printable
from retrain.utils.files import write_bytes
from retrain.utils.text_drawing import font_for, shortened

KINDS = ("png", "svg")
MATRIX = 900  # of a side at most, unless cells would get smaller than LEAST_CELL
CELL, LEAST_CELL = 56, 3
NAMED_CELL, NUMBERED_CELL = 15, 28  # from which on names and numbers are readable
TEXT, TITLE, GAP = 14, 18, 8
NAME_WIDTH = 520  # about 60 letters
WIDE = 1200  # pixels of the PNG at least: sharp on a slide
Colour = tuple[int, int, int]
RIGHT, WRONG, EMPTY = (104, 182, 164), (235, 143, 104), (242, 239, 232)  # as on the page
INK, PAPER = (31, 30, 27), (255, 255, 255)


@dataclass(frozen=True)
class Square:
    """A filled square; `x` and `y` are its left upper corner."""

    x: float
    y: float
    side: float
    colour: Colour


@dataclass(frozen=True)
class Line:
    """A line of text of a height; `anchor` is the side that `x` is of, `y` is its middle.

    `turned`: it reads upwards, and begins at (x, y).
    """

    x: float
    y: float
    text: str
    height: int
    anchor: str = "start"
    turned: bool = False


@dataclass(frozen=True)
class Drawing:
    """Squares below, lines of text above."""

    width: int
    height: int
    squares: tuple[Square, ...]
    lines: tuple[Line, ...]


def matrix_places(page: Path) -> list[Path]:
    """List where the pictures of a page go: `report_matrix.png` and `.svg` beside it."""
    return [page.with_name(f"{page.stem}_matrix.{kind}") for kind in KINDS]


def write_matrix(metrics: Metrics, title: str, page: Path) -> None:
    """Draw the matrix and write it as PNG and SVG beside the page; raise RetrainError."""
    drawing = lay_out(metrics, printable(title))
    png, svg = matrix_places(page)
    file = io.BytesIO()
    as_picture(drawing).save(file, "PNG")
    write_bytes(png, file.getvalue())
    write_bytes(svg, as_svg(drawing).encode())


def lay_out(metrics: Metrics, title: str) -> Drawing:
    """Lay out the matrix below its title: rows are true classes, columns answers.

    Names are left out where cells are too small for them, numbers likewise.
    """
    labels = [printable(each.label) for each in metrics.classes]
    cell = min(max(MATRIX // len(labels), LEAST_CELL), CELL)
    side = cell * len(labels)
    size = min(TEXT, cell - 1)
    names = [shortened(label, size, NAME_WIDTH) for label in labels] if cell >= NAMED_CELL else []
    margin = max((ceil(1.05 * font_for(name, size).getlength(name)) for name in names), default=0)
    left = 2 * GAP + TEXT + margin
    top = 4 * GAP + TITLE + TEXT + margin
    lines = [
        Line(GAP, GAP + TITLE / 2, title, TITLE),
        Line(left, 2 * GAP + TITLE + TEXT / 2, "answer", TEXT),
        Line(GAP + TEXT / 2, top + side, "true class", TEXT, turned=True),
    ]
    for number, name in enumerate(names):
        middle = cell * (number + 0.5)
        lines.append(Line(left - GAP / 2, top + middle, name, size, "end"))
        lines.append(Line(left + middle, top - GAP / 2, name, size, turned=True))
    squares = [Square(left, top, side, EMPTY)]
    for each in cells(metrics):
        x, y = left + cell * each.predicted, top + cell * each.truth
        gap = 1 if names else 0
        squares.append(Square(x + gap / 2, y + gap / 2, cell - gap, _colour(each)))
        if cell >= NUMBERED_CELL:
            count = str(each.count)
            height = min(TEXT, int(1.5 * (cell - 4) / len(count)))
            lines.append(Line(x + cell / 2, y + cell / 2, count, height, "middle"))
    wide = max(left + side, ceil(1.05 * font_for(title, TITLE).getlength(title)) + GAP) + GAP
    return Drawing(wide, top + side + GAP, tuple(squares), tuple(lines))


def _colour(cell: Cell) -> Colour:
    """Blend the colour of right or wrong answers with the ground, by the cell's shade."""
    full = RIGHT if cell.truth == cell.predicted else WRONG
    red, green, blue = (
        round(cell.shade * part + (1 - cell.shade) * ground)
        for part, ground in zip(full, EMPTY, strict=True)
    )
    return red, green, blue


def as_svg(drawing: Drawing) -> str:
    """Return the drawing as an SVG file; its texts stay text."""
    return "".join(_svg_parts(drawing))


def _svg_parts(drawing: Drawing) -> Iterator[str]:
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{drawing.width}" '
        f'height="{drawing.height}" viewBox="0 0 {drawing.width} {drawing.height}" '
        f'font-family="DejaVu Sans, Verdana, sans-serif" fill="rgb{INK}">\n'
        f'<rect width="100%" height="100%" fill="rgb{PAPER}"/>\n'
    )
    for square in drawing.squares:
        yield (
            f'<rect x="{square.x:g}" y="{square.y:g}" width="{square.side:g}" '
            f'height="{square.side:g}" fill="rgb{square.colour}"/>\n'
        )
    for line in drawing.lines:
        low = 0.35 * line.height  # from the middle of a line down to where its letters stand
        place = (
            f'transform="translate({line.x + low:g} {line.y:g}) rotate(-90)"'
            if line.turned
            else f'x="{line.x:g}" y="{line.y + low:g}" text-anchor="{line.anchor}"'
        )
        yield f'<text {place} font-size="{line.height}">{escape(line.text)}</text>\n'
    yield "</svg>\n"


def as_picture(drawing: Drawing) -> Image.Image:
    """Return the drawing in RGB, WIDE pixels wide or more."""
    scale = ceil(WIDE / drawing.width)
    picture = Image.new("RGB", (scale * drawing.width, scale * drawing.height), PAPER)
    draw = ImageDraw.Draw(picture)
    for square in drawing.squares:
        x, y, side = (scale * value for value in (square.x, square.y, square.side))
        draw.rectangle((x, y, x + side - 1, y + side - 1), fill=square.colour)
    for line in drawing.lines:
        font = font_for(line.text, scale * line.height)
        x, y = scale * line.x, scale * line.y
        if line.turned:
            strip = Image.new("RGB", (ceil(font.getlength(line.text)) + 2, scale * TEXT), PAPER)
            ImageDraw.Draw(strip).text((0, scale * TEXT / 2), line.text, INK, font, anchor="lm")
            turned = strip.rotate(90, expand=True)
            picture.paste(turned, (round(x - scale * TEXT / 2), round(y - turned.height)))
        else:
            anchor = {"start": "lm", "middle": "mm", "end": "rm"}[line.anchor]
            draw.text((x, y), line.text, INK, font, anchor=anchor)
    return picture
