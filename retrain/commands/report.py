"""Putting together the report of a run, or of a judged graph."""

import shlex
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import numpy as np

from retrain.commands.graph_evaluation import GraphEvaluation
from retrain.commands.graph_writer import library_versions
from retrain.commands.result import TrainResult, files_written
from retrain.commands.verdict import verdict_of_evaluation, verdict_of_run
from retrain.config import TrainConfig
from retrain.data.class_names import unknown_answer
from retrain.data.read import read_photos_ahead
from retrain.inference.explain.explainer import Explainer, NotExplainable
from retrain.inference.spec.resolve import describe_graph
from retrain.inference.spec.spec import InputSpec
from retrain.reporting.html.facts import ReportInputs, ScoredPhotos
from retrain.reporting.html.galleries import surest_mistakes
from retrain.reporting.html.matrix_picture import write_matrix
from retrain.reporting.html.page import window_title, write_report
from retrain.reporting.records import (
    EVALUATION,
    PREDICTIONS,
    write_evaluation,
    write_prediction_rows,
)


def report_run(config: TrainConfig, result: TrainResult, page: Path) -> None:
    """Write the page of a training run; raise RetrainError."""
    dataset, assessment = result.dataset, result.assessment
    evaluation = assessment.evaluation
    tested = [dataset.index.photos[row] for row in evaluation.rows.tolist()]
    photos = ScoredPhotos(
        [photo.path for photo in tested], evaluation.truth, evaluation.probabilities
    )
    image_dir = str(dataset.index.root)
    graph = config.graph.output_graph
    inputs = ReportInputs(
        title=f"{_name(image_dir)}, {len(result.labels)} classes",
        facts=_facts_of_run(config, result),
        labels=result.labels,
        metrics=assessment.metrics,
        verdict=verdict_of_run(config, result),
        photos=photos,
        image_dir=image_dir,
        maps=_maps_of_mistakes(graph, describe_graph(graph), photos, image_dir=image_dir),
        counts=dataset.split.counts(dataset.photo_labels, len(result.labels)),
        uncalibrated=None if result.calibration.temperature == 1 else assessment.uncalibrated,
        calibration=result.calibration.trial,
        training=result.curve,
        learning_curve=result.folds,
        audit=result.audit,
        unseen=result.unseen,
        outputs=files_written(config, result),
        comparison=result.comparison,
    )
    _write(inputs, page, seed=config.batches.seed)


def write_judged(
    judged: GraphEvaluation, graph: Path, folder: Path, *, page: Path | None, csv_safe: bool = False
) -> None:
    """Write what was found about a graph: `evaluation.json`, `predictions.csv` and the page.

    Args:
        judged: What was found.
        graph: The graph.
        folder: For the two files.
        page: Where the page goes; None: nowhere.
        csv_safe: Spreadsheets compute no cell.

    Raises:
        RetrainError: A file cannot be written.
    """
    write_evaluation(folder / EVALUATION, judged.metrics, judged.labels, more=judged.facts())
    write_prediction_rows(folder / PREDICTIONS, judged.labels, judged.rows(), csv_safe=csv_safe)
    if page is not None:
        report_evaluation(judged, graph, page)


def report_evaluation(judged: GraphEvaluation, graph: Path, page: Path) -> None:
    """Write the page of a graph that was evaluated on an image tree; raise RetrainError."""
    rows = judged.headline
    photos = ScoredPhotos(
        [judged.photos[row].path for row in rows.tolist()],
        judged.truth[rows],
        judged.probabilities[rows],
    )
    inputs = ReportInputs(
        title=f"{graph.name} on {_name(judged.image_dir)}",
        facts=[
            ("Command", _command()),
            ("Graph", str(graph.absolute())),
            ("Photos", f"{len(judged.photos)}{_of_sets(judged)} in {judged.image_dir}"),
            ("Judged", f"{len(rows)} {judged.what}"),
            ("Set aside", str(len(judged.aside))),
            ("Versions", library_versions()),
            ("Made", _now()),
        ],
        labels=judged.labels,
        metrics=judged.metrics,
        verdict=verdict_of_evaluation(judged, graph),
        photos=photos,
        image_dir=judged.image_dir,
        maps=_maps_of_mistakes(graph, judged.spec, photos, image_dir=judged.image_dir),
    )
    _write(inputs, page, seed=0)


