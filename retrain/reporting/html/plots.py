"""The plots of a page, as SVG in the page's own colours."""

import io
import logging
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from retrain.data.split import SETS
from retrain.evaluation.intervals import too_few
from retrain.evaluation.learning_curve import LearningCurve
from retrain.evaluation.metrics import ReliabilityBin
from retrain.reporting.html.text import printable
from retrain.training.curve import CurvePoint
from retrain.utils.text import shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.typing import RcKeyType

WIDTH = 5.0  # inches of 72 units: little wider than a phone, so that the text is readable there
NAME = 24  # characters of a class name
NAMED = 40  # classes whose names fit
STEPS = (1, 2, 5, 10, 20)  # of an axis in percent
MOST_TICKS = 7

# Stand-ins that a plot is drawn in, and what the page's style sheet makes of them.
INK, FAINT, BLUE, ORANGE, GREEN = "#010101", "#020202", "#030303", "#040404", "#050505"
IN_PAGE = {
    INK: "currentColor",
    FAINT: "var(--rule)",
    BLUE: "var(--blue)",
    ORANGE: "var(--orange)",
    GREEN: "var(--green)",
}

STYLE: "dict[RcKeyType, Any]" = {
    "axes.edgecolor": INK,
    "axes.formatter.useoffset": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.labelcolor": INK,
    "axes.labelsize": 11,
    "axes.linewidth": 0.7,
    "axes.spines.left": False,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "grid.color": FAINT,
    "grid.linewidth": 0.7,
    "legend.fontsize": 11,
    "legend.frameon": False,
    "legend.handlelength": 1.4,
    "legend.labelcolor": INK,
    "lines.linewidth": 1.8,
    "svg.fonttype": "none",  # keep text as text, not as shapes
    "svg.hashsalt": "retrain",  # else each run gives its shapes other names
    "xtick.color": INK,
    "xtick.labelsize": 10,
    "ytick.color": INK,
    "ytick.labelsize": 10,
    "ytick.major.size": 0,
}


def class_balance(labels: Sequence[str], counts: np.ndarray) -> str:
    """Draw bars of the photos (C, 3) in each set.

    Many classes come from large to small, without names.
    """
    named = len(labels) <= NAMED
    order = np.arange(len(labels)) if named else np.argsort(-counts.sum(axis=1), kind="stable")
    places, left = np.arange(len(labels)), np.zeros(len(labels))
    with _figure(0.9 + 0.24 * len(labels) if named else 5.0) as figure:
        axes = figure.subplots()
        for which, colour in enumerate((BLUE, ORANGE, GREEN)):
            bars = counts[order, which]
            height = 0.7 if named else 1.2  # without gaps
            axes.barh(places, bars, height, left, color=colour, label=SETS[which])
            left += bars
        names = [shortened(printable(label), NAME) for label in labels]
        axes.set_yticks(places if named else [], names if named else [], parse_math=False)
        axes.set_ylim(len(labels) - 0.4, -0.6)
        axes.set_xlabel("photos")
        if not named:
            axes.set_ylabel(f"{len(labels)} classes, the largest first")
        axes.grid(visible=False, axis="y")
        axes.locator_params(axis="x", integer=True)
        figure.legend(loc="outside upper left", ncols=3)
        return _svg(figure, "Bar chart: photos of each class in each set")


def training_curves(points: Sequence[CurvePoint]) -> str:
    """Draw accuracy and cross entropy against the step."""
    steps = [point.step for point in points]
    with _figure(4.4) as figure:
        above, below = figure.subplots(2, sharex=True)
        above.plot(steps, [p.train_accuracy for p in points], color=BLUE, label="training")
        below.plot(steps, [p.train_cross_entropy for p in points], color=BLUE)
        checked = [p for p in points if p.validation_accuracy is not None]
        if checked:
            steps = [point.step for point in checked]
            above.plot(
                steps, [p.validation_accuracy for p in checked], color=ORANGE, label="validation"
            )
            below.plot(steps, [p.validation_cross_entropy for p in checked], color=ORANGE)
        _in_percent(above, "y")
        above.set_ylabel("accuracy")
        below.set_ylabel("cross entropy")
        below.set_ylim(bottom=0)
        below.set_xlabel("step")
        figure.legend(loc="outside upper left", ncols=2)
        return _svg(figure, "Line chart: accuracy and cross entropy during training")


def accuracy_by_photos(curve: LearningCurve) -> str:
    """Draw the accuracy by folds, with its interval, against the number of training photos."""
    photos = curve.photos.sum(axis=1)
    found = [curve.accuracy(part) for part in range(len(photos))]
    shares = [share for share, _ in found]
    with _figure(3.2) as figure:
        axes = figure.subplots()
        axes.fill_between(
            photos, [i.low for _, i in found], [i.high for _, i in found],
            color=BLUE, alpha=0.18, linewidth=0,
        )  # fmt: skip
        axes.plot(photos, shares, color=BLUE, marker="o", markersize=5)
        _in_round_steps(axes, photos)
        axes.set_ylim(top=1.005)
        _in_percent(axes, "y")
        axes.set_xlabel("training photos")
        axes.set_ylabel("accuracy by folds")
        return _svg(figure, "Line chart: accuracy by folds with parts of the photos")


