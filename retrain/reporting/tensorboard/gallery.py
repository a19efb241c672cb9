"""The gallery of mistakes: misclassified photos, with what they are and were taken for."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from retrain.utils.text_drawing import font_for, printable, shortened

PHOTO = 256  # pixels of the longer side
TEXT = 15
LINE = 20
MARGIN = 4
PAPER, INK, FAINT = (245, 245, 245), (30, 30, 30), (110, 110, 110)


@dataclass(frozen=True)
class Mistake:
    """A misclassified photo.

    Attributes:
        row: Of the judged photos.
        truth: Its true class.
        predicted: Its predicted class.
        probability: Of the predicted class.
    """

    row: int
    truth: int
    predicted: int
    probability: float


def surest_mistakes(
    probabilities: np.ndarray, truth: np.ndarray, names: Sequence[str], *, most: int
) -> list[Mistake]:
    """Return up to `most` misclassified photos, the surest first; a photo judged twice comes once.

    Args:
        probabilities: (n, C).
        truth: (n,) true classes.
        names: n names that tell photos apart.
        most: How many at the most.

    Returns:
        The mistakes.
    """
    predicted, top = probabilities.argmax(axis=1), probabilities.max(axis=1)
    wrong = np.flatnonzero(predicted != truth)
    mistakes: dict[str, Mistake] = {}
    for row in wrong[np.argsort(-top[wrong], kind="stable")].tolist():
        if len(mistakes) == most:
            break
        mistake = Mistake(row, int(truth[row]), int(predicted[row]), float(top[row]))
        mistakes.setdefault(names[row], mistake)
    return list(mistakes.values())


def draw_mistake(
    photo: Image.Image | None, mistake: Mistake, labels: Sequence[str], *, name: str
) -> Image.Image:
    """Draw a photo, at most `PHOTO` wide and high, with three lines below.

    All such pictures have one size.

    Args:
        photo: The photo; None leaves its place blank.
        mistake: What it is and was taken for.
        labels: In class order.
        name: The photo's, for the third line.

    Returns:
        The picture.
    """
    page = Image.new("RGB", (PHOTO, PHOTO + 3 * LINE + 2 * MARGIN), PAPER)
    if photo is not None:
        page.paste(photo, ((PHOTO - photo.width) // 2, (PHOTO - photo.height) // 2))
    probability = f", {mistake.probability:.1%}"
    lines = (
        ("is ", labels[mistake.truth], "", INK),
        ("taken for ", labels[mistake.predicted], probability, INK),
        ("", name, "", FAINT),
    )
    draw = ImageDraw.Draw(page)
    for number, (start, middle, end, ink) in enumerate(lines):
        around = font_for(start + end, TEXT).getlength(start + end)
        room = PHOTO - 2 * MARGIN - int(around) - 1
        text = start + shortened(printable(middle), TEXT, room) + end
        place = (MARGIN, PHOTO + MARGIN + number * LINE)
        draw.text(place, text, ink, font_for(text, TEXT))
    return page
