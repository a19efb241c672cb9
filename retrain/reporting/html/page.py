"""The report's page, put together from its inputs and written."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from retrain.data.split import SETS
from retrain.evaluation.audit.checks import CHECKS
from retrain.evaluation.audit.listing import sum_up
from retrain.evaluation.comparison import Comparison
from retrain.evaluation.headline import headline
from retrain.evaluation.learning_curve import VERDICTS, advice, overall_advice
from retrain.inference.explain.overlay import overlay
from retrain.reporting.html import galleries, plots, text
from retrain.reporting.html.cells import (
    ON_PAGE,
    WHOLE,
    Cell,
    behind_cells,
    cells,
    interleaved_by_cell,
)
from retrain.reporting.html.facts import ReportInputs
from retrain.reporting.thumbnails import OpenPhoto, data_uri, draw_photos
from retrain.utils.files import write_bytes
from retrain.utils.progress import progress
from retrain.utils.text import percent

TEMPLATES = Path(__file__).parent / "template"
SHOWN = 400, 55  # side in pixels and JPEG quality of photos on the page itself, opened large
MAPPED = 200, 60  # the same of overlays
# The same of photos behind the cells, for up to so many: the fewer there are, the larger each.
BEHIND = ((150, SHOWN), (400, (200, 50)), (10**9, (80, 40)))
ROOM = 7_000_000  # bytes for the photos behind the cells: a page of 5,000 stays below 10 MB
PAIRS = 40  # of classes, in the list beside a large matrix
REMARKS = 12  # at most, of one kind


def write_report(inputs: ReportInputs, path: Path, rng: np.random.Generator) -> None:
    """Write the page to `path`; `rng` draws its random batch. Raises RetrainError.

    Photos that can no longer be read are left out of it.
    """
    write_bytes(path, read_page(inputs, rng).encode())


def read_page(inputs: ReportInputs, rng: np.random.Generator) -> str:
    """Return the page as HTML; reads the photos that it shows."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        finalize=lambda value: text.printable(value) if type(value) is str else value,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(percent=percent, between=text.between)
    shown = _galleries(inputs, rng)
    return environment.get_template("page.html.j2").render(
        inputs=inputs,
        SETS=SETS,
        window_title=window_title(inputs),
        contents=(contents := _contents(inputs)),
        section_ids={section for section, _ in contents},
        figures=headline(inputs.metrics),
        **_plots(inputs),
        **_tables(inputs),
        **shown,
        **_photos(inputs, shown),
    )


def _contents(inputs: ReportInputs) -> list[tuple[str, str]]:
    """List (id, name) of the sections that the page has."""
    tested, audited = inputs.metrics.count > 0, inputs.audit is not None
    sections = [
        ("confusion", "Matrix", tested),
        ("classes", "Classes", tested),
        ("earlier", "Earlier", inputs.comparison is not None),
        ("mistakes", "Mistakes", tested),
        ("batch", "Sample", tested),
        ("labels", "Labels", audited),
        ("copies", "Duplicates", audited),
        ("photos", "Photos", inputs.counts is not None),
        ("more", "More?", inputs.learning_curve is not None),
        ("calibration", "Confidence", tested),
        ("training", "Training", bool(inputs.training)),
        ("run", "Run", bool(inputs.facts or inputs.outputs)),
    ]
    return [(section, name) for section, name, there in sections if there]


def window_title(inputs: ReportInputs) -> str:
    """Return what the browser's tab says: data and figure."""
    tested = inputs.verdict.tested
    if not tested.count:
        return inputs.title
    return f"{inputs.title}: {percent(tested.share)} of {tested.count} {tested.what}"


def _galleries(inputs: ReportInputs, rng: np.random.Generator) -> dict[str, Any]:
    photos, labels, audit = inputs.photos, inputs.labels, inputs.audit
    suspects, more_suspects = galleries.suspected(audit) if audit else ([], 0)
    copies, more_copies = galleries.copies(audit) if audit else ([], 0)
    better, worse = galleries.changed(inputs.comparison) if inputs.comparison else ([], [])
    return {
        "batch": galleries.random_batch(photos, labels, rng),
        "mistakes": galleries.confident_mistakes(photos, labels),
        "uncertain": galleries.least_certain(photos, labels),
        "suspects": suspects,
        "more_suspects": more_suspects,
        "sum_of_suspects": sum_up("suspected_label", audit) if audit else "",
        "copies": copies,
        "more_copies": more_copies,
        "better": better,
        "worse": worse,
    }


@dataclass(frozen=True)
class _Drawn:
    """The pictures of a photo that the page needs, as data URIs."""

    shown: str | None = None
    overlay: str | None = None


