"""`retrain compare-heads`: every solver on the same features."""

from collections.abc import Sequence
from typing import Any

import click

from retrain.cli.command import GroupedCommand, start_console
from retrain.cli.options import (
    logging_options,
    module_options,
    option,
    photos_folder,
    take_architecture,
)
from retrain.cli.tables import compared, print_table
from retrain.config import TrainConfig


@click.command(cls=GroupedCommand, name="retrain compare-heads")
@photos_folder()
@module_options
@option("how_many_training_steps")
@option("seed", help="Decides the folds and the batches.")
@logging_options
@click.pass_context
def command(
    ctx: click.Context, /, architecture: str | None, logging_verbosity: str, **given: Any
) -> None:
    """Train and test on the same five folds of your photos with each solver, and compare.

    \b
    retrain compare-heads --image_dir flowers/

    The difference is to the first solver, on the same photos; intervals are for 95 %.
    """
    take_architecture(ctx, architecture, given)
    config = TrainConfig.from_flat(**given)

    from retrain.commands.compare_heads import compare_heads

    rows: list[Sequence[str]] = [
        ("solver", "accuracy", "interval", "difference", "interval", "seconds")
    ]
    start_console(logging_verbosity)
    for one in compare_heads(config):
        figures = compared(one.accuracy, one.interval, one.against_first)
        rows.append((one.name, *figures, f"{one.seconds:.2f}"))
    print_table(rows, left=(0,))
