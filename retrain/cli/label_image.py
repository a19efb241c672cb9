"""`label-image`: what is in a photo."""

import sys
from pathlib import Path

import click

from retrain import __version__
from retrain.cli.command import FILE, GroupedCommand, GroupedOption, run


@click.command(cls=GroupedCommand, name="label-image")
@click.argument("photos", nargs=-1, type=FILE)
@click.option(
    "--graph",
    cls=GroupedOption,
    group="Graph",
    everyday=True,
    type=FILE,
    metavar="FILE",
    help="The .pb file that retrain wrote. Without it: ImageNet's 1001 classes.",
)
@click.option(
    "--labels",
    cls=GroupedOption,
    group="Graph",
    everyday=True,
    type=FILE,
    metavar="FILE",
    help="Labels, for a graph that does not carry its own.",
)
@click.option(
    "--image",
    cls=GroupedOption,
    group="Photos",
    type=FILE,
    metavar="FILE",
    help="A photo, as the old tool took it.",
)
@click.option(
    "--top_k",
    "--num_top_predictions",
    "top_k",
    cls=GroupedOption,
    group="Photos",
    everyday=True,
    type=click.IntRange(min=1),
    default=5,
    show_default=True,
    metavar="N",
    help="How many labels to print for a photo.",
)
@click.option(
    "--input_layer",
    cls=GroupedOption,
    group="Graph",
    metavar="NAME",
    help="Name of the graph's input.",
)
@click.option(
    "--output_layer",
    cls=GroupedOption,
    group="Graph",
    metavar="NAME",
    help="Name of the graph's output.",
)
@click.option(
    "--input_height",
    cls=GroupedOption,
    group="Graph",
    metavar="N",
    type=click.IntRange(min=1),
    help="Height that photos are resized to.",
)
@click.option(
    "--input_width",
    cls=GroupedOption,
    group="Graph",
    metavar="N",
    type=click.IntRange(min=1),
    help="Width that photos are resized to.",
)
@click.option(
    "--input_mean",
    cls=GroupedOption,
    group="Graph",
    metavar="X",
    type=float,
    help="The graph gets (pixel - mean) / std, pixels from 0 to 255.",
)
@click.option(
    "--input_std",
    cls=GroupedOption,
    group="Graph",
    metavar="X",
    type=float,
    help="See --input_mean.",
)
@click.option(
    "--debug",
    cls=GroupedOption,
    is_flag=True,
    expose_value=False,
    help="Show where in the code an error arose.",
)
@click.version_option(__version__, prog_name="label-image")
def label_image(
    photos: tuple[Path, ...],
    graph: Path | None,
    labels: Path | None,
    image: Path | None,
    top_k: int,
    input_layer: str | None,
    output_layer: str | None,
    input_height: int | None,
    input_width: int | None,
    input_mean: float | None,
    input_std: float | None,
) -> int:
    """Name what is in PHOTOS, likeliest first.

    \b
    label-image --graph output_graph.pb photo.jpg
    """
    paths = [*photos, *([image] if image else [])]
    if not paths:
        raise click.UsageError("no photo given: label-image --graph output_graph.pb photo.jpg")

    from retrain.label.photos import label_photos
    from retrain.label.spec import Overrides

    overrides = Overrides(
        input_layer=input_layer,
        output_layer=output_layer,
        height=input_height,
        width=input_width,
        mean=input_mean,
        std=input_std,
    )
    failed = 0
    for number, row in enumerate(label_photos(paths, graph, overrides, labels, top_k, _remark)):
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
