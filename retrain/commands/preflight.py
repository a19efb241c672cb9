"""Preflight: all that can be checked about a run before the work starts."""

from pathlib import Path

from retrain.artifacts.onnx import SUFFIX as ONNX
from retrain.artifacts.photo_record import NAME as DIGESTS
from retrain.backbones.sources.resolve import check_handles
from retrain.commands.run_record import NAME as RUN_RECORD
from retrain.commands.strategies import CNN_FOLDER, TUNING_FOLDER
from retrain.config import TrainConfig
from retrain.data.summary import ASIDE_CSV
from retrain.errors import UsageFault
from retrain.export.export import check_exports
from retrain.export.frozen_graph import check_final_tensor_name
from retrain.export.onnx_classifier import check_onnx_outputs
from retrain.inference.spec.resolve import describe_graph
from retrain.reporting.html.matrix_picture import matrix_places
from retrain.reporting.records import AUDIT_CSV, EVALUATION, PREDICTIONS
from retrain.utils.files import check_file_can_be_written, check_folder_can_be_written
from retrain.utils.tensorflow import require_tensorflow


def own_folders(config: TrainConfig) -> list[Path]:
    """List the folders that a run writes into: no classes, should they lie in the tree."""
    extract, graph, logs = config.extract, config.graph, config.report.summaries_dir
    folders = [config.snapshots.intermediate_output_graphs_dir, extract.features_folder,
               extract.modules_folder, graph.beside(TUNING_FOLDER),
               graph.beside(CNN_FOLDER)]  # fmt: skip
    folders += [one for one in (logs, graph.output_dir) if one is not None]
    return folders + [one.path for one in config.exports.targets() if one.format.suffix is None]


def check_before(config: TrainConfig) -> None:
    """Raise RetrainError for a run that could not end well, before it has cost any work."""
    for what, asked in (
        ("--architecture simple_cnn", config.extract.from_scratch),
        ("--engine tensorflow", config.extract.engine == "tensorflow"),
        ("--fine_tune", config.network.fine_tune is not None),
        ("--hidden_units", config.head.hidden_units > 0),
    ):
        if asked:
            require_tensorflow(what)
    graph, module, report, snapshots = (
        config.graph, config.extract.tfhub_module, config.report, config.snapshots
    )  # fmt: skip
    if not config.extract.from_scratch:
        check_handles([module])
    check_final_tensor_name(graph.final_tensor_name)
    if module.lower().endswith(ONNX):
        check_onnx_outputs(module, graph.output_graph, config.exports)
    elif graph.output_graph.suffix.lower() == ONNX:
        raise UsageFault(
            f"--output_graph {graph.output_graph}: this module makes a frozen graph, so give a "
            f"name that ends in .pb; --onnx_output_file {graph.output_graph} writes ONNX"
        )
    check_file_can_be_written(graph.output_graph, "--output_graph")
    check_file_can_be_written(graph.output_labels, "--output_labels")
    flag = "--output_graph" if graph.output_dir is None else "--output_dir"
    for name in (ASIDE_CSV, AUDIT_CSV, DIGESTS, EVALUATION, PREDICTIONS, RUN_RECORD):
        check_file_can_be_written(graph.beside(name), flag)
    if config.page is not None:
        for place in (config.page, *matrix_places(config.page)):
            check_file_can_be_written(place, "--report")
    features = config.extract.features_folder
    if not features.is_dir():  # an existing one may hold all features already
        check_folder_can_be_written(features, "--bottleneck_dir")
    if report.compare_with is not None:
        describe_graph(report.compare_with)
    check_exports(config.exports)
    if snapshots.intermediate_store_frequency:
        check_folder_can_be_written(
            snapshots.intermediate_output_graphs_dir, "--intermediate_output_graphs_dir"
        )
    if snapshots.checkpoint_path:
        check_file_can_be_written(snapshots.checkpoint_path, "--checkpoint_path")
    if report.summaries_dir:
        check_folder_can_be_written(report.summaries_dir, "--summaries_dir")
    elif report.tensorboard_projector:
        raise UsageFault("--tensorboard_projector needs a --summaries_dir to write into")
