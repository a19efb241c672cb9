"""MODEL_CARD.md: what a classifier is, what it was made of and how far it can be trusted.

The sections are those of Mitchell et al. 2019, Model Cards for Model Reporting, as far as a run
can know them.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from retrain.artifacts.manifest import Manifest
from retrain.backbones.sources.catalogue import find, find_by_url
from retrain.data.class_names import unknown_answer
from retrain.data.decoding.decode import Recipe
from retrain.evaluation.audit.checks import CHECKS
from retrain.evaluation.intervals import too_few, wilson
from retrain.utils.text import markdown

FIGURES = ("test_accuracy", "test_accuracy_interval", "test_photos", "macro_f1", "log_loss",
           "calibration_error")  # fmt: skip
MOST_CLASSES = 50  # rows in the table of classes; the worst


class Made(Protocol):
    """A file of the classifier."""

    @property
    def kind(self) -> str:
        """The format and its numbers, in words."""
        ...

    @property
    def path(self) -> Path:
        """Where it lies."""
        ...

    @property
    def size(self) -> int:
        """In bytes."""
        ...

    def sentence(self) -> str:
        """Say whether it answers as the others do."""
        ...


def model_card(
    manifest: Manifest, exports: Sequence[Made], audit: Mapping[str, Any] | None = None
) -> str:
    """Return the model card in Markdown; what the manifest does not know is left out.

    `audit`: The counts of the audit of the photos (`listing.audit_counts`); None without one.
    """
    parts = [_head(manifest, exports), _use(manifest), _data(manifest, audit), _quality(manifest),
             _limits(manifest), _backbone(manifest), _making(manifest)]  # fmt: skip
    return "\n".join(line for part in parts for line in part)


def _head(manifest: Manifest, exports: Sequence[Made]) -> Iterator[str]:
    yield f"# An image classifier of {len(manifest.labels)} classes"
    yield ""
    yield _listed(manifest.labels, 50)
    yield ""
    yield "| file | format | MB | checked |"
    yield "|---|---|---|---|"
    for made in exports:
        yield (
            f"| {_cell(made.path.name)} | {made.kind} | {made.size / 1e6:.1f} | {made.sentence()} |"
        )
    yield ""


def _use(manifest: Manifest) -> Iterator[str]:
    yield "## Use"
    yield ""
    yield (
        f"A photo of {manifest.height} x {manifest.width} pixels (height x width), RGB, goes in; a "
        f"probability for each class comes out, in the order of `labels.txt`. "
        f"{_preparation(manifest)} Floating-point pixels are from 0 to 1."
    )
    if manifest.unknown_below is not None:
        yield (
            f"A photo whose best score is below {manifest.unknown_below:.4f} is to be called "
            f"{unknown_answer(manifest.labels)}."
        )
    yield ""


def _preparation(manifest: Manifest) -> str:
    """Say how a photo's pixels are made; another version's way as its manifest has it."""
    size = manifest.height, manifest.width
    if manifest.recipe != Recipe(*size).text:
        return f"Photos were prepared as {markdown(manifest.recipe)} says."
    return (
        "Photos were turned upright as their EXIF data say, their channels brought to 8 bits, grey "
        "and CMYK to RGB, transparent pixels to white; then they were squashed to that size, "
        "whatever their shape, by anti-aliased bilinear resampling."
    )


def _data(manifest: Manifest, audit: Mapping[str, Any] | None) -> Iterator[str]:
    data = manifest.data
    if not data:
        return
    yield "## Data"
    yield ""
    sets = ", ".join(f"{markdown(str(data[name]))} for {name}"
                     for name in ("train", "validation", "test") if name in data)  # fmt: skip
    digest = markdown(str(data.get("digest")))
    yield f"Photos in folders named after their classes: {sets}. Data digest {digest}."
    yield ""
    if audit is not None:
        yield from _audit(audit)


def _audit(audit: Mapping[str, Any]) -> Iterator[str]:
    """Yield what the audit of the photos found, leaks first."""
    yield (
        f"The audit of these photos, training and test alike, found {audit['leaks']} leaks (pairs "
        "of equal pictures in two sets)"
        + (" and:" if any(audit["counts"].values()) else ", and nothing else.")
    )
    yield ""
    found = {kind: count for kind, count in audit["counts"].items() if count and kind in CHECKS}
    for kind, count in found.items():
        yield f"- {kind.replace('_', ' ')} ({CHECKS[kind].meaning}): {count}"
    if found:
        yield ""


def _quality(manifest: Manifest) -> Iterator[str]:
    metrics = manifest.metrics
    yield "## How good it is"
    yield ""
    if any(metrics.get(name) is None for name in FIGURES):
        yield "There was no test photo, so nobody knows."
        yield ""
        return
    low, high = metrics["test_accuracy_interval"]
    yield (
        f"Of {metrics['test_photos']} test photos, which it was not trained on, "
        f"{metrics['test_accuracy']:.1%} are answered rightly (with 95 % confidence {low:.1%} to "
        f"{high:.1%}). Macro F1 {metrics['macro_f1']:.3f}, log loss {metrics['log_loss']:.3f}, "
        f"expected calibration error {metrics['calibration_error']:.3f}. These are figures of the "
        "frozen graph; the table above says how the files differ from it."
    )
    yield ""
    if metrics.get("support") and metrics.get("right"):
        yield from _classes(manifest.labels, metrics)


def _classes(labels: Sequence[str], metrics: dict[str, Any]) -> Iterator[str]:
    """Yield the table of classes, the worst first: `right` of `support` test photos were found."""
    rows = sorted(
        zip(labels, metrics["right"], metrics["support"], strict=True),
        key=lambda row: row[1] / row[2] if row[2] else 2.0,
    )
    yield "| class | test photos | found | 95 % interval |"
    yield "|---|---|---|---|"
    for label, right, support in rows[:MOST_CLASSES]:
        if not support:
            yield f"| {_cell(label)} | 0 | | |"
            continue
        interval = wilson(right, support)
        note = ", too few to say" if too_few(support) else ""
        yield (
            f"| {_cell(label)} | {support} | {right / support:.1%} "
            f"| {interval.low:.1%} to {interval.high:.1%}{note} |"
        )
    if len(rows) > MOST_CLASSES:
        yield f"| {len(rows) - MOST_CLASSES} more, which do better | | | |"
    yield ""


def _limits(manifest: Manifest) -> Iterator[str]:
    yield "## Limits"
    yield ""
    yield (
        "- It knows these classes only, and gives one of them to a picture of anything else"
        + (", unless its score is below the one named above." if manifest.unknown_below else ".")
    )
    yield (
        "- The figures hold for photos like those it was tested on, which came out of the same "
        "folders: other cameras, places or seasons may do worse."
    )
    yield (
        "- Where the photos of a class have something else in common (a background, a watermark), "
        "it may have learnt that."
    )
    support = manifest.metrics.get("support") or ()
    few = [label for label, count in zip(manifest.labels, support, strict=False) if too_few(count)]
    if few:
        yield f"- Too few test photos to say anything of {_listed(few, 20)}"
    yield (
        "- The backbone was trained on photos from the web (ImageNet, for every module that "
        "retrain knows by name) and brings their leanings with it."
        if manifest.backbone.get("name") != "simple_cnn"
        else "- It was trained from nothing on these photos alone."
    )
    yield ""


def _backbone(manifest: Manifest) -> Iterator[str]:
    backbone = manifest.backbone
    if not backbone:
        return
    handle, name = str(backbone.get("handle", "")), str(backbone.get("name", ""))
    entry = find_by_url(handle) if "://" in handle else find(handle) or find(name)
    licence = entry.licence if entry else "not known here: see where the module came from"
    yield "## Backbone"
    yield ""
    yield (
        f"{markdown(name)} ({markdown(handle)}), {markdown(str(backbone.get('feature_width')))} "
        f"features, fingerprint {markdown(str(backbone.get('fingerprint')))}. "
        f"Licence of its weights: {licence}."
    )
    yield ""


def _making(manifest: Manifest) -> Iterator[str]:
    yield "## How it was made"
    yield ""
    versions = ", ".join(
        f"{markdown(name)} {markdown(number)}" for name, number in manifest.versions.items()
    )
    yield f"With {versions}. Settings:"
    yield ""
    for name, value in manifest.training.items():
        yield f"- {markdown(name)}: {markdown(str(value))}"
    yield ""


def _listed(labels: Sequence[str], most: int) -> str:
    more = f" and {len(labels) - most} more" if len(labels) > most else ""
    return ", ".join(map(markdown, labels[:most])) + more + "."


def _cell(text: str) -> str:
    return markdown(text).replace("|", "\\|")
