"""Options that several commands have."""

from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import click

from retrain.backbones.freeze.input_config import parse_range, parse_size
from retrain.cli.command import FILE, GroupedOption, Number, Parsed, Wrap, debug_option, together
from retrain.config import TrainSettings
from retrain.errors import UsageFault
from retrain.evaluation.gates import parse_recall
from retrain.utils.logs import LEVELS
from retrain.utils.ranges import CHOICES, RANGES

DEFAULTS = {f.name: f.default for f in fields(TrainSettings) if f.default is not MISSING}

PHOTOS, MODULE, TRAINING = "Photos", "Module and features", "Training"
DISTORTIONS, OUTPUTS = "Distortions of training photos", "Outputs"
GATES = "Gates (exit code 3)"
RECORDED = "retrain.recorded_photos"  # in a context's meta, after --config


def option(name: str, help: str, group: str, *, everyday: bool = False, **more: Any) -> Wrap:
    """An option of TrainSettings: default and value shown as there."""
    default = DEFAULTS.get(name)
    if name in DEFAULTS:
        more["default"] = default
    if not more.get("is_flag"):
        if name in CHOICES:
            more.update(choice(*CHOICES[name]))
        elif name in RANGES and "metavar" not in more:  # else its text is more than a number
            more.update(number(name))
        more.setdefault("type", FILE if isinstance(default, Path) else None)
        more.setdefault("show_default", default is not None and default != ())
    return click.option(
        more.pop("flag", f"--{name}"),
        name,
        cls=GroupedOption,
        help=help,
        group=group,
        everyday=everyday,
        **more,
    )


def number(name: str) -> dict[str, Any]:
    """What an option needs that is a number of ranges.RANGES."""
    return {"type": Number(name), "metavar": "N" if RANGES[name].whole else "X"}


def choice(*values: str) -> dict[str, Any]:
    return {"type": click.Choice(values), "metavar": "|".join(values)}


image_dir = option(
    "image_dir",
    "Holds one folder of photos per class.",
    PHOTOS,
    everyday=True,
    metavar="DIR",
    required=True,
)

split_options = together(
    option("testing_percentage", "Photos kept for the final test.", PHOTOS, everyday=True),
    option("validation_percentage", "Photos to watch training with.", PHOTOS, everyday=True),
    option(
        "split",
        "Rule that divides the photos: a hash of their content, or the old "
        "script's hash of their path.",
        PHOTOS,
    ),
)

ALLOW_UNSAFE = (
    "Run a module or graph that does more than compute, such as writing files; only if you trust "
    "its maker."
)

module_options = together(
    option(
        "tfhub_module",
        "Module: a name (see: retrain modules list), folder, .tar.gz, .keras, .h5, .onnx, hub URL "
        "or Kaggle handle.",
        MODULE,
        everyday=True,
        metavar="MODULE",
    ),
    click.option(
        "--architecture",
        cls=GroupedOption,
        group=MODULE,
        metavar="NAME",
        help="The older script's name for --tfhub_module.",
    ),
    option(
        "input_size",
        "Size of the module's pictures; needed where it takes any.",
        MODULE,
        metavar="N|HxW",
        type=Parsed(parse_size),
    ),
    option(
        "input_range",
        "Values that the module's pixels have, if it is not 0 to 1.",
        MODULE,
        metavar="LOW,HIGH",
        type=Parsed(parse_range),
    ),
    option(
        "engine",
        "What runs the module; auto: TensorFlow on a GPU, else OpenVINO.",
        MODULE,
    ),
    option(
        "precision",
        "bf16 is about twice as fast where the processor has it, but the exported "
        "graph, which computes in f32, may then score up to 0.2 apart from training. Fine-tuning "
        "uses it on CPUs.",
        MODULE,
    ),
    option(
        "bottleneck_dir",
        "Where features are kept.",
        MODULE,
        everyday=True,
        metavar="DIR",
        show_default="the user's cache",
        type=FILE,
    ),
    option(
        "model_dir",
        "Where modules are kept once frozen.",
        MODULE,
        metavar="DIR",
        show_default="the user's cache",
        type=FILE,
    ),
    option("allow_unsafe_module", ALLOW_UNSAFE, MODULE, is_flag=True),
)

CSV_SAFE = "put ' before a name that a spreadsheet would compute: one that begins with = + - or @"

report_options = together(
    option(
        "report_file",
        "The report, a page for the browser.",
        OUTPUTS,
        flag="--report",
        metavar="FILE",
        type=FILE,
        show_default="report.html beside the graph",
    ),
    option("report", "No report.", OUTPUTS, flag="--no-report", is_flag=True, flag_value=False),
)

csv_safe = option(
    "csv_safe",
    f"In CSV files, {CSV_SAFE}.",
    OUTPUTS,
    is_flag=True,
)

gate_options = together(
    option("assert_accuracy", "Least test accuracy.", GATES),
    option(
        "assert_recall",
        "Least recall of a class; may be given several times.",
        GATES,
        metavar="CLASS=X",
        type=Parsed(parse_recall),
        multiple=True,
    ),
)


def output_dir_option(help: str) -> Wrap:
    return click.option(
        "--output_dir",
        cls=GroupedOption,
        group=OUTPUTS,
        everyday=True,
        type=FILE,
        metavar="DIR",
        default=Path("."),
        show_default="here",
        help=help,
    )


def tflite_quantization(*, everyday: bool) -> Wrap:
    return option(
        "tflite_quantization",
        "Numbers in the TFLite file; int8 is a quarter of the size of float32 and the fastest on "
        "phones, dynamic as small without being shown photos.",
        OUTPUTS,
        everyday=everyday,
    )


parity_min_agreement = option(
    "parity_min_agreement",
    "Least share of photos that must get the frozen graph's answer from each exported file; "
    "exit code 4.",
    OUTPUTS,
    show_default="1; 0.99 for float16, 0.97 for dynamic and int8",
)

leak_gate = option("max_leaks", "Most pairs of equal pictures in two sets.", GATES)

talk_options = together(
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
    """Puts the older script's name for the module in the newer one's place."""
    if architecture is None:
        return
    if was_given(ctx, "tfhub_module") and given["tfhub_module"] != architecture:
        raise UsageFault("--architecture and --tfhub_module name two modules: give one")
    given["tfhub_module"] = architecture


def was_given(ctx: click.Context, name: str) -> bool:
    return ctx.get_parameter_source(name) is not click.core.ParameterSource.DEFAULT


def take_config(ctx: click.Context, path: Path | None) -> None:
    """Makes the settings of an earlier run the defaults of this one."""
    if path is not None:
        from retrain.commands.run_record import read_recorded_photos, read_settings

        ctx.default_map = read_settings(path)
        ctx.meta[RECORDED] = read_recorded_photos(path)