def _photos(inputs: ReportInputs, shown: dict[str, Any]) -> dict[str, Any]:
    """Return the pictures of the page, for which each photo is opened once.

    `thumbnails`, by path, of the photos shown, and `overlays` with their maps; `behind` the cells,
    those that are not shown otherwise.
    """
    names = ("batch", "mistakes", "uncertain", "suspects", "better", "worse")
    shots = [shot for name in names for shot in shown[name]]
    shots += [shot for _, first, second in shown["copies"] for shot in (first, second)]
    large = dict.fromkeys(shot.path for shot in shots)
    rows = interleaved_by_cell(inputs.photos)
    tested = dict.fromkeys(inputs.photos.paths[row] for row in rows)
    order = [*large, *(path for path in tested if path not in large)]
    hidden = sum(inputs.photos.paths[row] not in large for row in rows)
    small = next(size for most, size in BEHIND if hidden <= most)
    places = {inputs.full_path(path): path for path in order}

    def draw(place: str, photo: OpenPhoto) -> _Drawn:
        path = places[place]
        side, quality = SHOWN if path in large else small
        shown = data_uri(photo.inside(side), quality)
        heat = inputs.maps.get(path)
        if heat is None or path not in large:
            return _Drawn(shown)
        side, quality = MAPPED
        return _Drawn(shown, data_uri(overlay(photo.inside(side), heat), quality))

    found: dict[str, _Drawn] = {}
    behind: dict[int, str | None] = {}
    room = ROOM
    with progress("Reading for the report", len(order), "photos") as meter:
        drawn = draw_photos(places, draw)
        for path in large:
            found[path] = next(drawn) or _Drawn()
            meter.advance()
        for row in rows:
            path = inputs.photos.paths[row]
            if path not in found:
                found[path] = next(drawn) or _Drawn()
                meter.advance()
            picture = found[path].shown
            if path in large and picture is not None:
                picture = ON_PAGE
            room -= len(picture or "")
            if room < 0:
                break
            behind[row] = picture
    return {
        "thumbnails": {path: found[path].shown for path in large},
        "overlays": {path: found[path].overlay for path in inputs.maps if path in found},
        "behind": behind_cells(inputs.photos, behind),
    }


def _plots(inputs: ReportInputs) -> dict[str, str]:
    from markupsafe import Markup

    found = {}
    if inputs.counts is not None:
        found["balance"] = plots.class_balance(inputs.labels, inputs.counts)
    if inputs.learning_curve is not None:
        found["learning"] = plots.accuracy_by_photos(inputs.learning_curve)
    if inputs.training:
        found["training"] = plots.training_curves(inputs.training)
    if inputs.metrics.count:
        before = inputs.uncalibrated.reliability if inputs.uncalibrated else None
        found["reliability"] = plots.reliability(inputs.metrics.reliability, before)
    names = ("balance", "learning", "training", "reliability")
    return {f"{name}_plot": Markup(found.get(name, "")) for name in names}


def _tables(inputs: ReportInputs) -> dict[str, Any]:
    metrics, curve = inputs.metrics, inputs.learning_curve
    wrong = metrics.confusion.copy()
    np.fill_diagonal(wrong, 0)
    found = cells(metrics)
    size = len(inputs.labels)
    answers = advice(curve, inputs.labels) if curve else []
    verdicts = list(VERDICTS)
    remarks = [
        (check.meaning, audit_findings[:REMARKS], len(audit_findings) - REMARKS)
        for kind, check in CHECKS.items()
        if not check.has_gallery and inputs.audit and (audit_findings := inputs.audit.of_kind(kind))
    ]
    return {
        "totals": [] if inputs.counts is None else inputs.counts.sum(axis=0).tolist(),
        "cells": found,
        "grid": _grid(found, size) if size <= WHOLE else None,
        "pairs": _confused(found)[:PAIRS],
        "counts": {f"{cell.truth}-{cell.predicted}": cell.count for cell in found},
        "mistaken": [
            (inputs.labels[row.argmax()], int(row.max())) if row.any() else None for row in wrong
        ],
        "answers": sorted(answers, key=lambda answer: verdicts.index(answer.verdict)),
        "VERDICTS": VERDICTS,
        "WHOLE": WHOLE,
        "overall": overall_advice(curve) if curve else None,
        "folds": curve.by_folds if curve else None,
        "remarks": remarks,
        "compared": _compared(inputs.comparison) if inputs.comparison else [],
    }


def _compared(comparison: Comparison) -> list[tuple[str, int, float, float]]:
    """List (class, photos, recall now, recall of the earlier graph), the worst change first."""
    rows = []
    for label in sorted({each.truth for each in comparison.answers}):
        own = [each for each in comparison.answers if each.truth == label]
        new, earlier = (sum(getattr(each, name) == label for each in own) / len(own)
                        for name in ("new", "earlier"))  # fmt: skip
        rows.append((label, len(own), new, earlier))
    return sorted(rows, key=lambda row: row[2] - row[3])


def _confused(found: Sequence[Cell]) -> list[Cell]:
    """List the cells of mistakes, the fullest first."""
    wrong = [cell for cell in found if cell.truth != cell.predicted]
    return sorted(wrong, key=lambda cell: -cell.count)


def _grid(found: Sequence[Cell], size: int) -> list[list[Cell | None]]:
    grid: list[list[Cell | None]] = [[None] * size for _ in range(size)]
    for cell in found:
        grid[cell.truth][cell.predicted] = cell
    return grid
