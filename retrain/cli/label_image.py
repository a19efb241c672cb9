"""`label-image`: what is in a photo, or in many."""

import logging
import os
from pathlib import Path
from typing import Any

import click

from retrain._version import __version__
from retrain.cli.command import (
    FILE,
    GroupedCommand,
    GroupedOption,
    Number,
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
from retrain.cli.surroundings import check_stdin_is_open, check_stdout_is_open
from retrain.inference.config import THRESHOLD, TOP_K
from retrain.inference.writers import FORMATS, TEXT, choose_format

log = logging.getLogger(__name__)

PHOTOS, RESULTS = "Photos", "Results"


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
@click.option(
    "--top_k",
    "--num_top_predictions",
    "top_k",
    cls=GroupedOption,
    group=RESULTS,
    everyday=True,
    type=Number(TOP_K),
    default=5,
    show_default=True,
    metavar="N",
    help="How many labels to give for a photo.",
)
@click.option(
    "--threshold",
    cls=GroupedOption,
    group=RESULTS,
    everyday=True,
    type=Number(THRESHOLD),
    default=0.0,
    metavar="X",
    help="Give only labels with a score of at least X; a photo may have none.",
)
@click.option(
    "--format",
    "form",
    cls=GroupedOption,
    group=RESULTS,
    everyday=True,
    type=click.Choice(tuple(FORMATS)),
    show_default=f"as --output ends, else {TEXT}",
    help="A row for each photo; csv: path,label,score,error,label_2,score_2...",
)
@click.option(
    "--csv_safe",
    cls=GroupedOption,
    group=RESULTS,
    everyday=True,
    is_flag=True,
    help="In csv and tsv, put ' before a name that a spreadsheet would compute (= + - @).",
)
@click.option(
    "--output",
    cls=GroupedOption,
    group=RESULTS,
    everyday=True,
    type=FILE,
    metavar="FILE",
    help="Write the rows here, instead of printing them; the name's end says the format.",
)
@click.option(
    "--resume",
    cls=GroupedOption,
    group=RESULTS,
    everyday=True,
    is_flag=True,
    help="Go on after the rows that a labelling which was ended left beside --output.",
)
@click.option(
    "--sort_into",
    cls=GroupedOption,
    group=RESULTS,
    everyday=True,
    type=FILE,
    metavar="DIR",
    help="Also put a copy of each photo into DIR/LABEL, or DIR/unknown.",
)
@click.option(
    "--sort_by",
    cls=GroupedOption,
    group=RESULTS,
    everyday=True,
    type=click.Choice(["copy", "link"]),
    default="copy",
    help="For --sort_into: copies, or symbolic links to the photos.",
)
@click.option(
    "--explain",
    cls=GroupedOption,
    group=RESULTS,
    everyday=True,
    type=FILE,
    metavar="FILE",
    help="Draw into this .png or .jpg which parts of the photo speak for its label.",
)
@debug_option
@click.version_option(__version__, prog_name="label-image")
def label_image(
    *,
    photos: tuple[str, ...],
    graph: Path | None,
    labels: Path | None,
    image: str | None,
    top_k: int,
    threshold: float,
    form: str | None,
    csv_safe: bool,
    output: Path | None,
    resume: bool,
    sort_into: Path | None,
    sort_by: str,
    explain: Path | None,
    explain_input: bool,
    **given: Any,
) -> int:
    """Name what is in PHOTOS, likeliest first.

    \b
    label-image --graph output_graph.pb photo.jpg
    label-image --graph output_graph.pb --output labels.csv photos/

    PHOTOS are files, folders, 'patterns', or - for a list of paths on standard input.
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

    rows_as = choose_format(output, form)
    if "-" in names:
        check_stdin_is_open()
    if output is None and sort_into is None and explain is None:
        check_stdout_is_open("name a file with --output")

    from retrain import load
    from retrain.inference.batch import Batch, label_batch

    labeller = load(chosen.graph, labels=labels, **overrides_of(given))
    batch = Batch(
        names,
        top_k,
        threshold,
        format=rows_as,
        output=output,
        sort_into=sort_into,
        link=sort_by == "link",
        explain=explain,
        csv_safe=csv_safe,
        resume=resume,
    )
    start_console()
    if chosen.remark:
        log.info(f"label-image: {chosen.remark}")
    return 1 if label_batch(labeller, batch) else 0


def main() -> None:
    """Run the command as the console script."""
    run(label_image)
