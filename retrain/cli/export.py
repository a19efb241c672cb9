"""`retrain export`: a finished graph in other formats."""

from pathlib import Path

import click

from retrain.cli.command import FILE, GroupedCommand, GroupedOption, start_console
from retrain.cli.options import logging_options, option
from retrain.export.config import FILE_SUFFIXES
from retrain.utils.logs import print_result
from retrain.utils.settings import OUTPUTS
from retrain.utils.suffixes import either


@click.command(cls=GroupedCommand, name="retrain export")
@click.option(
    "--graph",
    cls=GroupedOption,
    group="Graph",
    everyday=True,
    type=FILE,
    required=True,
    metavar="FILE",
    help="The .pb file that retrain wrote.",
)
@click.option(
    "--to",
    "places",
    cls=GroupedOption,
    group=OUTPUTS,
    everyday=True,
    type=FILE,
    required=True,
    multiple=True,
    metavar="FILE|DIR",
    help=f"A name ending in {either(FILE_SUFFIXES)}; one without such an end is the folder for a "
    "SavedModel. May be given several times.",
)
@option("tflite_quantization", everyday=True)
@option(
    "image_dir",
    required=False,
    help="Photos to check the files with, and to find the ranges of int8 numbers from.",
)
@option("parity_min_agreement")
@option("allow_unsafe_module", group="Graph")
@logging_options
def command(
    *,
    graph: Path,
    places: tuple[Path, ...],
    tflite_quantization: str,
    image_dir: str | None,
    parity_min_agreement: float | None,
    allow_unsafe_module: bool,
    logging_verbosity: str,
) -> None:
    """Make a SavedModel, a TFLite or an ONNX file of a finished graph.

    \b
    retrain export --graph output_graph.pb --to flowers.tflite --to serving/

    Each is run by its own runtime on photos of --image_dir (without: on three test pictures), and
    must give the graph's answers. Labels, the manifest and a model card are written beside.
    """
    start_console(logging_verbosity)

    from retrain.commands.export import export_graph, wanted_exports
    from retrain.export.export import check_agreement

    wanted = wanted_exports(places, tflite_quantization, parity_min_agreement)
    exports = export_graph(
        graph, wanted, image_dir=image_dir, allow_unsafe_module=allow_unsafe_module
    )
    for export in exports:
        print_result(f"{export.kind}: {export.path.absolute()}")
    check_agreement(exports)
