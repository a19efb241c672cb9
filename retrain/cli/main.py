"""`retrain`: does what the first word says; without such a word, it trains."""

import os
import sys
from pathlib import Path

import click

from retrain.cli.command import begin, run
from retrain.cli.words import COMMANDS, TRAIN, command_of, load, overview
from retrain.utils.files import home_expanded
from retrain.utils.nearest import nearest, nearest_folder

COMPLETE = "_RETRAIN_COMPLETE"  # in the environment of a process that a shell asks for words
SHOWS_HELP = ["--help"]


def main() -> None:
    """Run the command as the console script."""
    arguments = sys.argv[1:]
    word = command_of(arguments[0]) if arguments else ""
    begin("retrain", arguments if word not in ("", "help", "completion") else SHOWS_HELP)
    if COMPLETE in os.environ:
        from retrain.cli.completion import words

        run(words, [])
    if not arguments:
        print(overview(), file=sys.stderr)
        sys.exit(2)
    if word == "help":
        run(_help, arguments[1:])
    if word in COMMANDS:
        command = load(word)
        if isinstance(command, click.Group) and len(arguments) == 1:
            print(command.get_help(click.Context(command, info_name=command.name)), file=sys.stderr)
            sys.exit(2)
        run(command, arguments[1:])
    if not word.startswith("-") and not _is_place(word):
        run(_unknown, [word])
    run(load(TRAIN), arguments)


def _is_place(word: str) -> bool:
    """Tell whether a word may name photos: a path, whether it is there or not, or a URL."""
    return os.sep in word or "/" in word or os.path.exists(home_expanded(word))


@click.command(name="retrain")
@click.argument("word")
def _unknown(word: str) -> None:
    near = nearest(word, COMMANDS)
    folder = nearest_folder(Path(word)) if near is None else None
    if folder is not None:
        raise click.UsageError(f"there is no command or folder {word!r}: did you mean {folder}/?")
    hint = f"did you mean {near}?" if near else f"commands are {', '.join(COMMANDS)};"
    raise click.UsageError(
        f"there is no command {word!r}: {hint} to train, name the folder of your photos"
    )


@click.command(name="retrain help", add_help_option=False)
@click.argument("of", nargs=-1, metavar="[COMMAND]...")
def _help(of: tuple[str, ...]) -> None:
    """Say which commands there are; or, of one, its options."""
    if not of:
        click.echo(overview())
    elif (word := command_of(of[0])) in COMMANDS:
        run(load(word), [*of[1:], *SHOWS_HELP])
    else:
        _unknown.main([of[0]], standalone_mode=False)