def reliability(after: Sequence[ReliabilityBin], before: Sequence[ReliabilityBin] | None) -> str:
    """Draw accuracy against confidence, bin by bin, and how many photos each bin has."""
    with _figure(4.8) as figure:
        above, below = figure.subplots(2, sharex=True, height_ratios=(3, 1))
        above.plot((0, 1), (0, 1), color=INK, linewidth=0.9, dashes=(2, 3))
        if before is not None:
            _reliability_line(above, before, ORANGE, name="before calibration")
        _reliability_line(above, after, BLUE, name="after calibration" if before else "test photos")
        low, high = [b.low for b in after], [b.high for b in after]
        widths = np.subtract(high, low) * 0.9
        below.bar(low, [b.count for b in after], widths, align="edge", color=BLUE)
        for axes in (above, below):
            axes.set_xlim(0, 1)
        above.set_ylim(0, 1.02)
        above.set_ylabel("share right")
        _in_percent(above, "y")
        _in_percent(below, "x")
        below.locator_params(axis="y", integer=True)
        below.set_ylabel("photos")
        below.set_xlabel("confidence of the answer")
        figure.legend(loc="outside upper left", ncols=2)
        return _svg(figure, "Reliability diagram: share right against confidence")


def _reliability_line(
    axes: "Axes", bins: Sequence[ReliabilityBin], colour: str, *, name: str
) -> None:
    """Draw a line through the bins of which something can be said, and hollow points for others."""
    known = [(b.confidence, b.accuracy) for b in bins if not too_few(b.count)]
    vague = [(b.confidence, b.accuracy) for b in bins if b.count and too_few(b.count)]
    axes.plot(*np.array(known).reshape(-1, 2).T, color=colour, marker="o", markersize=5, label=name)
    axes.plot(
        *np.array(vague).reshape(-1, 2).T, color=colour, marker="o", markersize=4, alpha=0.6,
        linestyle="none", fillstyle="none", markeredgewidth=0.8,
    )  # fmt: skip


def _in_percent(axes: "Axes", which: str) -> None:
    """Label an axis of shares, whose limits are known by now, in round steps of whole percents."""
    from matplotlib.ticker import MultipleLocator, PercentFormatter

    axis = axes.yaxis if which == "y" else axes.xaxis
    low, high = axes.get_ylim() if which == "y" else axes.get_xlim()
    step = next((step for step in STEPS if 100 * (high - low) < MOST_TICKS * step), STEPS[-1])
    axis.set_major_locator(MultipleLocator(step / 100))
    axis.set_major_formatter(PercentFormatter(1.0, 0, symbol="\N{NO-BREAK SPACE}%"))


def _in_round_steps(axes: "Axes", counts: np.ndarray) -> None:
    """Make the axis of these numbers of photos logarithmic, from and to ticks like 20, 50, 100."""
    ticks = [step * 10**zeros for zeros in range(10) for step in (1, 2, 5)]
    low = max(tick for tick in ticks if tick <= max(counts.min(), 1))
    high = min(tick for tick in ticks if tick > counts.max())
    axes.set_xscale("log")
    axes.minorticks_off()
    shown = [tick for tick in ticks if low <= tick <= high]
    axes.set_xticks(shown, [str(tick) for tick in shown])
    axes.set_xlim(low * 0.95, high * 1.05)


@contextmanager
def _figure(height: float) -> Iterator["Figure"]:
    """Yield an empty figure, `height` inches high, in a style that no file of the user changes."""
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # it logs how it builds its caches
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")  # browsers have it
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(STYLE)
        yield Figure(figsize=(WIDTH, height), layout="constrained")


def _svg(figure: "Figure", description: str) -> str:
    """Return the drawing as an element for HTML, without names that two drawings share."""
    file = io.StringIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    figure.savefig(file, format="svg", transparent=True, metadata=nothing)
    text = file.getvalue()
    for colour, in_page in IN_PAGE.items():
        text = text.replace(colour, in_page)
    text = re.sub(r'<g id="[^"]*"', "<g", text)
    text = re.sub(r"<style.*?</style>", "", text, flags=re.DOTALL)  # would restyle the whole page
    text = text.replace("xlink:href", "href")
    view = re.search(r'viewBox="[^"]*"', text)
    inside = re.search(r"<svg[^>]*>(.*)</svg>", text, flags=re.DOTALL)
    assert view and inside
    return f'<svg class="plot" role="img" aria-label="{description}" {view[0]}>{inside[1]}</svg>'
