"""The end of an output's name says what is written there, in every option that names one."""

from pathlib import Path

import click
import pytest

from retrain.cli.audit import command as audit
from retrain.cli.command import UserPath
from retrain.cli.compare_heads import command as compare_heads
from retrain.cli.evaluate import command as evaluate
from retrain.cli.export import command as export
from retrain.cli.inspect import command as inspect
from retrain.cli.label_image import label_image
from retrain.cli.modules import command as modules
from retrain.cli.train import retrain
from retrain.config import SETTINGS, TrainConfig
from retrain.errors import UsageFault
from retrain.inference.writers import FORMATS, choose_format
from retrain.utils.suffixes import suffix_of

GROUP = modules.commands.values() if isinstance(modules, click.Group) else ()
COMMANDS = (retrain, audit, compare_heads, evaluate, export, inspect, label_image, *GROUP)
# Files that are written, with ends that are right; that of TFLite and ONNX must be there.
FILES = {
    "output_graph": (".pb", ".onnx", ""),
    "output_labels": (".txt", ""),
    "tflite_output_file": (".tflite",),
    "onnx_output_file": (".onnx",),
    "report_file": (".html", ".htm", ""),
    "output": (".txt", ".json", ".jsonl", ".csv", ".tsv", ".xlsx", ""),
    "explain": (".png", ".jpg", ".jpeg"),
    "places": (".tflite", ".onnx", ""),
    "checkpoint_path": (".npz", ".ckpt", ""),  # a prefix: .npz comes behind it
}
FOLDERS = {"saved_model_dir", "bottleneck_dir", "model_dir", "summaries_dir", "output_dir",
           "intermediate_output_graphs_dir", "sort_into"}  # fmt: skip
READ = {"config", "graph", "labels", "compare_with", "file"}


def test_each_option_that_names_a_path_is_known_here() -> None:
    """A new one is to be listed above, and so to be tried below."""
    names = {
        parameter.name
        for command in COMMANDS
        for parameter in command.params
        if isinstance(parameter.type, UserPath)
    }
    assert names == FILES.keys() | FOLDERS | READ


@pytest.mark.parametrize("name", [name for name in FILES if name in SETTINGS])
def test_a_run_writes_what_the_name_says(name: str) -> None:
    for suffix in FILES[name]:
        TrainConfig.from_flat("photos", **{name: f"v1.0/x{suffix}"})
    if name == "checkpoint_path":
        both = [TrainConfig.from_flat("p", checkpoint_path=each) for each in ("x", "x.npz")]
        assert both[0].snapshots.checkpoint_path == both[1].snapshots.checkpoint_path == Path("x")
        return
    flag = SETTINGS[name].flag or f"--{name}"
    for suffix in (".h5", ".csv", ".PY"):
        with pytest.raises(UsageFault, match=rf"^{flag} x\{suffix}: .* ends in \.") as fault:
            TrainConfig.from_flat("photos", **{name: f"x{suffix}"})
        assert FILES[name][0] in str(fault.value)


@pytest.mark.parametrize(("suffix", "option"), [(".tflite", "--tflite_output_file"), (".h5", "")])
def test_another_format_is_led_to_its_option(suffix: str, option: str) -> None:
    with pytest.raises(UsageFault) as fault:
        TrainConfig.from_flat("photos", output_graph=f"x{suffix}")
    assert option in str(fault.value)


@pytest.mark.parametrize("name", ["x.pb", "x.h5", "x.zip"])
def test_a_folder_is_not_called_as_a_file(name: str) -> None:
    with pytest.raises(UsageFault, match=rf"--saved_model_dir {name}: a SavedModel is a folder"):
        TrainConfig.from_flat("photos", saved_model_dir=name)
    with pytest.raises(UsageFault, match=rf"--to {name}: a SavedModel is a folder.*\.tflite or"):
        export.main(["--graph", "g.pb", "--to", name], standalone_mode=False)


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_checks_the_settings_that_it_takes(command: click.Command) -> None:
    """`retrain evaluate --report x.csv` as `retrain --report x.csv`."""
    for option in command.params:
        if option.name in ("output_graph", "output_labels", "report_file"):
            with pytest.raises(UsageFault, match=r"x\.h5: "):
                option.type.convert("x.h5", option, None)


def test_what_is_a_folder_already_stays_one(tmp_path: Path) -> None:
    (tmp_path / "flowers.v").mkdir()
    for name in ("flowers.v", "serving-1.0", "serving"):
        TrainConfig.from_flat("photos", saved_model_dir=tmp_path / name)


def test_numbers_behind_a_dot_claim_nothing() -> None:
    assert [suffix_of(Path(name)) for name in ("a.0", "a", ".pb", "v1.2/a", "a.PB")] == [
        "", "", "", "", ".pb",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("output", "asked", "name"),
    [
        *((f"l{suffix}", None, name) for name, form in FORMATS.items() for suffix in form.suffixes),
        *((f"L{form.suffixes[0].upper()}", name, name) for name, form in FORMATS.items()),
        ("l.txt", "csv", "csv"),
        ("labels", "jsonl", "jsonl"),
        ("labels", None, "text"),
        (None, "csv", "csv"),
        (None, None, "text"),
    ],
)
def test_the_name_of_the_rows_decides(output: str | None, asked: str | None, name: str) -> None:
    assert choose_format(Path(output) if output else None, asked) == name


@pytest.mark.parametrize(
    ("output", "asked", "said"),
    [
        ("l.csv", "json", r"--output l.csv ends in .csv and --format is json"),
        ("l.txt", "xlsx", r"ends in .txt and --format is xlsx"),
        ("l.xls", None, r"--output l.xls: a list of labels .* \.txt, .*\.tsv or \.xlsx$"),
        ("l.pb", "csv", r"--output l.pb: "),
        (None, "xlsx", r"--format xlsx makes a file: name it, --output labels.xlsx"),
    ],
)
def test_rows_that_would_not_be_what_they_are_called(
    output: str | None, asked: str | None, said: str
) -> None:
    with pytest.raises(UsageFault, match=said):
        choose_format(Path(output) if output else None, asked)
