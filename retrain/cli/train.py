"""`retrain`: from folders of photos to a frozen graph."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from retrain._version import __version__
from retrain.artifacts.onnx import SUFFIX as ONNX
from retrain.cli.command import FILE, GroupedCommand, GroupedOption, start_console
from retrain.cli.options import (
    RECORDED,
    logging_options,
    take_architecture,
    take_config,
    with_architecture,
)
from retrain.config import PLACES, SETTINGS, TrainConfig
from retrain.utils.logs import print_result

SOURCES = {ParameterSource.COMMANDLINE: "command line", ParameterSource.DEFAULT_MAP: "config"}


@click.command(
    cls=GroupedCommand,
    name="retrain",
    interrupted="interrupted; finished features are kept, run the same command to go on",
    epilog="Other commands: retrain help lists them.",
)
@click.option(
    "--config",
    cls=GroupedOption,
    type=FILE,
    metavar="FILE",
    is_eager=True,
    expose_value=False,
    callback=lambda ctx, _, path: take_config(ctx, path),
    help="Settings from a .toml, .yaml or .json file, or an earlier run's run.json; options win.",
)
@with_architecture(*SETTINGS)
@click.option(
    "--dry_run",
    cls=GroupedOption,
    is_flag=True,
    help="Only say what a run would do: photos, classes, minutes, disk.",
)
@logging_options
@click.version_option(__version__, prog_name="retrain")
@click.pass_context
def retrain(
    ctx: click.Context,
    /,
    *,
    architecture: str | None,
    dry_run: bool,
    logging_verbosity: str,
    **given: Any,
) -> None:
    """Teach an image classifier your own classes, from folders of photos.

    \b
    retrain flowers/
    retrain label photo.jpg
    """
    take_architecture(ctx, architecture, given)
    if str(given["summaries_dir"]) in ("", "."):
        given["summaries_dir"] = None
    sources = {name: ctx.get_parameter_source(name) for name in given}
    config = TrainConfig.from_flat(**_places_told(given, sources))
    messages = start_console(logging_verbosity)
    if dry_run:
        _say_dry_run(config)
        return

    from retrain.commands.train import train  # after the command line is known to be right

    said = {name: SOURCES.get(source, "default") for name, source in sources.items() if source}
    result = train(config, said, ctx.meta.get(RECORDED))
    from retrain.cli.closing import close_run

    close_run(result.places, result, messages.warnings)
    if result.fault is not None:
        raise result.fault


def _say_dry_run(config: TrainConfig) -> None:
    from retrain.commands.dry_run import dry_run

    for word, text in dry_run(config):
        print_result(f"{word}: {text}")


def _places_told(
    given: Mapping[str, Any], sources: Mapping[str, ParameterSource | None]
) -> dict[str, Any]:
    """Return the settings without the places that nobody named, so that they follow the graph.

    `--output_dir` on the command line also moves those of a run record, by their names.
    """
    told = {
        name: value
        for name, value in given.items()
        if name not in PLACES or sources[name] in SOURCES
    }
    if given["tfhub_module"].lower().endswith(ONNX) and "output_graph" not in told:
        told["output_graph"] = given["output_graph"].with_suffix(ONNX)
    if sources["output_dir"] is ParameterSource.COMMANDLINE:
        for name in PLACES.keys() & told.keys():
            if sources[name] is ParameterSource.DEFAULT_MAP and told[name] is not None:
                told[name] = Path(told[name].name)
    return told
