"""`retrain export`: a finished graph in other formats."""

import logging
from pathlib import Path
from typing import Any

import click

from retrain.cli.command import FILE, GroupedCommand, GroupedOption, start_console
from retrain.cli.options import logging_options, option
from retrain.errors import UsageFault
from retrain.export.config import FILE_SUFFIXES, ExportConfig
from retrain.export.formats import INT8, format_of
from retrain.utils.logs import print_result
from retrain.utils.settings import OUTPUTS
from retrain.utils.suffixes import either

log = logging.getLogger(__name__)


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
    wanted = _wanted(places, tflite_quantization, parity_min_agreement)
    if wanted.tflite_quantization == INT8 and image_dir is None:
        raise UsageFault(
            "--tflite_quantization int8 needs photos to find the ranges of numbers from: give "
            "--image_dir, the folder that the graph was trained on"
        )

    from retrain.artifacts.safety.verdict import unsafe_allowed
    from retrain.commands.export import audit_beside, photos_in, read_exportable
    from retrain.export.export import check_agreement, check_exports, write_exports

    check_exports(wanted)
    manifest = read_exportable(graph)
    with unsafe_allowed(allowed=allow_unsafe_module, warn=log.warning):
        exports = write_exports(
            wanted,
            graph,
            manifest,
            photos=photos_in(image_dir),
            audit=audit_beside(graph, manifest),
        )
    for export in exports:
        print_result(f"{export.kind}: {export.path.absolute()}")
    check_agreement(exports)


def _wanted(places: tuple[Path, ...], quantization: str, least: float | None) -> ExportConfig:
    """Return the exports that the names ask for; raise UsageFault for two of one kind."""
    found: dict[str, Any] = {}
    for place in places:
        setting = format_of(place).setting
        if setting in found:
            raise UsageFault(
                f"--to {found[setting]} and --to {place} are of one format: give one at a time"
            )
        found[setting] = place
    return ExportConfig(
        **found, tflite_quantization=quantization, parity_min_agreement=least, flag="--to"
    )