def _write(inputs: ReportInputs, page: Path, *, seed: int) -> None:
    """Write the page, and the matrix for slides beside it."""
    write_report(inputs, page, np.random.default_rng(seed))
    if inputs.metrics.count:
        write_matrix(inputs.metrics, window_title(inputs), page)


def _name(image_dir: str) -> str:
    """Return the name of the folder, also of one given as `.`."""
    return Path(image_dir).resolve().name or image_dir


def _of_sets(judged: GraphEvaluation) -> str:
    """Return ` (test)`, where folders say of which sets the photos are."""
    sets = sorted({photo.given_set for photo in judged.photos if photo.given_set is not None})
    return f" ({', '.join(sets)})" if sets else ""


def _maps_of_mistakes(
    graph: Path, spec: InputSpec, photos: ScoredPhotos, *, image_dir: str
) -> dict[str, np.ndarray]:
    """Return, by path, the class-activation maps of the photos with the surest wrong answers.

    Empty for a graph that has no such maps.
    """
    rows = surest_mistakes(photos)
    if not rows:
        return {}
    try:
        explainer = Explainer(graph, spec)
    except NotExplainable:
        return {}
    read = read_photos_ahead([f"{image_dir}/{photos.paths[row]}" for row in rows], spec.recipe)
    decoded = ((rows[n], pixels) for n, pixels in read if isinstance(pixels, np.ndarray))
    answers = photos.probabilities.argmax(axis=1)
    return {photos.paths[row]: maps[answers[row]] for row, _, maps in explainer.explain(decoded)}


def _facts_of_run(config: TrainConfig, result: TrainResult) -> Sequence[tuple[str, str]]:
    info, dataset = result.dataset.backbone.info, result.dataset
    head, batches = config.head, config.batches
    threshold, parity = result.calibration.threshold, result.parity
    unknown = f"{unknown_answer(result.labels).capitalize()} below"
    return [
        ("Command", _command()),
        ("Photos", f"{len(dataset.keys)} in {config.data.image_dir}, "
                   f"data digest {dataset.digest()}"),
        ("Set aside", str(len(dataset.index.aside))),
        ("Module", f"{info.name} ({info.kind}, {info.height}x{info.width}, {info.feature_width} "
                   f"features), fingerprint {info.fingerprint}"),
        ("Training", f"{head.how_many_training_steps} steps of {batches.train_batch_size}, "
                     f"rate {head.rate:g}, {batches.sampling} sampling"),
        ("Seed", str(config.batches.seed)),
        ("Temperature", f"{result.calibration.temperature:.3f}"),
        *([(unknown, f"{threshold:.4f}")] if threshold is not None else []),
        ("Precision", config.extract.precision),
        *([("Fine-tuning", result.tuning.sentence())] if result.tuning else []),
        ("Frozen graph, checked", f"{parity.agree} of {parity.photos} photos get training's answer "
                                  f"(largest difference of a score: {parity.largest_gap:.1e})"),
        *((f"{export.kind}, checked", export.sentence()) for export in result.exports),
        *([("Missed", str(result.fault))] if result.fault is not None else []),
        *([("Earlier graph", result.comparison.sentence())] if result.comparison else []),
        ("Time", ", ".join(f"{what} {seconds:.1f} s" for what, seconds in result.seconds)),
        ("Versions", library_versions()),
        ("Made", _now()),
    ]  # fmt: skip


def _command() -> str:
    return shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])


def _now() -> str:
    return f"{datetime.now():%Y-%m-%d %H:%M}"
