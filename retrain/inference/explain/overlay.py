"""Drawing an explanation: a photo in grey, with colours where it speaks for the label."""

import numpy as np
from PIL import Image, ImageDraw

from retrain.data.decoding.upright import read_upright
from retrain.utils.text_drawing import font_for, printable, shortened

# Nine of the colours of S. van der Walt's and N. Smith's "inferno" (CC0), evenly spaced: lightness
# rises with the value, also for the colour-blind and in grey.
COLOURS = np.array(
    [
        (0, 0, 4), (33, 12, 74), (87, 16, 110), (138, 34, 106), (188, 55, 84), (228, 90, 49),
        (249, 142, 9), (249, 203, 53), (252, 255, 164),
    ],
    np.float32,
)  # fmt: skip
WEAKEST, STRONGEST = 0.25, 0.65  # shares of the colours where the heat is 0 and where it is 1

SIDE = 640  # of each of the two pictures
GAP, MARGIN, TEXT = 12, 10, 22  # pixels; `TEXT` is a font's size


def overlay(photo: Image.Image, heat: np.ndarray) -> Image.Image:
    """Draw a photo in grey under the colours of its heat (h, w), which covers it wholly.

    The largest heat has the lightest colour; what is 0 or speaks against the label is dark.
    """
    strength = np.maximum(heat, 0) / max(float(heat.max()), 1e-12)
    smooth = Image.fromarray(strength.astype(np.float32)).resize(
        photo.size, Image.Resampling.BICUBIC
    )
    values = np.asarray(smooth).clip(0, 1)
    places = np.linspace(0, 1, len(COLOURS))
    colours = np.stack([np.interp(values, places, channel) for channel in COLOURS.T], axis=2)
    share = (WEAKEST + (STRONGEST - WEAKEST) * values)[:, :, None]
    grey = np.asarray(photo.convert("L"), np.float32)[:, :, None]
    return Image.fromarray((grey * (1 - share) + colours * share).astype(np.uint8))


def draw_explanation(path: str, heat: np.ndarray, caption: str) -> Image.Image:
    """Draw the photo, upright, and beside it its overlay with the caption below.

    The longer side of each is SIDE pixels. Raises what `read_upright` does.
    """
    photo = read_upright(path, SIDE)
    scale = SIDE / max(photo.size)
    width, height = (max(1, round(length * scale)) for length in photo.size)
    photo = photo.resize((width, height), Image.Resampling.LANCZOS)
    page = Image.new("RGB", (2 * width + GAP, height + TEXT + 2 * MARGIN), "white")
    page.paste(photo, (0, 0))
    page.paste(overlay(photo, heat), (width + GAP, 0))
    text = shortened(printable(caption), TEXT, width)
    place = (width + GAP, height + MARGIN)
    ImageDraw.Draw(page).text(place, text, "black", font_for(text, TEXT))
    return page
