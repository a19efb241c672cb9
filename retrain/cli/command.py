"""What all commands share: grouped help, old spellings of flags, errors in one line."""

import os
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click
from click.exceptions import NoSuchOption

from retrain.cli.surroundings import (
    Ended,
    check_current_folder,
    check_threads,
    end_by_signals,
    flush_or_abandon,
    lacking,
    open_missing_streams,
)
from retrain.errors import RetrainError
from retrain.utils.colour import RED, coloured
from retrain.utils.files import home_expanded
from retrain.utils.logs import Console, console
from retrain.utils.nearest import nearest
from retrain.utils.new_folders import empty_folders_removed
from retrain.utils.settings import Range
from retrain.utils.text import printable

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem  # only a shell asks for it


class UserPath(click.ParamType):  # type: ignore[type-arg, unused-ignore]
    """A path; `~` is the home folder also in `--flag=~/x`, which shells leave as it is."""

    name = "path"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Return the path with `~` as the home folder."""
        return home_expanded(os.fspath(value))

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> "list[CompletionItem]":
        """Leave it to the shell, which knows the files."""
        from click.shell_completion import CompletionItem

        return [CompletionItem(incomplete, type="file")]


FILE = UserPath()


class Parsed(click.ParamType):  # type: ignore[type-arg, unused-ignore]
    """A value that `parse` makes of a text; it raises UsageFault for a text that is wrong."""

    def __init__(self, parse: Callable[[str], Any]) -> None:
        self.name = parse.__name__
        self.parse = parse

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the parsed value."""
        return self.parse(value) if isinstance(value, str) else value


class Number(click.ParamType):  # type: ignore[type-arg, unused-ignore]
    """A number within a range."""

    name = "number"

    def __init__(self, within: Range) -> None:
        self.range = within

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> int | float:
        """Return the number; raise UsageFault if it is out of range."""
        flags = param.opts if param is not None else ["value"]
        flag = flags[0] if len(flags) == 1 or param is None else f"--{param.name}"
        take = self.range.parse if isinstance(value, str) else self.range.number
        return take(value, flag)


Decorated = TypeVar("Decorated", bound=Callable[..., Any])
Wrap = Callable[[Callable[..., Any]], Callable[..., Any]]

FIRST_COLUMN = 28  # of the help; a longer option stands on a line of its own


HELP = ["-h", "--help"]  # as argparse has it, which retrain.py and label_image.py used


class GroupedOption(click.Option):
    """An option with a place in the help: its `group`, and whether it is an `everyday` one."""

    def __init__(self, *args: Any, group: str = "Other", everyday: bool = False, **more: Any):
        super().__init__(*args, **more)
        self.group = group
        self.everyday = everyday


def together(*wraps: Wrap) -> Callable[[Decorated], Decorated]:
    """Return one decorator for all of these options, in this order."""

    def decorate(command: Decorated) -> Decorated:
        for wrap in reversed(wraps):
            command = wrap(command)  # type: ignore[assignment]
        return command

    return decorate


debug_option = click.option(
    "--debug",
    cls=GroupedOption,
    is_flag=True,
    expose_value=False,
    help="Show where in the code an error arose.",
)


class GroupedCommand(click.Command):
    """A command whose help shows the everyday options by group; `--help-all` shows every one.

    `interrupted`: what to say after Ctrl-C.
    """

    def __init__(self, *args: Any, interrupted: str = "interrupted", **more: Any) -> None:
        self.interrupted = interrupted
        settings: dict[str, Any] = {"token_normalize_func": lambda name: name.replace("-", "_"),
                    "max_content_width": 100, "help_option_names": HELP}  # fmt: skip
        super().__init__(*args, **{"context_settings": settings, **more})
        if any(not _everyday(option) for option in self.params):
            self.params.append(
                GroupedOption(
                    ["--help-all", "help_all"],
                    is_flag=True,
                    is_eager=True,
                    expose_value=False,
                    everyday=True,
                    callback=_show_all,
                    help="Show every option.",
                )
            )

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options into the help, by group."""
        everything = bool(ctx.meta.get("retrain.help_all"))
        groups: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx) if isinstance(parameter, click.Option) else None
            if record is not None and (everything or _everyday(parameter)):
                group = getattr(parameter, "group", "Other")
                groups.setdefault(group, []).append(record)
        groups["Other"] = groups.pop("Other", [])
        names = [name for records in groups.values() for name, _ in records]
        width = max(len(name) for name in names if len(name) <= FIRST_COLUMN)
        for group, records in groups.items():
            with formatter.section(group):
                rows = [(f"{name:<{width}}", text) for name, text in records]
                formatter.write_dl(rows, col_max=width)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments; an unknown option is answered with the nearest known one."""
        try:
            return super().parse_args(ctx, args)
        except NoSuchOption as error:
            options = [one for one in self.params if isinstance(one, click.Option)]
            names = [name for option in options for name in option.opts]
            raise click.UsageError(_no_such_option(error.option_name, names), ctx) from None


