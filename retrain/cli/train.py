"""`retrain`: from folders of photos to a frozen graph."""

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
    was_given,
    with_architecture,
)
from retrain.config import SETTINGS, TrainConfig

SOURCES = {ParameterSource.COMMANDLINE: "command line", ParameterSource.DEFAULT_MAP: "config"}


@click.command(
    cls=GroupedCommand,
    name="retrain",
    interrupted="interrupted; finished features are kept, run the same command to go on",
    epilog="Other commands: retrain audit, evaluate, modules, compare-heads, export, inspect.",
)
@click.option(
    "--config",
    cls=GroupedOption,
    type=FILE,
    metavar="FILE",
    is_eager=True,
    expose_value=False,
    callback=lambda ctx, _, path: take_config(ctx, path),
    help="Settings from the run.json of an earlier run; options given here win.",
)
@with_architecture(*SETTINGS)
@logging_options
@click.version_option(__version__, prog_name="retrain")
@click.pass_context
def retrain(
    ctx: click.Context, /, architecture: str | None, logging_verbosity: str, **given: Any
) -> None:
    """Teach an image classifier your own classes, from folders of photos.

    \b
    retrain --image_dir flowers/
    label-image --graph output_graph.pb photo.jpg
    """
    take_architecture(ctx, architecture, given)
    if str(given["summaries_dir"]) in ("", "."):
        given["summaries_dir"] = None
    if given["tfhub_module"].lower().endswith(ONNX) and not was_given(ctx, "output_graph"):
        given["output_graph"] = given["output_graph"].with_suffix(ONNX)
    config = TrainConfig.from_flat(**given)
    messages = start_console(logging_verbosity)

    from retrain.commands.train import train  # after the command line is known to be right

    sources = {
        name: SOURCES.get(ctx.get_parameter_source(name) or ParameterSource.DEFAULT, "default")
        for name in given
    }
    result = train(config, sources, ctx.meta.get(RECORDED))
    from retrain.cli.closing import close_run
    from retrain.evaluation.audit.audit import leaks
    from retrain.evaluation.gates import check_gates
    from retrain.export.export import check_agreement

    close_run(config, result, messages.warnings)
    check_agreement(result.exports)
    leaking = len(leaks(result.audit)) if result.audit is not None else 0
    check_gates(config.gates, result.assessment.metrics, leaks=leaking)
