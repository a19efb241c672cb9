"""Names as text that TensorBoard, its files and drawn pictures can show."""

from functools import cache

from PIL import ImageFont

from retrain.utils import text as texts

# Pillow's own font has little more than ASCII. The first ones are on most Linux systems and Macs
# and on Windows; the others have the characters of East Asia.
SYSTEM_FONTS = (
    "DejaVuSans.ttf", "NotoSans-Regular.ttf", "LiberationSans-Regular.ttf", "Arial Unicode.ttf",
    "arial.ttf", "NotoSansCJK-Regular.ttc", "wqy-microhei.ttc", "msgothic.ttc",
)  # fmt: skip

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def printable(name: str) -> str:
    """Return the name in one line of valid Unicode; different names stay different.

    As text.printable, and backslashes are doubled.
    """
    return texts.printable(name.replace("\\", "\\\\"))


def font_for(text: str, size: int) -> Font:
    """Return the first font of this system, `size` pixels high, that has all characters of `text`.

    Where none has, the first that there is.
    """
    fonts = _fonts(size)
    return next((font for font in fonts if _has_all(font, text)), fonts[0])


def shortened(text: str, size: int, width: int) -> str:
    """Return the text, its end replaced by dots if it is wider than `width` pixels."""
    font = font_for(text, size)
    if font.getlength(text) <= width:
        return text
    fitting = (text[:end] + "..." for end in range(len(text) - 1, -1, -1))
    return next((short for short in fitting if font.getlength(short) <= width), "")


@cache
def _fonts(size: int) -> list[Font]:
    fonts: list[Font] = []
    for name in SYSTEM_FONTS:
        try:
            fonts.append(ImageFont.truetype(name, size))
        except OSError:
            continue
    return [*fonts, ImageFont.load_default(size)]


def _has_all(font: Font, text: str) -> bool:
    if text.isascii():
        return True
    missing = bytes(font.getmask("\uffff"))  # no font has it, so it is drawn as a missing character
    return all(bytes(font.getmask(character)) != missing for character in set(text))