def _everyday(parameter: click.Parameter) -> bool:
    return not isinstance(parameter, GroupedOption) or parameter.everyday


def _show_all(ctx: click.Context, _: click.Parameter, asked: bool) -> None:  # noqa: FBT001 -- click calls it
    if asked:
        ctx.meta["retrain.help_all"] = True
        click.echo(ctx.get_help())
        ctx.exit()


def _no_such_option(given: str, names: Sequence[str]) -> str:
    """Return the error that names the nearest option; the old tools ignored a misspelt one."""
    wanted = given.replace("-", "_").strip("_")
    known = {name.replace("-", "_").strip("_"): name for name in names}
    near = [name for name in known if name.startswith(wanted)]
    meant = near[0] if near else nearest(wanted, known, least=0.5)
    hint = f" Did you mean {known[meant]}?" if meant else " See --help-all."
    return f"No such option: {given}.{hint}"


ONLY_SHOWS = {*HELP, "--help-all", "--version"}  # no work, and so no threads


def begin(name: str, arguments: Sequence[str]) -> None:
    """Make the process's surroundings fit for a command, or end the process in one line.

    The threads of a run are tried once a process, and not for a command that shows its help.

    To be called before NumPy is imported: without a thread to be had, its OpenBLAS sends this
    process the signal of Ctrl-C.
    """
    open_missing_streams()
    try:
        check_current_folder()
        if ONLY_SHOWS.isdisjoint(arguments):
            check_threads()
    except RetrainError as error:
        _complain(name, str(error))
        sys.exit(error.exit_code)


def run(command: click.Command, arguments: Sequence[str] | None = None) -> NoReturn:
    """Run a command as a process: its errors in one line on stderr, exit code 1, or 2 for usage.

    Ctrl-C is 130, with the words the command has for it. `--debug` anywhere among the arguments
    shows the trace.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    begin(command.name or "retrain", given)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # no error for names that it cannot show
            stream.reconfigure(errors="backslashreplace")
    end_by_signals()
    sys.exit(_run(command, [a for a in given if a != "--debug"], debug=debug))


def _run(command: click.Command, arguments: list[str], *, debug: bool) -> int:
    name = command.name or "retrain"
    try:
        with empty_folders_removed():
            code = command.main(arguments, prog_name=name, standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except click.UsageError as error:
        _complain(name, error.format_message())
        return 2
    except click.ClickException as error:
        _complain(name, error.format_message())
        return error.exit_code
    except RetrainError as error:
        if debug:
            traceback.print_exc()
        _complain(name, str(error))
        return error.exit_code
    except BrokenPipeError:  # the reader of our results has closed its end
        return 1
    except (KeyboardInterrupt, click.Abort) as error:
        gap = "" if isinstance(error, click.Abort) else "\n"  # click has ended the line
        with suppress(OSError):
            sys.stderr.write(gap)
        _complain(name, getattr(command, "interrupted", "interrupted"))
        return 130
    except Ended as end:
        words = getattr(command, "interrupted", "interrupted")
        _complain(name, words.replace("interrupted", f"ended by {end.signal.name}", 1))
        return 128 + end.signal
    except Exception as error:
        if debug:
            raise
        _complain(
            name,
            lacking(error)
            or f"internal error, {type(error).__name__}: {error} "
            "(--debug shows where; please report it)",
        )
        return 1
    finally:
        flush_or_abandon()


def _complain(name: str, text: str) -> None:
    """Print on stderr, in one line, why the command ends.

    The exit code says it as well, should stderr be closed or full.
    """
    with suppress(OSError):
        print(f"{coloured(f'{name}:', RED, sys.stderr)} {_flat(text)}", file=sys.stderr)


def start_console(verbosity: str = "INFO") -> Console:
    """Show people the running command's messages: records from `verbosity` on go to stderr."""
    return click.get_current_context().with_resource(console(verbosity))


def _flat(text: str) -> str:
    return printable(" ".join(text.split("\n")))
