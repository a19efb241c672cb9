"""A setting is declared once, in its stage's section: all else comes from its field."""

import ast
import dataclasses
from pathlib import Path
from typing import get_type_hints

import click
import pytest
from conftest import REPO

from retrain.cli.command import GroupedOption
from retrain.cli.label_image import label_image
from retrain.cli.train import retrain
from retrain.config import SECTIONS, SETTINGS, TrainConfig
from retrain.errors import UsageFault
from retrain.inference.config import LabelConfig, Overrides
from retrain.utils.settings import Range, Section, setting, settings_in

# Options of the command itself, which are no settings of a run.
OWN = {
    "folder",
    "dry_run",
    "config",
    "architecture",
    "logging_verbosity",
    "debug",
    "version",
    "help_all",
}


def test_each_option_of_retrain_is_a_field_of_a_section() -> None:
    options = {option.name: option for option in retrain.params}
    assert options.keys() - OWN == SETTINGS.keys()
    for name, each in SETTINGS.items():
        option = options[name]
        assert isinstance(option, GroupedOption)
        assert (option.help, option.group) == (each.help, each.group)
        assert each.help and each.help.endswith(".")
        if each.default is not dataclasses.MISSING:
            assert option.default == each.default


def test_each_option_of_label_image_is_a_field_of_a_section() -> None:
    """Besides those that say which classifier and which photos."""
    options = {option.name: option for option in label_image.params}
    own = {"photos", "image", "graph", "labels", "explain_input", "debug", "version", "help_all"}
    fields = settings_in(Overrides) | settings_in(LabelConfig)
    assert options.keys() - own == fields.keys()
    for name, each in fields.items():
        option = options[name]
        assert isinstance(option, GroupedOption)
        assert (option.help, option.group) == (each.help, each.group)
        assert each.help.endswith(".") and option.default == each.default


def test_no_two_sections_have_a_setting_of_the_same_name() -> None:
    names = [name for section in SECTIONS.values() for name in settings_in(section)]
    assert len(names) == len(set(names)) == len(SETTINGS)


def test_each_setting_has_a_range_or_words_or_is_a_text() -> None:
    for name, each in SETTINGS.items():
        kind = str(each.kind)
        if "int" in kind.replace("Path", "") or "float" in kind:
            assert each.range or each.check, name


def test_the_flat_names_and_the_sections_are_one() -> None:
    config = TrainConfig.from_flat("photos", seed=7, engine="openvino")
    assert (config.data.image_dir, config.batches.seed, config.extract.engine) == (
        "photos", 7, "openvino"
    )  # fmt: skip
    assert list(config.flat()) == list(SETTINGS)
    assert TrainConfig.from_flat(**config.flat()) == config
    assert TrainConfig(config.data, config.extract, batches=config.batches) == config


def test_the_manifest_has_what_shapes_the_classifier() -> None:
    """All settings of these sections, but for those that say why they are left out."""
    recorded = TrainConfig.from_flat("photos").recorded()
    assert {"split", "precision", "solver", "fine_tune", "seed", "random_crop"} <= recorded.keys()
    assert not {"image_dir", "output_graph", "bottleneck_dir", "assert_recall"} & recorded.keys()
    assert len(recorded) == 27


def test_a_new_setting_is_one_field() -> None:
    """Its option, its check and its place in the records need no other line."""

    @dataclasses.dataclass(frozen=True)
    class Brewing(Section, group="Kitchen"):
        minutes: int = setting(4, help="How long it draws.", range=Range(1, 10))
        sugar: bool = setting(False, help="Sweet.", recorded=False)

    found = settings_in(Brewing)
    assert [each.group for each in found.values()] == ["Kitchen", "Kitchen"]
    assert [each.recorded for each in found.values()] == [True, False]
    assert get_type_hints(Brewing)["minutes"] is found["minutes"].kind is int
    assert Brewing(minutes=10).minutes == 10
    with pytest.raises(UsageFault, match=r"--minutes 11: give a whole number from 1 up to 10"):
        Brewing(minutes=11)
    with pytest.raises(UsageFault, match="sugar 2: give true or false"):
        dataclasses.replace(Brewing(), sugar=2)


def test_the_command_line_names_no_setting_twice() -> None:
    """No module of the command line writes a setting's default, range or words again."""
    for path in sorted((REPO / "retrain" / "cli").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            if node.func.attr == "option" and node.args and isinstance(node.args[0], ast.Constant):
                name = str(node.args[0].value).lstrip("-").replace("-", "_")
                assert name not in SETTINGS or of_label_image(path, name), f"{path.name}: {name}"


def of_label_image(path: Path, name: str) -> bool:
    """`label-image` has its own: it writes to standard output, and goes on with rows."""
    return path.name == "label_image.py" and name in ("csv_safe", "resume")


def test_subcommands_share_the_settings_of_a_run() -> None:
    from retrain.cli.audit import command as audit

    assert isinstance(audit, click.Command)
    shared = {option.name: option for option in audit.params if option.name in SETTINGS}
    assert {"image_dir", "split", "tfhub_module", "csv_safe", "max_leaks"} <= shared.keys()
    of_run = {option.name: option for option in retrain.params}
    for name, option in shared.items():
        assert option.opts == of_run[name].opts and option.default == of_run[name].default
