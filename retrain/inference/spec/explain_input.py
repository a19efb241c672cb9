"""`label-image --explain_input`: show the input spec, and where each fact comes from."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from retrain.artifacts.detect import find_artefact
from retrain.data.class_names import unknown_answer
from retrain.errors import RetrainError
from retrain.inference.classifier import labels_of_graph, open_engine
from retrain.inference.config import Overrides
from retrain.inference.imagenet import imagenet_graph
from retrain.inference.spec.facts import PROBABILITIES, SOFTMAX, Fact, GraphFacts, with_overrides
from retrain.inference.spec.resolve import find_facts
from retrain.inference.spec.spec import NHWC, InputSpec


def explain_input(
    graph: Path | None, overrides: Overrides, labels_file: Path | None
) -> list[tuple[str, str, str]]:
    """List the input spec's facts as rows (what, value, source).

    None is the bundled module with ImageNet's classes. The graph is made ready to run, so the rows
    say what labelling will do. Raises RetrainError if it cannot be used.
    """
    path, facts = _facts(graph, overrides)
    spec = facts.spec
    height, width = facts.size.value
    outputs = open_engine(path, spec, 1).outputs
    classes = 2 if outputs == 1 else outputs
    rows = [
        ("format", facts.format, str(path)),
        ("input", facts.input.value, _source(facts.input)),
        ("size", f"{height} x {width}", _source(facts.size)),
        *_axes(facts),
        *(("fed", f"{each.value:g} to {each.name}", each.source) for each in facts.others),
        ("scaling", _formula(*facts.scaling.value), _source(facts.scaling)),
        ("recipe", spec.recipe.text, "retrain, for every graph"),
        ("output", facts.output.value, _source(facts.output)),
        ("scores", _scores(spec, outputs), _source(facts.logits)),
        ("classes", str(classes), "the size of the output"),
        ("labels", *_labels(path, facts, outputs, labels_file=labels_file)),
    ]
    if spec.unknown_below is not None:
        word = unknown_answer(spec.labels or ())
        rows.append((word, f"a best score below {spec.unknown_below:.4g}", "the manifest"))
    return rows


def _axes(facts: GraphFacts) -> Iterator[tuple[str, str, str]]:
    """Yield rows for what is unusual in the order of axes, the colours and the batch."""
    source = "the shape of the input"
    if facts.layout != NHWC:
        yield "axes", "channels first", source
    if facts.channels == 1:
        yield "colours", "grey", source
    if facts.batch > 1:
        yield "batch", f"{facts.batch}, each the same photo", source


def _scores(spec: InputSpec, outputs: int) -> str:
    if outputs == 1:
        return f"{'a sigmoid of ' if spec.logits else ''}the one output; the rest is the first's"
    return SOFTMAX if spec.logits else PROBABILITIES


def _formula(mean: float, std: float) -> str:
    moved = f"(pixel - {mean:g})" if mean else "pixel"
    return f"{moved} / {std:g}, pixels from 0 to 255" if std != 1 else f"{moved}, from 0 to 255"


def _labels(
    path: Path, facts: GraphFacts, outputs: int, *, labels_file: Path | None
) -> tuple[str, str]:
    """Return the first labels and their source; a graph without labels still has an input."""
    try:
        labels = labels_of_graph(path, facts.spec, outputs, labels_file=labels_file)
    except RetrainError as error:
        if labels_file is not None or facts.labels is not None:
            raise
        return "none", str(error)
    first = ", ".join(labels.names[:3]) + (", ..." if outputs > 3 else "")
    if labels.beside is not None:
        return first, f"{labels.source}, {labels.beside}"
    return first, facts.labels.source if facts.labels and not labels_file else labels.source


def _facts(graph: Path | None, overrides: Overrides) -> tuple[Path, GraphFacts]:
    if graph is not None:
        return find_artefact(graph).path, find_facts(graph, overrides)
    path, spec = imagenet_graph()
    source = "the bundled module"
    return path, with_overrides(_all_from(source, spec), overrides)


def _all_from(source: str, spec: InputSpec) -> GraphFacts:
    return GraphFacts(
        format=source,
        input=Fact(spec.input_layer, source),
        size=Fact((spec.recipe.height, spec.recipe.width), source),
        scaling=Fact((spec.mean, spec.std), source),
        output=Fact(spec.output_layer, source),
        logits=Fact(spec.logits, source),
        labels=None if spec.labels is None else Fact(spec.labels, source),
    )


def _source(fact: Fact[Any]) -> str:
    return f"a guess: {fact.source}" if fact.guessed else fact.source
