"""`retrain inspect`: show what any artefact says about itself. Imports no TensorFlow."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from retrain.artifacts.detect import Artefact, Format, find_artefact
from retrain.artifacts.inspect.contents import Contents
from retrain.data.class_names import unknown_answer

FEW_LABELS = 5
SECTIONS = ("backbone", "data", "training", "metrics", "versions")


@dataclass(frozen=True)
class Inspection:
    """An artefact, the size of all its files in bytes, and what it holds."""

    artefact: Artefact
    size: int
    contents: Contents

    def as_json(self) -> dict[str, Any]:
        """Return all of it as a value that JSON can hold."""
        return {
            "path": str(self.artefact.path.absolute()),
            "format": self.artefact.format.value,
            "bytes": self.size,
            **asdict(self.contents),
        }

    def rows(self, *, all_labels: bool) -> Iterator[tuple[str, str]]:
        """Yield pairs of a word and a text for the user; the first few labels, or all of them."""
        found = self.contents
        yield "file", str(self.artefact.path.absolute())
        yield "format", self.artefact.format.value
        yield "size", f"{self.size:,} bytes"
        yield "parameters", f"{found.parameters:,}"
        if not found.signatures:
            yield from (("input", port.text) for port in found.inputs)
            yield from (("output", port.text) for port in found.outputs)
        for signature in found.signatures:
            yield "signature", signature.name
            yield from (("  input", port.text) for port in signature.inputs)
            yield from (("  output", port.text) for port in signature.outputs)
        yield from (("not run", text) for text in found.unsafe)
        yield from self._label_rows(all_labels=all_labels)
        yield from self._manifest_rows()

    def _label_rows(self, *, all_labels: bool) -> Iterator[tuple[str, str]]:
        labels = self.contents.labels
        if labels is None:
            yield "labels", "none inside"
        elif all_labels:
            yield from ((f"label {number}", name) for number, name in enumerate(labels))
        else:
            more = ", ..." if len(labels) > FEW_LABELS else ""
            yield "labels", f"{len(labels)}: {', '.join(labels[:FEW_LABELS])}{more}"

    def _manifest_rows(self) -> Iterator[tuple[str, str]]:
        manifest = self.contents.manifest
        if manifest is None:
            yield "manifest", "none (classifiers that retrain made carry one)"
            return
        yield "recipe", manifest.recipe
        if manifest.unknown_below is not None:
            word = unknown_answer(manifest.labels)
            yield word, f"a best score below {manifest.unknown_below:.4g}"
        for section in SECTIONS:
            for key, value in getattr(manifest, section).items():
                yield f"{section}: {key}", value if isinstance(value, str) else json.dumps(value)


def inspect_artefact(path: Path) -> Inspection:
    """Inspect the artefact at a path and return what it holds.

    Raises RetrainError for what is no classifier or module, or cannot be read.
    """
    artefact = find_artefact(path)
    size = sum(file.stat().st_size for file in artefact.files)
    return Inspection(artefact, size, _contents(artefact))


def _contents(artefact: Artefact) -> Contents:
    if artefact.format is Format.ONNX:
        from retrain.artifacts.inspect.onnx import onnx_contents

        return onnx_contents(artefact.path)
    if artefact.format is Format.TFLITE:
        from retrain.artifacts.inspect.tflite import tflite_contents

        return tflite_contents(artefact.path)
    from retrain.artifacts.inspect.tensorflow import frozen_contents, saved_model_contents

    if artefact.format is Format.SAVED_MODEL:
        return saved_model_contents(artefact.path)
    return frozen_contents(artefact.path)
