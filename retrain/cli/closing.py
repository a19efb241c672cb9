"""What commands say at their end."""

import logging
from collections.abc import Sequence

from retrain.commands.result import TrainResult, files_written
from retrain.config import TrainConfig
from retrain.evaluation.audit.listing import audit_lines
from retrain.evaluation.metrics import Metrics, most_confused, worst_classes
from retrain.utils.logs import print_result

log = logging.getLogger(__name__)

WORST, CONFUSED = 3, 3


def close_run(config: TrainConfig, result: TrainResult, warnings: Sequence[str]) -> None:
    """Print how good the run is, and where its files are.

    That is: metrics, wrong answers if asked for, the audit, warnings again, what was written where,
    what to do next.
    """
    dataset = result.dataset
    say_metrics(result.assessment.metrics)
    if config.report.print_misclassified_test_images:
        print_result("=== MISCLASSIFIED TEST IMAGES ===")
        for row, predicted in result.assessment.evaluation.misclassified():
            path = dataset.index.full_path(dataset.index.photos[row])
            print_result(f"{path:>70}  {result.labels[predicted]}")
    if result.audit is not None:
        for line in audit_lines(result.audit):
            log.info(line)
    if warnings:
        log.info(f"Warnings of this run ({len(warnings)}):")
        for text in warnings:
            log.info(f"  {text}")
    for name, path in files_written(config, result):
        print_result(f"{name}: {path}")
    log.info(f"Next: label-image --graph {config.graph.output_graph} PHOTO")


def say_metrics(metrics: Metrics) -> None:
    """Print accuracy with its interval, the worst classes, the most confused pairs."""
    interval = metrics.accuracy_interval
    if interval is None or metrics.accuracy is None or metrics.top5_error is None:
        return
    right = round(metrics.accuracy * metrics.count)
    print_result(
        f"Accuracy {metrics.accuracy:.1%} ({right} of {metrics.count} right; with 95 % confidence "
        f"{interval.low:.1%} to {interval.high:.1%}), macro F1 {metrics.macro_f1:.3f}, "
        f"log loss {metrics.log_loss:.3f}, calibration error {metrics.calibration_error:.3f}"
    )
    if len(metrics.classes) > 5:
        print_result(f"Top-1 error {metrics.top1_error:.1%}, top-5 error {metrics.top5_error:.1%}")
    for each in worst_classes(metrics, WORST):
        note = "; too few photos to say" if each.too_few else ""
        print_result(
            f"  {each.label}: {each.recall:.1%} of {each.support} found, "
            f"{each.precision:.1%} of answers right{note}"
        )
    for truth, predicted, count in most_confused(metrics, CONFUSED):
        print_result(f"  {truth} taken for {predicted}: {count}")
