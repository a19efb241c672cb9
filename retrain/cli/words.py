"""The commands of `retrain`: the word for each, where it is, and what it does in a line."""

from dataclasses import dataclass
from importlib import import_module

import click

TRAIN = "train"


@dataclass(frozen=True)
class Word:
    """A command: its module, its name there, what it is given, what it does."""

    module: str
    name: str
    takes: str
    line: str


COMMANDS = {
    TRAIN: Word("retrain.cli.train", "retrain", "DIR", "learn classes from folders of photos"),
    "label": Word("retrain.cli.label_image", "label_image", "PHOTO...", "name what is in photos"),
    "evaluate": Word("retrain.cli.evaluate", "command", "DIR", "judge a graph by other photos"),
    "audit": Word("retrain.cli.audit", "command", "DIR", "look for photos that harm"),
    "export": Word(
        "retrain.cli.export", "command", "", "make a graph's TFLite, ONNX or SavedModel"
    ),
    "inspect": Word("retrain.cli.inspect", "command", "FILE", "say what a graph is and holds"),
    "modules": Word("retrain.cli.modules", "command", "list", "list, get and compare networks"),
    "compare-heads": Word("retrain.cli.compare_heads", "command", "DIR", "compare the solvers"),
    "completion": Word("retrain.cli.completion", "command", "SHELL", "complete words with TAB"),
    "help": Word("retrain.cli.main", "_help", "[COMMAND]", "show this, or a command's options"),
}


def command_of(word: str) -> str:
    """Return a word as commands are written: `compare_heads` is compare-heads."""
    return word.replace("_", "-") if word.replace("_", "-") in COMMANDS else word


def load(word: str) -> click.Command:
    """Return the command of a word, which is imported now."""
    found: click.Command = getattr(import_module(COMMANDS[word].module), COMMANDS[word].name)
    return found


def overview() -> str:
    """Return an example of use, and each command with its line."""
    rows = [(f"retrain {word} {each.takes}".rstrip(), each.line) for word, each in COMMANDS.items()]
    width = max(len(start) for start, _ in rows)
    return "\n".join(
        [
            "retrain teaches an image classifier your own classes, from folders of photos:",
            "",
            "  retrain flowers/              one folder of photos for each class",
            "  retrain label photo.jpg       by the graph that was made",
            "",
            "Commands:",
            *(f"  {start:<{width}}  {line}" for start, line in rows),
            "",
            "retrain help train shows the options of training, as retrain --help does.",
        ]
    )
