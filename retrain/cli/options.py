"""Options that several commands have; those of settings are made from the sections' fields."""

from dataclasses import MISSING
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from retrain.cli.command import (
    FILE,
    GroupedOption,
    Number,
    Parsed,
    UserPath,
    Wrap,
    debug_option,
    together,
)
from retrain.config import SETTINGS
from retrain.errors import UsageFault
from retrain.features.config import ExtractConfig
from retrain.utils.logs import LEVELS
from retrain.utils.settings import MODULE, Section, Setting, settings_in

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem  # only a shell asks for it

FOLDER = "retrain.folder"  # in a context's meta: the argument that says --image_dir
RECORDED = "retrain.recorded_photos"  # in a context's meta, after --config


def option(name: str, **other: Any) -> Wrap:
    """Return the option of a run's setting; `other` is what this command has otherwise."""
    return option_of(SETTINGS[name], **other)


def option_of(setting: Setting, **other: Any) -> Wrap:
    """Return the option of a setting; `other` is what this command has otherwise.

    A setting that is true unless it is asked for has a flag that makes it false.
    """
    of_option: dict[str, Any] = {"group": setting.group, "everyday": setting.everyday,
                                 "help": setting.help}  # fmt: skip
    if setting.default is MISSING:
        of_option["required"] = True
    else:
        of_option["default"] = setting.default
    if setting.kind is bool:
        of_option.update(is_flag=True, flag_value=not setting.default)
    else:
        none = (MISSING, None, ())
        of_option.update(_type_of(setting), multiple=setting.default == ())
        of_option["show_default"] = setting.shown_default or setting.default not in none
    if setting.name == "tfhub_module":
        of_option["shell_complete"] = _modules
    flags = [setting.flag or f"--{setting.name}"]
    flags += [setting.older_flag] if setting.older_flag else []
    return click.option(*flags, setting.name, cls=GroupedOption, **{**of_option, **other})


def section_options(section: type[Section]) -> Wrap:
    """Return one decorator for the options of a section that is no part of a run's settings."""
    return together(*(option_of(setting) for setting in settings_in(section).values()))


def _type_of(setting: Setting) -> dict[str, Any]:
    """Return the type of an option's value, and what stands for it in the help."""
    metavar = {"metavar": setting.metavar} if setting.metavar else {}
    if setting.parse is not None:
        return {"type": Parsed(setting.parse), **metavar}
    if setting.range is not None:
        return {"metavar": "N" if setting.range.whole else "X", "type": Number(setting.range)}
    if setting.choices:
        return {"type": click.Choice(setting.choices), "metavar": "|".join(setting.choices)}
    if "Path" in str(setting.kind):
        return {"type": SettingPath(setting), **metavar}
    return {"type": None, **metavar}


class SettingPath(UserPath):
    """A path of a setting, checked as the setting says (the end of its name, for one)."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Return the path with `~` as the home folder; raise UsageFault for one that is wrong."""
        path: Path = self.setting.value(super().convert(value, param, ctx))
        return path


def options(*names: str) -> Wrap:
    """Return one decorator for the options of these settings, in this order."""
    return together(*(photos_folder() if n == "image_dir" else option(n) for n in names))


def photos_folder() -> Wrap:
    """Return the option --image_dir, and the argument that says the same."""

    def keep(ctx: click.Context, _: click.Parameter, folder: str | None) -> None:
        ctx.meta[FOLDER] = folder

    argument = click.argument(
        "folder",
        required=False,
        metavar="[DIR]",
        is_eager=True,
        expose_value=False,
        callback=keep,
        shell_complete=_paths,
    )
    taken = option("image_dir", required=False, callback=_take_folder, shell_complete=_paths)
    return together(argument, taken)


def _take_folder(ctx: click.Context, parameter: click.Parameter, given: str | None) -> str:
    """Return the folder that was given as an argument or as the option."""
    folder, name = ctx.meta.get(FOLDER), str(parameter.name)
    if folder is None:
        if given is None:
            raise click.UsageError(
                f"no folder of photos given: name the one that holds a folder for each class, "
                f"{ctx.command.name} flowers/"
            )
        return given
    by_option = ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE
    if by_option and given != folder:
        raise UsageFault(f"{folder} and --image_dir {given} are two folders: give one")
    ctx.set_parameter_source(name, ParameterSource.COMMANDLINE)
    return str(folder)


def _paths(
    ctx: click.Context, parameter: click.Parameter, incomplete: str
) -> "list[CompletionItem]":
    return FILE.shell_complete(ctx, parameter, incomplete)


def _modules(
    ctx: click.Context, parameter: click.Parameter, incomplete: str
) -> "list[CompletionItem]":
    from click.shell_completion import CompletionItem

    from retrain.backbones.sources.catalogue import entries

    names = [entry.name for entry in entries() if entry.name.startswith(incomplete)]
    return [CompletionItem(name) for name in names] or _paths(ctx, parameter, incomplete)


architecture = click.option(
    "--architecture",
    cls=GroupedOption,
    group=MODULE,
    metavar="NAME",
    shell_complete=lambda *given: _modules(*given),
    help="The older script's name for --tfhub_module.",
)


def with_architecture(*names: str) -> Wrap:
    """Return the options of these settings, with the older name of the module beside the newer."""
    first = names.index("tfhub_module") + 1
    return together(options(*names[:first]), architecture, options(*names[first:]))


split_options = options("testing_percentage", "validation_percentage", "split", "keep_together")
module_options = with_architecture(*settings_in(ExtractConfig))
report_options = options("report_file", "report")
gate_options = options("assert_accuracy", "assert_recall")


logging_options = together(
    click.option(
        "--logging_verbosity",
        cls=GroupedOption,
        type=click.Choice(LEVELS),
        metavar="|".join(LEVELS),
        default="INFO",
        show_default=True,
        help="How much to say while working.",
    ),
    debug_option,
)


def take_architecture(ctx: click.Context, architecture: str | None, given: dict[str, Any]) -> None:
    """Put the older script's name for the module in the newer one's place."""
    if architecture is None:
        return
    if was_given(ctx, "tfhub_module") and given["tfhub_module"] != architecture:
        raise UsageFault("--architecture and --tfhub_module name two modules: give one")
    given["tfhub_module"] = architecture


def was_given(ctx: click.Context, name: str) -> bool:
    """Tell whether an option was given, not left to its default."""
    return ctx.get_parameter_source(name) is not click.core.ParameterSource.DEFAULT


def take_config(ctx: click.Context, path: Path | None) -> None:
    """Make the settings in a file, or of an earlier run, the defaults of this one."""
    if path is not None:
        from retrain.commands.run_record import read_recorded_photos
        from retrain.commands.settings_file import read_settings_file

        ctx.default_map = read_settings_file(path)
        ctx.meta[RECORDED] = read_recorded_photos(path) if path.suffix.lower() == ".json" else None
