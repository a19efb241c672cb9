"""`retrain`: from folders of photos to a frozen graph."""

from typing import Any

import click
from click.core import ParameterSource

from retrain._version import __version__
from retrain.artifacts.onnx import SUFFIX as ONNX
from retrain.cli.command import FILE, GroupedCommand, GroupedOption, start_console
from retrain.cli.options import (
    DISTORTIONS,
    OUTPUTS,
    PHOTOS,
    RECORDED,
    TRAINING,
    csv_safe,
    gate_options,
    image_dir,
    leak_gate,
    module_options,
    option,
    parity_min_agreement,
    report_options,
    split_options,
    take_architecture,
    take_config,
    talk_options,
    tflite_quantization,
    was_given,
)
from retrain.config import settings_of

SOURCES = {ParameterSource.COMMANDLINE: "command line", ParameterSource.DEFAULT_MAP: "config"}


@click.command(
    cls=GroupedCommand,
    name="retrain",
    interrupted="interrupted; finished features are kept, run the same command to go on",
    epilog="Other commands: retrain audit, evaluate, modules, compare-heads, export, inspect.",
)
@click.option(
    "--config",
    cls=GroupedOption,
    type=FILE,
    metavar="FILE",
    is_eager=True,
    expose_value=False,
    callback=lambda ctx, _, path: take_config(ctx, path),
    help="Settings from the run.json of an earlier run; options given here win.",
)
@image_dir
@split_options
@option(
    "strict", "Stop if a file cannot be used, instead of setting it aside.", PHOTOS, is_flag=True
)
@option(
    "legacy_labels",
    "Labels in the old script's form: lower case, a-z and 0-9 only.",
    PHOTOS,
    is_flag=True,
)
@module_options
@option("how_many_training_steps", "Random batches.", TRAINING, everyday=True)
@option(
    "learning_rate",
    "Size of a step.",
    TRAINING,
    everyday=True,
    show_default="0.01",
)
@option(
    "solver",
    "sgd: the old script's; momentum; adam (wants a rate near 0.001); lbfgs: the optimum of "
    "penalised logistic regression, the same each time.",
    TRAINING,
)
@option(
    "learning_rate_schedule",
    "cosine: the rate falls to 0 along half a wave.",
    TRAINING,
)
@option(
    "early_stopping",
    "End when 20 validations in a row found no smaller loss, and keep the best head.",
    TRAINING,
    is_flag=True,
)
@option(
    "l2",
    "Penalty on the weights: half of this times the sum of their squares; auto: chosen by "
    "validation photos.",
    TRAINING,
    metavar="X|auto",
    show_default="0; auto for lbfgs",
)
@option("label_smoothing", "Share of each label given to all classes.", TRAINING)
@option(
    "class_weight",
    "balanced: photos of small classes count more.",
    TRAINING,
)
@option(
    "hidden_units",
    "Width of a ReLU layer before the softmax, trained with Adam; 0: none.",
    TRAINING,
)
@option("dropout", "Share of the hidden layer that a step leaves out.", TRAINING)
@option(
    "fine_tune",
    "After the head, train the module itself: all of it, or its last N layers.",
    TRAINING,
    metavar="all|LAST_N",
)
@option(
    "fine_tune_learning_rate",
    "Its largest step; it rises in a tenth of the time and falls along half a cosine.",
    TRAINING,
    show_default="0.001, less for larger modules",
)
@option(
    "epochs",
    "Passes over the photos, of --fine_tune or simple_cnn.",
    TRAINING,
    show_default="20; simple_cnn: 200",
)
@option("resume", "Go on with a --fine_tune or simple_cnn that was killed.", TRAINING, is_flag=True)
@option("grayscale", "simple_cnn sees brightness only.", TRAINING, is_flag=True)
@option("train_batch_size", "Photos in a batch; -1: all.", TRAINING)
@option("validation_batch_size", "Photos in a validation; -1: all.", TRAINING)
@option("test_batch_size", "Photos in the final test; -1: all.", TRAINING)
@option("eval_step_interval", "Validate every N steps.", TRAINING)
@option(
    "sampling",
    "balanced: classes are drawn equally often; uniform: photos are.",
    TRAINING,
)
@option("seed", "Same seed, same head.", TRAINING, everyday=True)
@option(
    "calibration",
    "Export scores as trained, not divided by the temperature fitted on validation photos.",
    TRAINING,
    flag="--no-calibration",
    is_flag=True,
    flag_value=False,
)
@option(
    "reject_precision",
    "label-image shall say `unknown` below the score above which this share of the validation "
    "photos is right.",
    TRAINING,
)
@option("flip_left_right", "Mirror copies with probability one half.", DISTORTIONS, is_flag=True)
@option("random_crop", "Cut copies out of a frame N % larger.", DISTORTIONS)
@option("random_scale", "Enlarge copies by up to N %.", DISTORTIONS)
@option("random_brightness", "Brighten or darken copies by up to N %.", DISTORTIONS)
@option("random_rotation", "Turn copies by up to N degrees.", DISTORTIONS)
@option("random_erase", "Paint over up to N % of every other copy.", DISTORTIONS)
@option("color_jitter", "Change contrast and saturation of copies by up to N %.", DISTORTIONS)
@option(
    "distortion_copies",
    "Distorted copies of each training photo, made once, kept, and mixed with the originals.",
    DISTORTIONS,
)
@option("output_graph", "The classifier.", OUTPUTS, everyday=True, metavar="FILE")
@option("output_labels", "Its labels.", OUTPUTS, everyday=True, metavar="FILE")
@option("final_tensor_name", "Name of the graph's output.", OUTPUTS, metavar="NAME")
@option(
    "saved_model_dir",
    "Also write a SavedModel, as a new version in this folder (DIR/1, DIR/2, ...).",
    OUTPUTS,
    metavar="DIR",
    type=FILE,
)
@option("tflite_output_file", "Also write a TFLite file.", OUTPUTS, metavar="FILE", type=FILE)
@tflite_quantization(everyday=False)
@option("onnx_output_file", "Also write an ONNX file.", OUTPUTS, metavar="FILE", type=FILE)
@parity_min_agreement
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
    everyday=True,
    metavar="DIR",
)
@option("tensorboard_projector", "Also show the features there.", OUTPUTS, is_flag=True)
@option(
    "compare_with",
    "An earlier graph, to be asked about the same test photos.",
    OUTPUTS,
    metavar="FILE",
    type=FILE,
)
@report_options
@csv_safe
@option(
    "print_misclassified_test_images",
    "List the test photos that it gets wrong.",
    OUTPUTS,
    everyday=True,
    is_flag=True,
)
@leak_gate
@gate_options
@talk_options
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
    take_architecture(ctx, architecture, given)
    if str(given["summaries_dir"]) in ("", "."):
        given["summaries_dir"] = None
    if given["tfhub_module"].lower().endswith(ONNX) and not was_given(ctx, "output_graph"):
        given["output_graph"] = given["output_graph"].with_suffix(ONNX)
    settings = settings_of(given.pop("image_dir"), given)
    talk = start_console(logging_verbosity)

    from retrain.commands.train import train  # after the command line is known to be right

    sources = {
        name: SOURCES.get(ctx.get_parameter_source(name) or ParameterSource.DEFAULT, "default")
        for name in ("image_dir", *given)
    }
    result = train(settings, sources, ctx.meta.get(RECORDED))
    from retrain.cli.closing import close_run
    from retrain.evaluation.audit.audit import leaks
    from retrain.evaluation.gates import check_gates
    from retrain.export.export import check_agreement

    close_run(settings, result, talk.warnings)
    check_agreement(result.exports)
    leaking = len(leaks(result.audit)) if result.audit is not None else 0
    check_gates(
        result.assessment.metrics,
        settings.assert_accuracy,
        settings.assert_recall,
        leaks=leaking,
        max_leaks=settings.max_leaks,
    )
