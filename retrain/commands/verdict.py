"""The verdict on a run, or on a graph that was evaluated, from what it left."""

from dataclasses import replace
from pathlib import Path

from retrain.backbones.sources.catalogue import find
from retrain.commands.graph_evaluation import GraphEvaluation
from retrain.commands.result import TrainResult
from retrain.commands.run_record import NAME
from retrain.config import TrainConfig
from retrain.evaluation.learning_curve import growing_classes
from retrain.evaluation.next_steps import Places, next_steps
from retrain.evaluation.verdict import Verdict, is_vague, judge
from retrain.reporting.records import AUDIT_CSV

NOTHING_NEW = "These photos cannot tell whether it can be used: the graph was made of all of them."
RIVAL = "efficientnet_lite0"  # the best that works offline, see the README


def verdict_of_run(config: TrainConfig, result: TrainResult) -> Verdict:
    """Judge what a run made, and say what to do next."""
    metrics = result.assessment.metrics
    module = result.dataset.backbone.info.name
    places = Places(
        config.data.image_dir,
        config.graph.output_graph,
        record=config.graph.beside(NAME),
        findings=config.graph.beside(AUDIT_CSV),
        module=module,
        rival=RIVAL if _could_be_better(RIVAL, module) else "",
        regroups=_regroups(config, result),
    )
    use = None if config.graph.is_rejected else places.use
    curve = result.folds
    growing = [] if curve is None else growing_classes(curve, result.labels)
    steps = next_steps(metrics, places, audit=result.audit, growing=growing)
    folds = curve.confusion if curve is not None and is_vague(metrics) else None
    return judge(metrics, steps, use, folds=folds)


def verdict_of_evaluation(judged: GraphEvaluation, graph: Path) -> Verdict:
    """Judge a graph by labelled photos, and say what to do next."""
    places = Places(judged.image_dir, graph)
    steps = next_steps(judged.metrics, places)
    verdict = judge(judged.metrics, steps, places.use, what=judged.what)
    return replace(verdict, usable=NOTHING_NEW, sure="") if judged.all_seen else verdict


def _regroups(config: TrainConfig, result: TrainResult) -> bool:
    """Tell whether --keep_together duplicates would divide the photos otherwise."""
    given = any(photo.given_set is not None for photo in result.dataset.index.photos)
    return config.data.split != "legacy" and not config.data.keeps_duplicates and not given


def _could_be_better(rival: str, module: str) -> bool:
    """Tell whether a network can be had here and does better on ImageNet than a run's."""
    ours, theirs = find(module), find(rival)
    if ours is None or theirs is None or ours.top1 is None or theirs.top1 is None:
        return False
    return theirs.top1 > ours.top1 and any(source.offline for source in theirs.sources)
