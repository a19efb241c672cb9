"""What commands say at their end."""

from retrain.commands.result import TrainResult, files_written
from retrain.config import TrainSettings
from retrain.evaluation.audit.listing import audit_lines
from retrain.evaluation.metrics import Metrics, most_confused, worst_classes
from retrain.utils.progress import Talk

WORST, CONFUSED = 3, 3


def close_run(settings: TrainSettings, result: TrainResult, talk: Talk) -> None:
    """How good it is, the wrong answers if asked for, the audit, warnings again, what was written
    where, what to do next."""
    dataset = result.dataset
    say_metrics(result.assessment.metrics, talk)
    if settings.print_misclassified_test_images:
        talk.result("=== MISCLASSIFIED TEST IMAGES ===")
        for row, predicted in result.assessment.evaluation.misclassified():
            path = dataset.index.full_path(dataset.index.photos[row])
            talk.result(f"{path:>70}  {result.labels[predicted]}")
    if result.audit is not None:
        for line in audit_lines(result.audit):
            talk.info(line)
    if talk.warnings:
        warnings = list(talk.warnings)
        talk.info(f"Warnings of this run ({len(warnings)}):")
        for text in warnings:
            talk.info(f"  {text}")
    for name, path in files_written(settings, result):
        talk.result(f"{name}: {path}")
    talk.info(f"Next: label-image --graph {settings.output_graph} PHOTO")


def say_metrics(metrics: Metrics, talk: Talk) -> None:
    """Accuracy with its interval, the worst classes, the most confused pairs."""
    interval = metrics.accuracy_interval
    if interval is None or metrics.accuracy is None or metrics.top5_error is None:
        return
    right = round(metrics.accuracy * metrics.count)
    talk.result(
        f"Accuracy {metrics.accuracy:.1%} ({right} of {metrics.count} right; with 95 % confidence "
        f"{interval.low:.1%} to {interval.high:.1%}), macro F1 {metrics.macro_f1:.3f}, "
        f"log loss {metrics.log_loss:.3f}, calibration error {metrics.calibration_error:.3f}"
    )
    if len(metrics.classes) > 5:
        talk.result(f"Top-1 error {metrics.top1_error:.1%}, top-5 error {metrics.top5_error:.1%}")
    for each in worst_classes(metrics, WORST):
        note = "; too few photos to say" if each.too_few else ""
        talk.result(
            f"  {each.label}: {each.recall:.1%} of {each.support} found, "
            f"{each.precision:.1%} of answers right{note}"
        )
    for truth, predicted, count in most_confused(metrics, CONFUSED):
        talk.result(f"  {truth} taken for {predicted}: {count}")
