"""Options with which users override a graph's input spec, for labelling and for evaluating."""

from pathlib import Path
from typing import Any

import click

from retrain.cli.command import FILE, GroupedOption, Number, together
from retrain.data.config import DEVIATION, SIDE, VALUE

GRAPH = "Graph"

graph_options = together(
    click.option(
        "--labels",
        cls=GroupedOption,
        group=GRAPH,
        everyday=True,
        type=FILE,
        metavar="FILE",
        help="Labels, for a graph that does not carry its own.",
    ),
    click.option(
        "--input_layer",
        cls=GroupedOption,
        group=GRAPH,
        metavar="NAME",
        help="Name of the graph's input.",
    ),
    click.option(
        "--output_layer",
        cls=GroupedOption,
        group=GRAPH,
        metavar="NAME",
        help="Name of the graph's output.",
    ),
    click.option(
        "--input_height",
        cls=GroupedOption,
        group=GRAPH,
        metavar="N",
        type=Number(SIDE),
        help="Height that photos are resized to.",
    ),
    click.option(
        "--input_width",
        cls=GroupedOption,
        group=GRAPH,
        metavar="N",
        type=Number(SIDE),
        help="Width that photos are resized to.",
    ),
    click.option(
        "--input_mean",
        cls=GroupedOption,
        group=GRAPH,
        metavar="X",
        type=Number(VALUE),
        help="The graph gets (pixel - mean) / std, pixels from 0 to 255.",
    ),
    click.option(
        "--input_std",
        cls=GroupedOption,
        group=GRAPH,
        metavar="X",
        type=Number(DEVIATION),
        help="See --input_mean.",
    ),
)

explain_input_option = click.option(
    "--explain_input",
    cls=GroupedOption,
    group=GRAPH,
    is_flag=True,
    help="Say what the graph is fed, and how that is known; no photo is needed.",
)


def print_explanation(graph: Path | None, labels: Path | None, given: dict[str, Any]) -> None:
    """Print what `--explain_input` shows; raise RetrainError."""
    from retrain.cli.tables import print_table
    from retrain.inference.spec.explain_input import explain_input
    from retrain.inference.spec.spec import Overrides

    print_table(explain_input(graph, Overrides(**overrides_of(given)), labels), left=(0, 1, 2))


def overrides_of(given: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of inference.spec.spec.Overrides among a command's arguments."""
    return {
        "input_layer": given["input_layer"],
        "output_layer": given["output_layer"],
        "height": given["input_height"],
        "width": given["input_width"],
        "mean": given["input_mean"],
        "std": given["input_std"],
    }
