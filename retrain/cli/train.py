"""`retrain`: from folders of photos to a frozen graph."""

from collections.abc import Callable
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, TypeVar

import click

from retrain import __version__
from retrain.cli.command import FILE, GroupedCommand, GroupedOption, Parsed
from retrain.config import TrainSettings
from retrain.errors import UsageFault
from retrain.freezing.wanted import parse_range, parse_size
from retrain.onnx_graphs import SUFFIX as ONNX
from retrain.progress import LEVELS, Talk

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

DEFAULTS = {f.name: f.default for f in fields(TrainSettings) if f.default is not MISSING}


def option(
    name: str, help: str, group: str, everyday: bool = False, **more: Any
) -> Callable[[Decorated], Decorated]:
    """An option of TrainSettings: default and value shown as there."""
    default = DEFAULTS.get(name)
    if name in DEFAULTS:
        more["default"] = default
    if not more.get("is_flag"):
        more.setdefault("metavar", {int: "N", float: "X"}.get(type(default)))
        more.setdefault("type", FILE if isinstance(default, Path) else None)
        more.setdefault("show_default", default is not None)
    return click.option(
        f"--{name}", name, cls=GroupedOption, help=help, group=group, everyday=everyday, **more
    )


def choice(*values: str) -> dict[str, Any]:
    return {"type": click.Choice(values), "metavar": "|".join(values)}


PHOTOS, MODULE, TRAINING = "Photos", "Module and features", "Training"
DISTORTIONS, OUTPUTS = "Distortions of training photos", "Outputs"


