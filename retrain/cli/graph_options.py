"""Options with which users override a graph's input spec, for labelling and for evaluating."""

from pathlib import Path
from typing import Any

import click

from retrain.cli.command import FILE, GroupedOption, together
from retrain.cli.options import section_options
from retrain.inference.config import Overrides
from retrain.utils.settings import settings_in

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
    section_options(Overrides),
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

    print_table(explain_input(graph, overrides_of(given), labels), left=(0, 1, 2))


def overrides_of(given: dict[str, Any]) -> Overrides:
    """Return the overrides among a command's arguments."""
    return Overrides(**{name: given[name] for name in settings_in(Overrides)})
