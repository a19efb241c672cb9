"""The work of `label-image`: label the inputs that the user names and write one row for each."""

import json
import logging
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, TextIO

from retrain.artifacts.detect import find_artefact
from retrain.data.class_names import UNKNOWN
from retrain.errors import UsageFault, counted
from retrain.inference.imagenet import imagenet_graph
from retrain.inference.inputs import (
    LIST,
    Input,
    count_inputs,
    is_pattern,
    list_inputs,
    may_be_photo,
)
from retrain.inference.journal import journal
from retrain.inference.labeller import LabelledPhoto, Labeller, ReadyLabeller
from retrain.inference.writers import FORMATS, Layout, formatted, write_rows
from retrain.utils.files import (
    atomic_path,
    check_file_can_be_written,
    check_folder_can_be_written,
)
from retrain.utils.kept import digest
from retrain.utils.progress import progress

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Batch:
    """What to label, and what to do with the rows.

    Attributes:
        names: Files, folders and patterns, as `inputs.list_inputs` takes them.
        top_k: The most labels in a row.
        threshold: The lowest score, in [0, 1], of a label in a row.
        format: One of `writers.FORMATS`.
        output: The file for the rows; None is stdout.
        sort_into: The folder below which photos are put into folders by their labels.
        link: Put symbolic links there, not copies.
        explain: The picture to draw of the one photo that is named.
        csv_safe: See `text.csv_row`.
        resume: Go on after the rows that a labelling which was ended has left.
    """

    names: tuple[str, ...]
    top_k: int
    threshold: float
    format: str
    output: Path | None
    sort_into: Path | None
    link: bool
    explain: Path | None = None
    csv_safe: bool = False
    resume: bool = False


def label_batch(labeller: Labeller, batch: Batch) -> int:
    """Write a row for each photo, in order, and return the number of photos with a problem.

    Raises RetrainError if the graph cannot be used or a result cannot be written, and UsageFault
    for places that make no sense.
    """
    _check_places(batch)
    if batch.explain is not None:
        _check_explain(batch.explain, batch.names)
    total = count_inputs(batch.names, batch.sort_into)
    ready = _opened(labeller, batch, total, remark=lambda text: log.info(f"label-image: {text}"))
    sorter = None
    if batch.sort_into is not None:
        from retrain.inference.sorting import Sorter  # slow to import

        sorter = Sorter(batch.sort_into, ready.labels, link=batch.link)
        if batch.threshold and sorter.unknown != UNKNOWN:
            log.info(f"label-image: photos without a label go into {sorter.unknown}/, because "
                      f"{UNKNOWN!r} is a class of this graph")  # fmt: skip
    inputs = list_inputs(batch.names, batch.sort_into)
    has_errors = FORMATS[batch.format].has_errors
    done = failed = 0
    # A bar would break up rows on the terminal. One photo is not worth importing the bar for.
    shows_bar = total != 1 and (batch.output is not None or not sys.stdout.isatty())
    stdout = sys.stdout  # the stream itself, which a progress bar replaces
    with progress("Labelling", total or 0, "photos", shown=shows_bar) as meter:

        def watched(inputs: Iterable[Input | None]) -> Iterator[LabelledPhoto]:
            nonlocal done, failed
            for row in ready.rows(inputs, batch.top_k, batch.threshold):
                if sorter is not None and row.problem is None:
                    sorter.place(row)
                yield row
                if row.problem is not None and not has_errors:
                    log.info(f"label-image: {row.name}: {row.problem}")
                done += 1
                failed += row.problem is not None
                meter.advance(aside=int(row.problem is not None))

        layout = Layout(
            titled=not _is_one_photo(batch.names),
            labels=min(batch.top_k, len(ready.labels)),
            csv_safe=batch.csv_safe,
        )
        if batch.output is None:
            _print(watched(inputs), batch.format, layout, stdout=stdout)
        else:
            with journal(batch.output, _facts(labeller, ready, batch), resume=batch.resume) as kept:
                done, failed = kept.before, kept.problems
                meter.advance(done, aside=failed)
                for row in watched(kept.rest(inputs)):
                    kept.add(row)
                with atomic_path(batch.output) as temporary:
                    write_rows(kept.rows(), batch.format, layout, path=temporary)
    if failed and has_errors:
        log.info(f"label-image: {failed} of {counted(done, 'photo')} could not be labelled: "
                  "the field 'error' says why")  # fmt: skip
    return failed


def _opened(
    labeller: Labeller, batch: Batch, total: int | None, *, remark: Callable[[str], None]
) -> ReadyLabeller:
    if batch.explain is None:
        return labeller.open(total, remark)
    from retrain.inference.explain.draw import draw_into

    return labeller.open_explaining(remark, partial(draw_into, batch.explain))


def _check_places(batch: Batch) -> None:
    """Raise RetrainError, before any work, if results could not be written."""
    if batch.resume and batch.output is None:
        raise UsageFault("--resume goes on with a file: name it with --output")
    if batch.output is not None:
        FORMATS[batch.format].check()
        check_file_can_be_written(batch.output, "--output")
        if batch.output.exists() and may_be_photo(batch.output):
            raise UsageFault(f"--output {batch.output} is a photo: name a file for the results")
    if batch.sort_into is not None:
        check_folder_can_be_written(batch.sort_into, "--sort_into")
        for name in batch.names:
            if os.path.isdir(name) and os.path.samefile(name, batch.sort_into):
                raise UsageFault(
                    f"--sort_into {batch.sort_into} is itself to be labelled: name another folder, "
                    "or leave it out of the photos"
                )


def _check_explain(file: Path, names: tuple[str, ...]) -> None:
    """Raise UsageFault, or RetrainError, if the picture could not be written."""
    if file.suffix.lower() not in (".png", ".jpg", ".jpeg"):
        raise UsageFault(f"--explain {file}: the picture's name must end in .png or .jpg")
    if not _is_one_photo(names):
        raise UsageFault("--explain draws one photo: name one")
    if file.resolve() == Path(names[0]).resolve():
        raise UsageFault(f"--explain {file} would overwrite the photo: take another name")
    check_file_can_be_written(file, "--explain")


def _is_one_photo(names: tuple[str, ...]) -> bool:
    """Tell whether just one photo is named, so that its row needs no title."""
    return len(names) == 1 and not (
        names[0] == LIST or os.path.isdir(names[0]) or is_pattern(names[0])
    )


def _facts(labeller: Labeller, ready: ReadyLabeller, batch: Batch) -> dict[str, Any]:
    """Return what rows depend on besides their photos, as JSON has it."""
    artefact = find_artefact(labeller.graph or imagenet_graph()[0])
    parts = [digest(file.read_bytes(), file.name) for file in artefact.files]
    return {
        "graph": digest(b"".join(parts)).hex(),
        "labels": digest(json.dumps(ready.labels).encode()).hex(),
        "overrides": asdict(labeller.overrides),
        "top_k": batch.top_k,
        "threshold": batch.threshold,
    }


def _print(rows: Iterator[LabelledPhoto], name: str, layout: Layout, *, stdout: TextIO) -> None:
    """Write rows to `stdout`, each as soon as it is there."""
    if FORMATS[name].raw_names and hasattr(stdout, "reconfigure"):
        stdout.reconfigure(encoding="utf-8", errors="surrogateescape")
    for piece in formatted(rows, name, **asdict(layout)):
        stdout.write(piece)
        stdout.flush()