@click.command(
    cls=GroupedCommand,
    name="retrain",
    interrupted="interrupted; finished features are kept, run the same command to go on",
    epilog="Networks: retrain modules --help.",
)
@option(
    "image_dir",
    "Holds one folder of photos per class.",
    PHOTOS,
    True,
    metavar="DIR",
    required=True,
)
@option("testing_percentage", "Photos kept for the final test.", PHOTOS, True)
@option("validation_percentage", "Photos to watch training with.", PHOTOS, True)
@option(
    "split",
    "Rule that divides the photos: a hash of their content, or the old "
    "script's hash of their path.",
    PHOTOS,
    **choice("content", "legacy"),
)
@option(
    "strict", "Stop if a file cannot be used, instead of setting it aside.", PHOTOS, is_flag=True
)
@option(
    "legacy_labels",
    "Labels in the old script's form: lower case, a-z and 0-9 only.",
    PHOTOS,
    is_flag=True,
)
@option(
    "tfhub_module",
    "Module: a name (see: retrain modules list), folder, .tar.gz, .keras, .h5, .onnx, hub URL or "
    "Kaggle handle.",
    MODULE,
    True,
    metavar="MODULE",
)
@click.option(
    "--architecture",
    cls=GroupedOption,
    group=MODULE,
    metavar="NAME",
    help="The older script's name for --tfhub_module.",
)
@option(
    "input_size",
    "Size of the module's pictures; needed where it takes any.",
    MODULE,
    metavar="N|HxW",
    type=Parsed(parse_size),
)
@option(
    "input_range",
    "Values that the module's pixels have, if it is not 0 to 1.",
    MODULE,
    metavar="LOW,HIGH",
    type=Parsed(parse_range),
)
@option(
    "engine",
    "What runs the module; auto: TensorFlow on a GPU, else OpenVINO.",
    MODULE,
    **choice("auto", "openvino", "tensorflow"),
)
@option(
    "precision",
    "bf16 is about twice as fast where the processor has it, but the exported "
    "graph, which computes in f32, may then score up to 0.2 apart from training.",
    MODULE,
    **choice("f32", "bf16"),
)
@option(
    "bottleneck_dir",
    "Where features are kept.",
    MODULE,
    True,
    metavar="DIR",
    show_default="the user's cache",
    type=FILE,
)
@option(
    "model_dir",
    "Where modules are kept once frozen.",
    MODULE,
    metavar="DIR",
    show_default="the user's cache",
    type=FILE,
)
@option("how_many_training_steps", "Random batches.", TRAINING, True)
@option("learning_rate", "Size of a step.", TRAINING, True)
@option("train_batch_size", "Photos in a batch; -1: all.", TRAINING)
@option("validation_batch_size", "Photos in a validation; -1: all.", TRAINING)
@option("test_batch_size", "Photos in the final test; -1: all.", TRAINING)
@option("eval_step_interval", "Validate every N steps.", TRAINING)
@option(
    "sampling",
    "balanced: classes are drawn equally often; uniform: photos are.",
    TRAINING,
    **choice("balanced", "uniform"),
)
@option("seed", "Same seed, same head.", TRAINING, True)
@option("flip_left_right", "Mirror copies with probability one half.", DISTORTIONS, is_flag=True)
@option("random_crop", "Cut copies out of a frame N % larger.", DISTORTIONS)
@option("random_scale", "Enlarge copies by up to N %.", DISTORTIONS)
@option("random_brightness", "Brighten or darken copies by up to N %.", DISTORTIONS)
@option(
    "distortion_copies",
    "Distorted copies of each training photo, made once, kept, and mixed with the originals.",
    DISTORTIONS,
)
@option("output_graph", "The classifier.", OUTPUTS, True, metavar="FILE")
@option("output_labels", "Its labels.", OUTPUTS, True, metavar="FILE")
@option("final_tensor_name", "Name of the graph's output.", OUTPUTS, metavar="NAME")
@option(
    "saved_model_dir",
    "Also write a SavedModel into this new folder.",
    OUTPUTS,
    metavar="DIR",
    type=FILE,
)
@option(
    "intermediate_output_graphs_dir",
    "Folder for graphs saved while training.",
    OUTPUTS,
    metavar="DIR",
)
@option("intermediate_store_frequency", "Save such a graph every N steps; 0: never.", OUTPUTS)
@option(
    "checkpoint_path",
    "Also write the head's weights to PREFIX.npz.",
    OUTPUTS,
    metavar="PREFIX",
    type=FILE,
)
@option(
    "summaries_dir",
    "For TensorBoard; '': none.",
    OUTPUTS,
    True,
    metavar="DIR",
)
@option(
    "print_misclassified_test_images",
    "List the test photos that it gets wrong.",
    OUTPUTS,
    True,
    is_flag=True,
)
@click.option(
    "--logging_verbosity",
    cls=GroupedOption,
    type=click.Choice(LEVELS),
    metavar="|".join(LEVELS),
    default="INFO",
    show_default=True,
    help="How much to say while working.",
)
@click.option(
    "--debug",
    cls=GroupedOption,
    is_flag=True,
    expose_value=False,
    help="Show where in the code an error arose.",
)
@click.version_option(__version__, prog_name="retrain")
@click.pass_context
def retrain(
    ctx: click.Context, /, architecture: str | None, logging_verbosity: str, **given: Any
) -> None:
    """Teach an image classifier your own classes, from folders of photos.

    \b
    retrain --image_dir flowers/
    label-image --graph output_graph.pb photo.jpg
    """
    if architecture is not None:
        if _was_given(ctx, "tfhub_module") and given["tfhub_module"] != architecture:
            raise UsageFault("--architecture and --tfhub_module name two modules: give one")
        given["tfhub_module"] = architecture
    if str(given["summaries_dir"]) in ("", "."):
        given["summaries_dir"] = None
    if given["tfhub_module"].lower().endswith(ONNX) and not _was_given(ctx, "output_graph"):
        given["output_graph"] = given["output_graph"].with_suffix(ONNX)
    settings = TrainSettings(**given)
    talk = Talk(logging_verbosity)

    from retrain.training import train  # after the command line is known to be right

    result = train(settings, talk)
    from retrain.cli.closing import close_run

    close_run(settings, result, talk)


def _was_given(ctx: click.Context, name: str) -> bool:
    return ctx.get_parameter_source(name) is not click.core.ParameterSource.DEFAULT
