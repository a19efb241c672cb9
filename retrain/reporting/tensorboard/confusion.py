"""The confusion matrix as a picture, for two classes or a thousand."""

import numpy as np
from PIL import Image, ImageDraw

from retrain.evaluation.metrics import Metrics
from retrain.utils.text_drawing import font_for, printable, shortened

MATRIX = 1600  # pixels of a side at most, unless cells would get smaller than LEAST_CELL
CELL = 64  # pixels of a cell's side, at most
LEAST_CELL = 3
NAMED_CELL = 9  # below this, names would not be readable
NUMBERED_CELL = 22
TEXT = 14  # pixels
NAME_WIDTH = 200
FAINTEST = 0.15
GAP = 6
RIGHT, WRONG = (25, 90, 170), (205, 50, 30)
GRID, FRAME, INK = (222, 222, 222), (150, 150, 150), (30, 30, 30)


def draw_confusion(metrics: Metrics) -> Image.Image:
    """Draw the confusion matrix: rows are true classes, columns predicted ones.

    Right answers are blue, mistakes red. The darker a cell, the larger its share of the row's
    photos; by the share's square root and from `FAINTEST` on, so that single mistakes show. A white
    cell has no photo.
    """
    labels = [printable(each.label) for each in metrics.classes]
    cell = int(np.clip(MATRIX // len(labels), LEAST_CELL, CELL))
    matrix = _matrix(metrics.confusion, cell)
    names = _names(labels, cell) if cell >= NAMED_CELL else Image.new("RGB", (GAP, matrix.height))
    head = f"{metrics.count} test photos"
    if metrics.accuracy is not None:
        head += f", {metrics.accuracy:.1%} right"
    lines = [head, "rows: true class, columns: predicted class"]
    left, top = GAP + names.width, GAP + len(lines) * (TEXT + GAP) + names.width
    widest = max(int(font_for(line, TEXT).getlength(line)) for line in lines)
    size = (max(left + matrix.width, widest + GAP) + GAP, top + matrix.height + GAP)
    page = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(page)
    for number, line in enumerate(lines):
        draw.text((GAP, GAP + number * (TEXT + GAP)), line, INK, font_for(line, TEXT))
    if cell >= NAMED_CELL:
        page.paste(names, (GAP, top))
        # Names end at the rows' left and, turned, begin at the columns' top.
        columns = _names(labels, cell, anchor="lm").rotate(90, expand=True)
        page.paste(columns, (left, top - columns.height))
    page.paste(matrix, (left, top))
    return page


def _matrix(confusion: np.ndarray, cell: int) -> Image.Image:
    shares = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    strengths = np.where(confusion, FAINTEST + (1 - FAINTEST) * np.sqrt(shares), 0)
    diagonal = np.eye(len(confusion), dtype=bool)[..., None]
    colours = 255 - (255 - np.where(diagonal, RIGHT, WRONG)) * strengths[..., None]
    pixels = colours.round().astype(np.uint8).repeat(cell, axis=0).repeat(cell, axis=1)
    image = Image.fromarray(pixels)
    draw = ImageDraw.Draw(image)
    if cell >= NAMED_CELL:
        for line in range(cell, image.width, cell):
            draw.line((line, 0, line, image.height), GRID)
            draw.line((0, line, image.width, line), GRID)
    draw.rectangle((0, 0, image.width - 1, image.height - 1), outline=FRAME)
    if cell >= NUMBERED_CELL:
        digits = len(str(confusion.max()))
        size = min(TEXT, int(1.5 * (cell - 4) / digits))
        for row, column in np.argwhere(confusion):
            place = (int(column) * cell + cell / 2, int(row) * cell + cell / 2)
            text = str(confusion[row, column])
            ink = "white" if strengths[row, column] > 0.7 else INK
            draw.text(place, text, ink, font_for(text, size), anchor="mm")
    return image


def _names(labels: list[str], cell: int, anchor: str = "rm") -> Image.Image:
    """Draw one name a row, as wide as the widest, each in the middle of a cell's height."""
    size = min(TEXT, cell - 1)
    texts = [shortened(label, size, NAME_WIDTH) for label in labels]
    width = int(max(font_for(text, size).getlength(text) for text in texts)) + 2 * GAP
    strip = Image.new("RGB", (width, len(labels) * cell), "white")
    draw = ImageDraw.Draw(strip)
    for row, text in enumerate(texts):
        x = width - GAP if anchor == "rm" else GAP
        draw.text((x, row * cell + cell / 2), text, INK, font_for(text, size), anchor=anchor)
    return strip
