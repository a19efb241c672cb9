"""What commands say at their end: the last screen, ten lines at 80 columns."""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

from retrain.commands.result import TrainResult, files_written
from retrain.commands.verdict import verdict_of_run
from retrain.config import TrainConfig
from retrain.evaluation.audit.listing import audit_lines
from retrain.evaluation.headline import headline
from retrain.evaluation.metrics import Metrics
from retrain.evaluation.next_steps import Step
from retrain.evaluation.verdict import Verdict
from retrain.reporting.records import AUDIT_CSV
from retrain.utils.logs import log_lines, print_result

log = logging.getLogger(__name__)

COLUMNS = 80
NAMES = (60, 40, 30, 20, 15, 10)  # characters of a class name, as many as there is room for


def close_run(config: TrainConfig, result: TrainResult, warnings: Sequence[str]) -> None:
    """Print what the run found and wrote, and last how good it is and what to do next.

    That is: wrong answers if asked for, the audit, warnings again, what was written where, and the
    last screen.
    """
    dataset = result.dataset
    if config.report.print_misclassified_test_images:
        print_result("=== MISCLASSIFIED TEST IMAGES ===")
        for row, predicted in result.assessment.evaluation.misclassified():
            path = dataset.index.full_path(dataset.index.photos[row])
            print_result(f"{path:>70}  {result.labels[predicted]}")
    if result.audit is not None:
        log_lines(log, audit_lines(result.audit, config.graph.beside(AUDIT_CSV), result.unseen))
    if warnings:
        log.info(f"Warnings of this run ({len(warnings)}):")
        for text in warnings:
            log.info(f"  {text}")
    for name, path in files_written(config, result):
        if path != str(config.page and config.page.absolute()):
            print_result(f"{name}: {path}")
    say_verdict(verdict_of_run(config, result), result.assessment.metrics, page=config.page)


def say_verdict(verdict: Verdict, metrics: Metrics, *, page: Path | None) -> None:
    """Print the last screen: figures and the report's place to stdout, next steps to stderr."""
    for line in figure_lines(verdict, metrics):
        print_result(line)
    for line in step_lines(verdict.steps, has_page=page is not None):
        log.info(line)
    if page is not None:
        print_result(f"Report: {page.absolute()}")


def figure_lines(verdict: Verdict, metrics: Metrics) -> Iterator[str]:
    """Yield up to four lines: accuracy, other figures, the folds, the weakest class and why."""
    if not metrics.count:
        return
    yield _plain(verdict.tested.sentence())
    terse = [f"{figure.name} {figure.text}" for figure in headline(metrics) if figure.terse]
    rest = (text[0].lower() + text[1:] for text in terse[1:])  # one sentence
    yield _plain(", ".join([*terse[:1], *rest]))
    if verdict.folds is not None:
        yield _plain(f"By folds {verdict.folds.sentence()}")
    if verdict.weakest is not None:
        which = "Weakest by folds" if verdict.folds else "Weakest"
        lines = [f"{which}: {verdict.weakest.sentence(length)}" for length in NAMES]
        yield next((line for line in lines if len(line) <= COLUMNS), lines[-1])


def step_lines(steps: Sequence[Step], *, has_page: bool) -> Iterator[str]:
    """Yield each step with its command: on one line where that fits, else on two."""
    for step in steps:
        if step.command:
            line = f"{step.what}: {step.command}"
            yield from [line] if len(line) <= COLUMNS else [f"{step.what}:", f"  {step.command}"]
        elif has_page and step.section:
            yield f"{step.what}: see {step.section} in the report"


def _plain(line: str) -> str:
    return line.replace("\N{NO-BREAK SPACE}", " ")
