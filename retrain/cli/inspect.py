"""`retrain inspect`: what an artefact says about itself."""

import json
from pathlib import Path

import click

from retrain.cli.command import FILE, GroupedCommand, GroupedOption, debug_option
from retrain.utils.logs import print_result


@click.command(cls=GroupedCommand, name="retrain inspect")
@click.argument("file", type=FILE)
@click.option(
    "--labels",
    "all_labels",
    cls=GroupedOption,
    everyday=True,
    is_flag=True,
    help="Print all labels, not the first few.",
)
@click.option(
    "--json",
    "as_json",
    cls=GroupedOption,
    everyday=True,
    is_flag=True,
    help="Print all that is known, for programs.",
)
@debug_option
def command(*, file: Path, all_labels: bool, as_json: bool) -> None:
    """Say what FILE is: its format, inputs, outputs, labels, size, and how it was made.

    \b
    retrain inspect output_graph.pb

    FILE is a frozen graph (.pb), a SavedModel folder, a .tflite or an .onnx file, made by retrain
    or by another tool. How photos are fed to it is told by label-image --explain_input.
    """
    from retrain.artifacts.inspect.inspect import inspect_artefact

    found = inspect_artefact(file)
    if as_json:
        click.echo(json.dumps(found.as_json(), indent=1))
        return
    rows = list(found.rows(all_labels=all_labels))
    width = max(len(word) for word, _ in rows)
    for word, text in rows:
        print_result(f"{word:<{width}}  {text}")
