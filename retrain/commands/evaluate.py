"""`retrain evaluate`: any exported or old graph on any labelled image tree."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

from retrain.commands.graph_evaluation import SEED, GraphEvaluation, say_seen
from retrain.commands.run_record import NAME as RUN_RECORD
from retrain.data.decoding.faults import reason_of
from retrain.data.folder import Index, Photo, read_tree, with_photos, without_unusable
from retrain.data.name_matching import composed, match_names
from retrain.data.packed import SUFFIXES
from retrain.data.read import read_photos_once
from retrain.data.summary import say_aside, say_found, say_left_out
from retrain.errors import RetrainError, UsageFault, counted, few
from retrain.evaluation.known_photos import SEEN, sets_in_training
from retrain.evaluation.metrics import Metrics, compute_metrics
from retrain.inference.classifier import Classifier, open_classifier
from retrain.inference.config import Overrides
from retrain.inference.spec.resolve import describe_graph
from retrain.reporting.records import EVALUATION
from retrain.utils.progress import progress

log = logging.getLogger(__name__)

ALL = "all"
DEFAULT_SETS = ("test", "validation", "train")  # the first of these in a tree is evaluated


def evaluate_graph(
    graph: Path,
    image_dir: str,
    overrides: Overrides,
    *,
    labels_file: Path | None,
    which: str | None = None,
) -> GraphEvaluation:
    """Label the photos of a tree and compare with the folders they lie in, matched by name.

    Classes that only one side knows are named in a warning; photos of a class that the graph does
    not know are left out.

    Args:
        graph: Its file or folder.
        image_dir: The tree.
        overrides: The user's overrides of the input spec.
        labels_file: Labels to use instead of the graph's own, or None.
        which: The set of a tree with sets, or ALL; None: the test photos.

    Returns:
        The photos with their probabilities and metrics.

    Raises:
        RetrainError: The graph or the tree cannot be used.
    """
    spec = describe_graph(graph, overrides)
    index = _of_set(read_tree(image_dir, least_classes=1), which)
    say_found(index)
    classifier = open_classifier(graph, spec, labels_file=labels_file)
    for remark in classifier.remarks:
        log.warning(remark)
    label_of = _matched(index, classifier.labels, graph)
    wanted = [photo for photo in index.photos if photo.label in label_of]
    unusable: dict[str, str] = {}
    rows: list[np.ndarray] = []
    judged: list[Photo] = []
    digests: dict[str, bytes] = {}
    with progress("Judging", len(wanted), "photos") as meter:
        decoded = _decoded(classifier, index, wanted, unusable=unusable, digests=digests)
        for position, scores in classifier.scores(decoded):
            judged.append(wanted[position])
            rows.append(scores)
            meter.advance()
    index = without_unusable(index, unusable)
    say_left_out(index)
    if not judged:
        files = counted(len(unusable), "file")
        raise RetrainError(f"no photo in {index.root} can be judged: {files} cannot be used")
    say_aside(index.aside)
    probabilities = np.stack(rows)
    truth = np.array([label_of[photo.label] for photo in judged], np.int64)
    whole = (index, digests) if len(judged) == len(index.photos) else None
    known = sets_in_training(graph, frozenset(digests.values()), whole)
    sets = None
    if known is not None:
        sets = tuple(known.get(digests[photo.path], "") for photo in judged)
    seen = np.array([name in SEEN for name in sets or [""] * len(judged)])
    headline = np.arange(len(judged)) if seen.all() else np.flatnonzero(~seen)

    def metrics_of(rows: np.ndarray) -> Metrics:
        rng = np.random.default_rng(SEED)
        return compute_metrics(probabilities[rows], truth[rows], classifier.labels, rng=rng)

    found = GraphEvaluation(
        replace(classifier.spec, labels=classifier.labels),
        classifier.labels,
        str(index.root),
        tuple(judged),
        truth,
        probabilities,
        sets,
        headline,
        metrics_of(headline),
        metrics_of(np.flatnonzero(seen)) if seen.any() else None,
        index.aside,
    )
    say_seen(found)
    return found


def default_folder(graph: Path, image_dir: str) -> Path:
    """Return the folder here for what is written of a graph and a tree: `output_graph_on_birds`.

    So it lies beside the files of a run, and never over them.
    """
    whole = graph.absolute()
    made = whole.parent.name if whole.name.isdecimal() else whole.stem  # of a version: its model
    place = urlsplit(image_dir).path if "://" in image_dir else image_dir  # no secrets of a URL
    photos = Path(place).absolute().name
    for suffix in SUFFIXES:
        photos = photos.removesuffix(suffix)
    return Path(f"{made}_on_{photos or 'photos'}")


def check_output_folder(folder: Path, image_dir: str) -> None:
    """Raise UsageFault for a folder in which the files of an evaluation would do harm.

    Either a run's own figures would be overwritten, or the pictures of the report would lie among
    the photos, as a class of their own.
    """
    tree = Path(image_dir).resolve()
    if folder.resolve() != tree and tree in folder.resolve().parents:
        raise UsageFault(
            f"--output_dir {folder}: it lies among the photos of {image_dir} and would be taken "
            "for a class: name another folder"
        )
    if (folder / RUN_RECORD).exists():
        raise UsageFault(
            f"--output_dir {folder}: a run has left its own {EVALUATION} there: name another "
            "folder, or leave it out"
        )


def _of_set(index: Index, which: str | None) -> Index:
    """Return the index with the photos of one set, or all; raise RetrainError if there are none."""
    given = {photo.given_set for photo in index.photos} - {None}
    if which == ALL or (which is None and not given):
        return index
    if which is None:
        which = next(each for each in DEFAULT_SETS if each in given)
        log.info(f"{index.root} has sets: the {which} photos are judged (--set names others)")
    if which not in given:
        there = ", ".join(sorted(filter(None, given)))
        raise RetrainError(
            f"--set {which}: {index.root} has "
            + (f"no such set with photos; there are {there}" if given else "no folders of sets")
            + f"; leave it out, or give --set {ALL}"
        )
    photos = [photo for photo in index.photos if photo.given_set == which]
    folders = {photo.path.split("/")[0] for photo in photos}
    return replace(
        with_photos(index, photos),
        aside=tuple(file for file in index.aside if file.path.split("/")[0] in folders),
        others=tuple(path for path in index.others if path.split("/")[0] in folders),
    )


def _decoded(
    classifier: Classifier,
    index: Index,
    photos: Sequence[Photo],
    *,
    unusable: dict[str, str],
    digests: dict[str, bytes],
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield position and pixels of each photo.

    By path, `digests` gets those of the photos, and `unusable` the reasons of others.
    """
    paths = [index.full_path(photo) for photo in photos]
    for position, found in read_photos_once(paths, classifier.spec.recipe):
        path = photos[position].path
        if found.fault is not None:
            unusable[path] = reason_of(found.fault)
        elif found.digest is not None and found.pixels is not None:
            digests[path] = found.digest
            yield position, found.pixels


def _matched(index: Index, labels: Sequence[str], graph: Path) -> dict[int, int]:
    """Return the graph's class for each class of the tree that it knows by name."""
    found = match_names(index.classes, labels)
    judged = set(found.values())
    strange = [name for number, name in enumerate(index.classes) if number not in found]
    unseen = [label for position, label in enumerate(labels) if position not in judged]
    if not found:
        raise RetrainError(
            f"{graph.absolute()} knows none of the classes in {index.root}: it has "
            f"{', '.join(labels[:5])}, the folders are {', '.join(index.classes[:5])}"
        )
    otherwise = [
        f"{index.classes[number]!r} is its {labels[position]!r}"
        for number, position in found.items()
        if composed(index.classes[number]) != composed(labels[position])
    ]
    if otherwise:
        more = f", and {len(otherwise) - 3} more" if len(otherwise) > 3 else ""
        log.info(f"names that the graph writes otherwise: {', '.join(otherwise[:3])}{more}")
    if strange:
        log.warning(
            f"the graph does not know {few(strange, 10)}; photos in such folders are left out"
        )
    if unseen:
        log.warning(
            f"there are no photos of {counted(len(unseen), 'class', 'classes')} of the graph: "
            f"{few(unseen, 10)}"
        )
    return found
