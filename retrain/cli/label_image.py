"""`label-image`: what is in a photo."""

import sys
from pathlib import Path
from typing import Any

import click

from retrain import __version__
from retrain.cli.command import FILE, GroupedCommand, GroupedOption, debug_option, run
from retrain.cli.graph_options import GRAPH, graph_options, overrides_of

PHOTOS = "Photos"


@click.command(cls=GroupedCommand, name="label-image")
@click.argument("photos", nargs=-1, type=FILE)
@click.option(
    "--graph",
    cls=GroupedOption,
    group=GRAPH,
    everyday=True,
    type=FILE,
    metavar="FILE",
    help="The .pb file that retrain wrote. Without it: ImageNet's 1001 classes.",
)
@graph_options
@click.option(
    "--image",
    cls=GroupedOption,
    group=PHOTOS,
    type=FILE,
    metavar="FILE",
    help="A photo, as the old tool took it.",
)
@click.option(
    "--top_k",
    "--num_top_predictions",
    "top_k",
    cls=GroupedOption,
    group=PHOTOS,
    everyday=True,
    type=click.IntRange(min=1),
    default=5,
    show_default=True,
    metavar="N",
    help="How many labels to print for a photo.",
)
@debug_option
@click.version_option(__version__, prog_name="label-image")
def label_image(
    photos: tuple[Path, ...],
    graph: Path | None,
    labels: Path | None,
    image: Path | None,
    top_k: int,
    **given: Any,
) -> int:
    """Name what is in PHOTOS, likeliest first.

    \b
    label-image --graph output_graph.pb photo.jpg
    """
    paths = [*photos, *([image] if image else [])]
    if not paths:
        raise click.UsageError("no photo given: label-image --graph output_graph.pb photo.jpg")

    from retrain import load

    labeller = load(graph, labels=labels, **overrides_of(given))
    failed = 0
    for number, row in enumerate(labeller.stream(paths, top_k, _remark)):
        if len(paths) > 1:
            print(f"{'' if number == 0 else chr(10)}{row.path}:")
        if row.problem is not None:
            failed += 1
            print(f"label-image: {row.path}: {row.problem}", file=sys.stderr)
        for label, score in row.labels:
            print(f"{label} (score={score:.5f})")
    return 1 if failed else 0


def _remark(text: str) -> None:
    print(f"label-image: {text}", file=sys.stderr)


def main() -> None:
    """Entry point of the console script."""
    run(label_image)
