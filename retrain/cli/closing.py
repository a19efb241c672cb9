"""What a training run says at its end."""

from retrain.config import TrainSettings
from retrain.findings import aside_csv
from retrain.progress import Talk
from retrain.training import TrainResult


def close_run(settings: TrainSettings, result: TrainResult, talk: Talk) -> None:
    """The wrong answers if asked for, warnings again, what was written where, what to do next."""
    dataset = result.dataset
    if settings.print_misclassified_test_images:
        talk.result("=== MISCLASSIFIED TEST IMAGES ===")
        for row, predicted in result.evaluation.misclassified():
            path = dataset.index.full_path(dataset.index.photos[row])
            talk.result(f"{path:>70}  {result.labels[predicted]}")
    if talk.warnings:
        warnings = list(talk.warnings)
        talk.info(f"Warnings of this run ({len(warnings)}):")
        for text in warnings:
            talk.info(f"  {text}")
    if dataset.index.aside:
        talk.result(f"Set aside: {aside_csv(settings).absolute()} ({len(dataset.index.aside)})")
    if result.summaries:
        talk.result(f"TensorBoard logs: {result.summaries.absolute()}")
    if settings.saved_model_dir:
        talk.result(f"SavedModel: {settings.saved_model_dir.absolute()}")
    talk.result(f"Labels: {settings.output_labels.absolute()}")
    talk.result(f"Graph: {settings.output_graph.absolute()}")
    talk.info(f"Next: label-image --graph {settings.output_graph} PHOTO")
