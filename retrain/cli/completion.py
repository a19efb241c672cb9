"""Words that a shell completes: the script that asks for them, and the answers."""

from typing import Any

import click
from click.shell_completion import CompletionItem, get_completion_class

from retrain.cli.command import HELP, GroupedCommand, debug_option
from retrain.cli.words import COMMANDS, TRAIN, load

SHELLS = ("bash", "zsh", "fish")


class Words(click.Group):
    """The commands of `retrain`, and the options of training, which needs no word."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return all words."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command of a word, or None."""
        return load(cmd_name) if cmd_name in COMMANDS else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command of the first word, else that of training, which takes all words."""
        if args[0] in COMMANDS:
            return super().resolve_command(ctx, args)
        return TRAIN, load(TRAIN), args

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return what the first word may become."""
        train = load(TRAIN)
        with train.make_context(TRAIN, [], parent=ctx, resilient_parsing=True) as of_train:
            options = train.shell_complete(of_train, incomplete)
        paths = [] if incomplete.startswith("-") else [CompletionItem(incomplete, type="file")]
        lines = [
            CompletionItem(word, help=each.line)
            for word, each in COMMANDS.items()
            if word.startswith(incomplete) and not incomplete.startswith("-")
        ]
        return [*paths, *lines, *options]  # bash drops what comes before a path


words = Words(
    "retrain", context_settings={"ignore_unknown_options": True, "help_option_names": HELP}
)


@click.command(cls=GroupedCommand, name="retrain completion")
@click.argument("shell", type=click.Choice(SHELLS))
@debug_option
def command(shell: str) -> None:
    """Print what makes SHELL complete commands, options, choices and file names.

    \b
    bash: put this line into ~/.bashrc:  eval "$(retrain completion bash)"
    zsh:  put this line into ~/.zshrc:   eval "$(retrain completion zsh)"
    fish: retrain completion fish > ~/.config/fish/completions/retrain.fish

    It is for retrain and for label-image.
    """
    of_shell: Any = get_completion_class(shell)
    for name in ("retrain", "label-image"):
        variable = f"_{name}_COMPLETE".replace("-", "_").upper()
        click.echo(of_shell(words, {}, name, variable).source())
