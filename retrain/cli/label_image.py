"""`label-image`: what is in a photo, or in many."""

import logging
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from retrain._version import __version__
from retrain.cli.command import (
    FILE,
    GroupedCommand,
    GroupedOption,
    debug_option,
    run,
    start_console,
)
from retrain.cli.graph_options import (
    GRAPH,
    explain_input_option,
    graph_options,
    overrides_of,
    print_explanation,
)
from retrain.cli.options import section_options
from retrain.cli.surroundings import check_stdin_is_open, check_stdout_is_open
from retrain.errors import RetrainError
from retrain.inference.config import LabelConfig
from retrain.utils.settings import PHOTOS, settings_in

log = logging.getLogger(__name__)


@click.command(cls=GroupedCommand, name="label-image")
@click.argument("photos", nargs=-1)
@click.option(
    "--graph",
    cls=GroupedOption,
    group=GRAPH,
    everyday=True,
    type=FILE,
    metavar="FILE",
    help="A frozen graph (.pb), SavedModel folder, .tflite or .onnx file; imagenet: its 1001 "
    "classes. Without it: output_graph.pb, if it is here.",
)
@graph_options
@explain_input_option
@click.option(
    "--image",
    cls=GroupedOption,
    group=PHOTOS,
    metavar="FILE",
    help="A photo, as the old tool took it.",
)
@section_options(LabelConfig)
@debug_option
@click.version_option(__version__, prog_name="label-image")
def label_image(
    *,
    photos: tuple[str, ...],
    graph: Path | None,
    labels: Path | None,
    image: str | None,
    explain_input: bool,
    **given: Any,
) -> int:
    """Name what is in PHOTOS, likeliest first.

    \b
    label-image --graph output_graph.pb photo.jpg
    label-image --graph output_graph.pb --output labels.csv photos/

    PHOTOS are files, folders, 'patterns', a .zip or .tar.gz, its URL, or - for a list of paths on
    standard input.
    Exit code 1 if a photo could not be labelled; its row says why.
    """
    from retrain.inference.which_graph import choose_graph  # slower than the help may be

    given_names = [os.path.expanduser(name) for name in [*photos, *([image] if image else [])]]
    chosen = choose_graph(graph, given_names)
    names = chosen.names
    if explain_input:
        print_explanation(chosen.graph, labels, given)
        return 0
    if not names:
        raise click.UsageError("no photo given: label-image --graph output_graph.pb photo.jpg")

    wanted = LabelConfig(**{name: given[name] for name in settings_in(LabelConfig)})
    if "-" in names:
        check_stdin_is_open()
    if wanted.output is None and wanted.sort_into is None and wanted.explain is None:
        check_stdout_is_open("name a file with --output")

    from retrain import load
    from retrain.inference.batch import label_batch

    labeller = load(chosen.graph, labels=labels, **asdict(overrides_of(given)))
    start_console()
    if chosen.remark:
        log.info(f"label-image: {chosen.remark}")
    names = tuple(_folder_of(name) for name in names)
    return 1 if label_batch(labeller, names, wanted) else 0


def _folder_of(name: str) -> str:
    """Return the folder of the photos in an archive or behind a URL; any other name as it is."""
    from retrain.data.packed import unpacked

    try:
        return unpacked(name)
    except RetrainError as fault:  # the others are labelled all the same, and this has its row
        log.warning(f"label-image: {fault}")
        return name


def main() -> None:
    """Run the command as the console script."""
    run(label_image)
