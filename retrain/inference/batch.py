"""The work of `label-image`: label the inputs that the user names and write one row for each."""

import json
import logging
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, TextIO

from retrain.artifacts.detect import find_artefact
from retrain.data.class_names import UNKNOWN
from retrain.errors import UsageFault, counted
from retrain.inference.answers import LabelledPhoto
from retrain.inference.config import LINK, LabelConfig
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
from retrain.inference.labeller import Labeller, ReadyLabeller
from retrain.inference.writers import FORMATS, Layout, formatted, write_rows
from retrain.utils.files import (
    atomic_path,
    check_file_can_be_written,
    check_folder_can_be_written,
)
from retrain.utils.kept import digest
from retrain.utils.progress import progress

log = logging.getLogger(__name__)


def label_batch(labeller: Labeller, names: tuple[str, ...], wanted: LabelConfig) -> int:
    """Write a row for each photo, in order, and return the number of photos with a problem.

    Args:
        labeller: Labels the photos.
        names: Files, folders and patterns, as `inputs.list_inputs` takes them.
        wanted: Which labels, and where the rows and photos go.

    Raises:
        RetrainError: The graph cannot be used, or a result cannot be written.
        UsageFault: A place makes no sense.
    """
    _check_places(names, wanted)
    if wanted.explain is not None:
        _check_explain(wanted.explain, names)
    total = count_inputs(names, wanted.sort_into)
    ready = _opened(labeller, wanted, total, remark=lambda text: log.info(f"label-image: {text}"))
    sorter = None
    if wanted.sort_into is not None:
        from retrain.inference.sorting import Sorter  # slow to import

        sorter = Sorter(wanted.sort_into, ready.labels, link=wanted.sort_by == LINK)
        if wanted.threshold and sorter.unknown != UNKNOWN:
            log.info(f"label-image: photos without a label go into {sorter.unknown}/, because "
                      f"{UNKNOWN!r} is a class of this graph")  # fmt: skip
    inputs = list_inputs(names, wanted.sort_into)
    has_errors = FORMATS[wanted.row_format].has_errors
    done = failed = 0
    # A bar would break up rows on the terminal. One photo is not worth importing the bar for.
    shows_bar = total != 1 and (wanted.output is not None or not sys.stdout.isatty())
    stdout = sys.stdout  # the stream itself, which a progress bar replaces
    with progress("Labelling", total or 0, "photos", shown=shows_bar) as meter:

        def watched(inputs: Iterable[Input | None]) -> Iterator[LabelledPhoto]:
            nonlocal done, failed
            for row in ready.rows(inputs, wanted.top_k, wanted.threshold):
                if sorter is not None and row.problem is None:
                    sorter.place(row)
                yield row
                if row.problem is not None and not has_errors:
                    log.info(f"label-image: {row.name}: {row.problem}")
                done += 1
                failed += row.problem is not None
                meter.advance(aside=int(row.problem is not None))

        layout = Layout(
            titled=not _is_one_photo(names),
            labels=min(wanted.top_k, len(ready.labels)),
            csv_safe=wanted.csv_safe,
        )
        if wanted.output is None:
            _print(watched(inputs), wanted.row_format, layout, stdout=stdout)
        else:
            with journal(
                wanted.output, _facts(labeller, ready, wanted), resume=wanted.resume
            ) as kept:
                done, failed = kept.before, kept.problems
                meter.advance(done, aside=failed)
                for row in watched(kept.rest(inputs)):
                    kept.add(row)
                with atomic_path(wanted.output) as temporary:
                    write_rows(kept.rows(), wanted.row_format, layout, path=temporary)
    if failed and has_errors:
        log.info(f"label-image: {failed} of {counted(done, 'photo')} could not be labelled: "
                  "the field 'error' says why")  # fmt: skip
    return failed


def _opened(
    labeller: Labeller, wanted: LabelConfig, total: int | None, *, remark: Callable[[str], None]
) -> ReadyLabeller:
    if wanted.explain is None:
        return labeller.open(total, remark)
    from retrain.inference.explain.draw import draw_into

    return labeller.open_explaining(remark, partial(draw_into, wanted.explain))


def _check_places(names: tuple[str, ...], wanted: LabelConfig) -> None:
    """Raise RetrainError, before any work, if results could not be written."""
    if wanted.resume and wanted.output is None:
        raise UsageFault("--resume goes on with a file: name it with --output")
    if wanted.output is not None:
        FORMATS[wanted.row_format].check()
        check_file_can_be_written(wanted.output, "--output")
        if wanted.output.exists() and may_be_photo(wanted.output):
            raise UsageFault(f"--output {wanted.output} is a photo: name a file for the results")
    if wanted.sort_into is not None:
        check_folder_can_be_written(wanted.sort_into, "--sort_into")
        for name in names:
            if os.path.isdir(name) and os.path.samefile(name, wanted.sort_into):
                raise UsageFault(
                    f"--sort_into {wanted.sort_into} is itself to be labelled: "
                    "name another folder, or leave it out of the photos"
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


def _facts(labeller: Labeller, ready: ReadyLabeller, wanted: LabelConfig) -> dict[str, Any]:
    """Return what rows depend on besides their photos, as JSON has it."""
    artefact = find_artefact(labeller.graph or imagenet_graph()[0])
    parts = [digest(file.read_bytes(), file.name) for file in artefact.files]
    return {
        "graph": digest(b"".join(parts)).hex(),
        "labels": digest(json.dumps(ready.labels).encode()).hex(),
        "overrides": asdict(labeller.overrides),
        "top_k": wanted.top_k,
        "threshold": wanted.threshold,
    }


def _print(rows: Iterator[LabelledPhoto], name: str, layout: Layout, *, stdout: TextIO) -> None:
    """Write rows to `stdout`, each as soon as it is there."""
    if FORMATS[name].raw_names and hasattr(stdout, "reconfigure"):
        stdout.reconfigure(encoding="utf-8", errors="surrogateescape")
    for piece in formatted(rows, name, **asdict(layout)):
        stdout.write(piece)
        stdout.flush()
