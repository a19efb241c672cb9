"""Text from elsewhere: read as any editor wrote it, and made harmless before it is shown.

Files come from editors and systems of every kind, names from whoever made the folders. Both are
looked at here once: `read_text` where text comes in, `printable` and `csv_row` where it goes out.
"""

import codecs
import csv
import io
import re
from collections.abc import Iterable
from pathlib import Path

from retrain.errors import RetrainError
from retrain.utils.files import cannot_read, open_regular

# Longer marks first, because UTF-32's begins with UTF-16's.
MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# What moves the cursor, ends a line or turns the direction of what follows; what is invisible and
# makes two names look alike; what no terminal or file can hold.
UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)
PLAIN_WORDS = re.compile(r"[^\W_]+(?:[ _|-][^\W_]+)*")
MOST_BYTES = 64 << 20  # of a text file
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # how a cell begins that a spreadsheet computes


def read_text(path: Path, what: str) -> str:
    """Read the text of the file `path`, a `what`, without a byte order mark; raise RetrainError."""
    return decoded(read_bytes(path, what), f"{what} {path.absolute()}")


def read_bytes(path: Path, what: str) -> bytes:
    """Read the bytes of the text file `path`, a `what`.

    Raises RetrainError, also for a pipe or device, and for a file larger than any text (a film).
    """
    try:
        with open_regular(path) as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise cannot_read(what, path, error) from error
    if len(content) > MOST_BYTES:
        raise RetrainError(
            f"{what} {path.absolute()} has more than {MOST_BYTES >> 20} MB: give a text file"
        )
    return content


def decoded(content: bytes, named: str) -> str:
    """Decode UTF-8, or what a byte order mark says: UTF-16 or UTF-32.

    `named`: the source, for an error. Other encodings cannot be told from one another: they raise
    RetrainError.
    """
    mark, encoding = mark_of(content)
    if not mark and b"\0" in content:
        raise RetrainError(
            f"{named} holds zero bytes, so it is no text, or UTF-16 without its mark: "
            "save it as UTF-8"
        )
    try:
        return content[len(mark) :].decode(encoding)
    except UnicodeDecodeError as error:
        before = error.object[: error.start].decode(encoding)
        raise RetrainError(
            f"{named} is not {encoding[:6].rstrip('-').upper()} "
            f"(the byte 0x{error.object[error.start]:02x} in line {len(_split(before))}): "
            "save it as UTF-8"
        ) from None


def mark_of(content: bytes) -> tuple[bytes, str]:
    """Return the byte order mark at the start and its encoding; without one, UTF-8."""
    return next((pair for pair in MARKS if content.startswith(pair[0])), (b"", "utf-8"))


def lines_of(text: str) -> list[str]:
    """Split a text into lines as any system ends them (LF, CR LF, CR), without their ends.

    A last line that is empty is none.
    """
    lines = _split(text)
    return lines if lines[-1] else lines[:-1]


def _split(text: str) -> list[str]:
    return re.split("\r\n|\r|\n", text)


def printable(text: str) -> str:
    r"""Return the text as one line that a terminal, a log or a page can show.

    It moves nothing there. Control characters, line ends, marks that turn the direction of writing,
    invisible ones and bytes of file names that are no UTF-8 come as Python writes them (`\x1b`,
    `\n`, `\u202e`, `\udcff`).
    """
    return UNSAFE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def shortened(text: str, length: int) -> str:
    """Cut a text to at most `length` characters."""
    return text if len(text) <= length else text[: length - 1] + "\N{HORIZONTAL ELLIPSIS}"


def markdown(text: str) -> str:
    """Return the text as Markdown shows it, whatever it holds.

    Plain words, else a code span, in which nothing is a tag, a link or a picture.
    """
    shown = printable(text)
    if not PLAIN_WORDS.fullmatch(shown):
        fence = "`" * (max(map(len, re.findall("`+", shown)), default=0) + 1)
        gap = " " if shown.startswith("`") or shown.endswith("`") or not shown.strip() else ""
        shown = f"{fence}{gap}{shown}{gap}{fence}"
    return shown


def csv_row(
    cells: Iterable[str], *, delimiter: str = ",", end: str = "\n", safe: bool = False
) -> str:
    """Return one line of a table.

    Args:
        cells: Of the row.
        delimiter: Between them.
        end: Of the line.
        safe: A cell that a spreadsheet would compute begins with `'`.

    Returns:
        The line with its end.
    """
    if safe:
        cells = [f"'{cell}" if cell.startswith(FORMULA) else cell for cell in cells]
    # Some versions of Python quote a line break only if it is part of the terminator.
    line = io.StringIO()
    csv.writer(line, delimiter=delimiter, lineterminator="\r\n").writerow(cells)
    return line.getvalue()[:-2] + end


NONE = "\N{EN DASH}"


def plain(text: str) -> str:
    """Return a text for a terminal: without spaces that may not break, on one line."""
    return printable(text.replace("\N{NO-BREAK SPACE}", " "))


def percent(share: float | None, digits: int = 1) -> str:
    """Return 0.917 as `91.7 %`; a dash for None."""
    return NONE if share is None else f"{share * 100:.{digits}f}\N{NO-BREAK SPACE}%"
