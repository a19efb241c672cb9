"""`retrain modules`: which modules there are, getting them, comparing them."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from retrain.cli.command import HELP, GroupedCommand, GroupedOption, start_console
from retrain.cli.options import option
from retrain.cli.tables import compared, print_table
from retrain.config import TrainConfig
from retrain.features.config import default_modules_folder
from retrain.utils.logs import LEVELS, print_result

log = logging.getLogger(__name__)

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


def _options(command: Decorated) -> Decorated:
    """Add the options that all of these commands take."""
    for wrap in (
        click.option(
            "--debug",
            cls=GroupedOption,
            is_flag=True,
            expose_value=False,
            help="Show where in the code an error arose.",
        ),
        click.option(
            "--logging_verbosity",
            "verbosity",
            cls=GroupedOption,
            type=click.Choice(LEVELS),
            metavar="|".join(LEVELS),
            default="INFO",
            show_default=True,
            help="How much to say while working.",
        ),
        option("model_dir", group="Other", everyday=True, help="Where modules are kept."),
    ):
        command = wrap(command)  # type: ignore[assignment]
    return command


@click.group(
    name="retrain modules",
    context_settings={"max_content_width": 100, "help_option_names": HELP},
    no_args_is_help=False,
)
def command() -> None:
    """List, get and compare the networks that turn photos into features."""


@command.command("list", cls=GroupedCommand)
@_options
def list_command(model_dir: Path | None, verbosity: str) -> None:
    """List every named module: what it is, and whether it can be used without network."""
    from retrain.backbones.sources.inventory import inventory

    rows = [("name", "here", "size", "features", "Mparams", "top-1 %", "licence")]
    for item in inventory(model_dir or default_modules_folder()):
        rows.append(
            (item.name, item.here, item.size, item.features, item.parameters, item.top1,
             item.licence)
        )  # fmt: skip
    print_table(rows, left=(0, 1, 6))


@command.command("show", cls=GroupedCommand)
@click.argument("name")
@_options
def show_command(name: str, model_dir: Path | None, verbosity: str) -> None:
    """Show all that is known of module NAME, and where it lies. Fetches nothing."""
    from retrain.backbones.sources.inventory import facts_of

    rows = facts_of(name, model_dir or default_modules_folder())
    width = max(len(key) for key, _ in rows)
    for key, value in rows:
        print_result(f"{key:<{width}}  {value}")


@command.command("fetch", cls=GroupedCommand)
@click.argument("names", nargs=-1, required=True, metavar="MODULE...")
@option("allow_unsafe_module", group="Other")
@_options
def fetch_command(
    *, names: tuple[str, ...], allow_unsafe_module: bool, model_dir: Path | None, verbosity: str
) -> None:
    """Get and freeze modules, so that they can be used without network.

    \b
    retrain modules fetch inception_v3 --model_dir modules/
    retrain --image_dir flowers/ --architecture inception_v3 --model_dir modules/
    """
    from retrain.artifacts.safety.verdict import unsafe_allowed
    from retrain.backbones.freeze.input_config import InputConfig
    from retrain.backbones.sources.resolve import check_handles, resolve

    start_console(verbosity)
    check_handles(names)
    for name in names:
        with unsafe_allowed(allowed=allow_unsafe_module, warn=log.warning):
            backbone = resolve(name, InputConfig(), model_dir or default_modules_folder())
        print_result(f"{backbone.info.name}: {backbone.folder.absolute()}")


@command.command("verify", cls=GroupedCommand)
@click.argument("names", nargs=-1, metavar="[MODULE...]")
@_options
def verify_command(names: tuple[str, ...], model_dir: Path | None, verbosity: str) -> int:
    """Check that the modules that are here are what was frozen, and give TensorFlow's answers.

    Without names: all of them. Exit code 1 if one is damaged.
    """
    from retrain.backbones.sources.inventory import verify

    start_console(verbosity)
    damaged = 0
    for name, fault in verify(names, model_dir or default_modules_folder()):
        damaged += fault is not None
        print_result(f"{name}: {fault or 'ok'}")
    return 1 if damaged else 0


@command.command("compare", cls=GroupedCommand)
@click.argument("names", nargs=-1, required=True, metavar="MODULE...")
@option("image_dir", group="Other")
@option("bottleneck_dir", group="Other")
@option("how_many_training_steps", group="Other", help="Random batches for each fold.")
@option("seed", group="Other", help="Decides the folds and the batches.")
@_options
def compare_command(names: tuple[str, ...], verbosity: str, **given: Any) -> None:
    """Train and test on the same five folds of your photos with each MODULE, and compare.

    \b
    retrain modules compare mobilenet_v1_100_224 efficientnet_lite0 --image_dir flowers/

    The difference is to the first module, on the same photos; both intervals are for 95 %.
    """
    from retrain.commands.compare_modules import compare_modules

    config = TrainConfig.from_flat(**given)
    rows: list[Sequence[str]] = [
        ("module", "accuracy", "interval", "difference", "interval", "photos/s", "MB", "features")
    ]
    start_console(verbosity)
    for one in compare_modules(names, config):
        rows.append(
            (
                one.name,
                *compared(one.accuracy, one.interval, one.against_first),
                f"{one.photos_per_second:.0f}",
                f"{one.megabytes:.1f}",
                str(one.feature_width),
            )
        )
    print_table(rows, left=(0,))
