"""`retrain`: trains, or does what the word after it says."""

import sys
from difflib import get_close_matches
from importlib import import_module

import click

from retrain.cli.command import begin, run

SUBCOMMANDS = {
    "audit": "retrain.cli.audit",
    "compare-heads": "retrain.cli.compare_heads",
    "evaluate": "retrain.cli.evaluate",
    "export": "retrain.cli.export",
    "inspect": "retrain.cli.inspect",
    "modules": "retrain.cli.modules",
}


def main() -> None:
    """Run the command as the console script."""
    arguments = sys.argv[1:]
    begin("retrain", arguments)
    word = arguments[0] if arguments else ""
    if word in SUBCOMMANDS:
        run(import_module(SUBCOMMANDS[word]).command, arguments[1:])
    if word and not word.startswith("-"):
        run(_unknown, [word])
    run(import_module("retrain.cli.train").retrain, arguments)


@click.command(name="retrain")
@click.argument("word")
def _unknown(word: str) -> None:
    near = get_close_matches(word, SUBCOMMANDS, n=1)
    hint = f"did you mean {near[0]}?" if near else f"commands are {', '.join(SUBCOMMANDS)};"
    raise click.UsageError(
        f"there is no command {word!r}: {hint} to train, name your photos with --image_dir"
    )
