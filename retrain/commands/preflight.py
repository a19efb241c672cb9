"""Everything about a run that can be known before the work starts."""

from retrain.artifacts.onnx import SUFFIX as ONNX
from retrain.commands.run_record import NAME as RUN_RECORD
from retrain.config import TrainSettings
from retrain.data.split import check_percentages
from retrain.data.summary import aside_csv
from retrain.errors import UsageFault
from retrain.export.export import check_exports
from retrain.export.frozen_graph import check_final_tensor_name
from retrain.export.onnx_classifier import check_onnx_outputs
from retrain.inference.spec.resolve import describe_graph
from retrain.reporting.records import EVALUATION, PREDICTIONS
from retrain.utils.files import check_file_can_be_written, check_folder_can_be_written


def check_before(settings: TrainSettings) -> None:
    """Raises RetrainError for a run that could not end well, before it has cost any work."""
    settings.check_numbers()
    check_percentages(settings.testing_percentage, settings.validation_percentage)
    check_final_tensor_name(settings.final_tensor_name)
    if settings.tfhub_module.lower().endswith(ONNX):
        check_onnx_outputs(settings.tfhub_module, settings.output_graph, settings.exports)
    check_file_can_be_written(settings.output_graph, "--output_graph")
    check_file_can_be_written(settings.output_labels, "--output_labels")
    beside = [settings.beside(name) for name in (EVALUATION, PREDICTIONS, RUN_RECORD)]
    for path in (aside_csv(settings), *beside):
        check_file_can_be_written(path, "--output_graph")
    if settings.page is not None:
        check_file_can_be_written(settings.page, "--report")
    if not settings.features_folder.is_dir():  # one that is there may hold all that is needed
        check_folder_can_be_written(settings.features_folder, "--bottleneck_dir")
    if settings.compare_with is not None:
        describe_graph(settings.compare_with)
    check_exports(settings.exports)
    if settings.intermediate_store_frequency:
        check_folder_can_be_written(
            settings.intermediate_output_graphs_dir, "--intermediate_output_graphs_dir"
        )
    if settings.checkpoint_path:
        check_file_can_be_written(settings.checkpoint_path, "--checkpoint_path")
    if settings.summaries_dir:
        check_folder_can_be_written(settings.summaries_dir, "--summaries_dir")
    elif settings.tensorboard_projector:
        raise UsageFault("--tensorboard_projector needs a --summaries_dir to write into")
