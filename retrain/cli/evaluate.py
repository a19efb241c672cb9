"""`retrain evaluate`: how good any graph is on any labelled photos."""

from pathlib import Path
from typing import Any

import click

from retrain.cli.command import FILE, GroupedCommand, GroupedOption, start_console
from retrain.cli.graph_options import GRAPH, graph_options, overrides_of
from retrain.cli.options import (
    gate_options,
    logging_options,
    option,
    photos_folder,
    report_options,
)
from retrain.evaluation.config import GateConfig
from retrain.utils.logs import print_result
from retrain.utils.settings import PHOTOS
from retrain.utils.text import percent


@click.command(cls=GroupedCommand, name="retrain evaluate")
@click.option(
    "--graph",
    cls=GroupedOption,
    group=GRAPH,
    everyday=True,
    type=FILE,
    required=True,
    metavar="FILE",
    help="A frozen graph (.pb), SavedModel folder, .tflite or .onnx file.",
)
@photos_folder()
@click.option(
    "--set",
    "which",
    cls=GroupedOption,
    group=PHOTOS,
    everyday=True,
    type=click.Choice(("test", "validation", "train", "all")),
    metavar="test|validation|train|all",
    help="Photos to judge, of a tree with folders of sets; without it the test photos.",
)
@graph_options
@option(
    "output_dir",
    help="Where evaluation.json, predictions.csv and the report go.",
    show_default="GRAPH_on_PHOTOS, here",
)
@report_options
@option("csv_safe")
@gate_options
@logging_options
def command(
    *,
    graph: Path,
    image_dir: str,
    which: str | None,
    labels: Path | None,
    output_dir: Path | None,
    report_file: Path | None,
    report: bool,
    csv_safe: bool,
    assert_accuracy: float | None,
    assert_recall: tuple[tuple[str, float], ...],
    logging_verbosity: str,
    **given: Any,
) -> None:
    """Label photos that lie in folders named after their classes, and count the mistakes.

    \b
    retrain evaluate --graph output_graph.pb --image_dir more_flowers/

    Classes are matched by name. Photos that the graph was made of are known by their bytes and
    left out of the figures; of a tree with train/ and test/ those in test/ are taken.
    """
    from retrain.cli.closing import say_verdict
    from retrain.commands.evaluate import (
        check_output_folder,
        default_folder,
        evaluate_graph,
    )
    from retrain.commands.report import write_judged
    from retrain.commands.verdict import verdict_of_evaluation
    from retrain.evaluation.gates import check_gates, check_recall_labels
    from retrain.export.config import in_folder
    from retrain.reporting.records import EVALUATION, PREDICTIONS
    from retrain.utils.files import check_file_can_be_written, check_folder_can_be_written

    start_console(logging_verbosity)
    gates = GateConfig(assert_accuracy=assert_accuracy, assert_recall=assert_recall)
    folder = output_dir or default_folder(graph, image_dir)
    page = None
    if report:
        page = in_folder(report_file, output_dir) if report_file else folder / "report.html"
    check_output_folder(folder, image_dir)
    check_folder_can_be_written(folder, "--output_dir")
    if page is not None:
        check_file_can_be_written(page, "--report")
    judged = evaluate_graph(graph, image_dir, overrides_of(given), labels_file=labels, which=which)
    check_recall_labels(gates.assert_recall, judged.labels)
    write_judged(judged, graph, folder, page=page, csv_safe=csv_safe)
    print_result(f"Evaluation: {(folder / EVALUATION).absolute()}")
    print_result(f"Predictions: {(folder / PREDICTIONS).absolute()}")
    if judged.seen is not None and not judged.all_seen:
        print_result(
            f"Left out: {judged.seen.count} photos that the graph was made of, of which it "
            f"recognises {percent(judged.seen.accuracy)}"
        )
    say_verdict(verdict_of_evaluation(judged, graph), judged.metrics, page=page)
    check_gates(gates, judged.for_gates)
