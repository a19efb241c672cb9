"""Tables on stdout, in plain columns that programs can read."""

from collections.abc import Sequence

from retrain.evaluation.intervals import Interval, PairedDifference
from retrain.utils.logs import print_result
from retrain.utils.text import printable


def print_table(rows: Sequence[Sequence[str]], left: Sequence[int]) -> None:
    """Print columns as wide as they must be, to the right but for those in `left`."""
    rows = [[printable(cell) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = [
            f"{cell:<{width}}" if column in left else f"{cell:>{width}}"
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        print_result("  ".join(cells).rstrip())


def compared(
    accuracy: float, interval: Interval, against: PairedDifference | None
) -> tuple[str, str, str, str]:
    """Return the cells of accuracy and its interval, difference in points and its interval.

    The latter are empty for the first.
    """
    own = f"{accuracy:.1%}", f"{interval.low:.1%} to {interval.high:.1%}"
    if against is None:
        return (*own, "", "")
    low, high = 100 * against.interval.low, 100 * against.interval.high
    return (*own, f"{100 * against.difference:+.1f}", f"{low:+.1f} to {high:+.1f}")
