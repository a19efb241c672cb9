"""Compiled graphs kept on disk, so that labelling one photo does not compile its graph anew.

    <cache>/compiled/<key>.json   how to feed the graph
    <cache>/compiled/<key>.blob   OpenVINO's compiled model

The key covers the identity of the graph's files (inodes and times too, so a rewritten file misses),
what the user said about it, and the versions of OpenVINO and of this package. Files are written
atomically, the .json last; whatever does not load is a miss. The least recently used are removed
above `LIMIT_BYTES`.
"""

import hashlib
import json
import os
from contextlib import suppress
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

from retrain import __version__
from retrain.artefact import Artefact
from retrain.backbones.openvino_engine import load_compiled
from retrain.backbones.openvino_model import import_openvino
from retrain.errors import RetrainError
from retrain.files import user_cache_dir, write_bytes
from retrain.images.decode import Recipe
from retrain.label.spec import GraphInput, Overrides

LIMIT_BYTES = 1 << 30


class CompiledCache:
    """The entry for one graph, what was said about it, and a number of streams."""

    def __init__(self, graph: Artefact, said: Overrides, streams: int) -> None:
        """Raises OSError for a file that is gone."""
        identity = (
            [_identity(path) for path in graph.files],
            asdict(said),
            [field.name for field in fields(GraphInput)],  # what an older version did not know
            streams,
            import_openvino().__version__,
            __version__,
        )
        key = hashlib.blake2b(repr(identity).encode(), digest_size=16).hexdigest()
        self.folder = user_cache_dir() / "compiled"
        self.streams = streams
        self._spec = self.folder / f"{key}.json"
        self._blob = self.folder / f"{key}.blob"

    def load(self) -> tuple[GraphInput, Any] | None:
        """How to feed the graph, and its compiled model; None if they are not kept."""
        try:
            facts = json.loads(self._spec.read_text(encoding="utf-8"))
            compiled = load_compiled(self._blob.read_bytes(), "f32", self.streams)
            spec = _spec_of(facts)
            os.utime(self._spec)  # it was used
        except (OSError, ValueError, TypeError, KeyError, RuntimeError, RetrainError):
            return None
        return spec, compiled

    def keep(self, spec: GraphInput, compiled: Any) -> None:
        """Keeps what `load` gives back. A cache that cannot be written is no fault."""
        with suppress(RetrainError, OSError):
            content = compiled.export_model()
            blob = content if isinstance(content, bytes) else content.getvalue()
            if len(blob) > LIMIT_BYTES // 2:
                return
            write_bytes(self._blob, blob)
            facts = {**asdict(spec), "recipe": spec.recipe.text}
            write_bytes(self._spec, json.dumps(facts).encode())
            _remove_least_recently_used(self.folder)


def _identity(file: Path) -> tuple[str | int, ...]:
    facts = file.stat()
    numbers = (facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns)
    return str(file.resolve()), *numbers


def _spec_of(facts: dict[str, Any]) -> GraphInput:
    labels = facts["labels"]
    spec = GraphInput(**{**facts, "recipe": Recipe.parse(facts["recipe"])})
    return replace(
        spec,
        labels=None if labels is None else tuple(labels),
        guesses=tuple(facts["guesses"]),
        fixed=tuple((name, value) for name, value in facts["fixed"]),
    )


def _remove_least_recently_used(folder: Path) -> None:
    """Keeps the folder under LIMIT_BYTES. Others may be removing, too."""
    entries = []
    for spec in folder.glob("*.json"):
        with suppress(OSError):
            blob = spec.with_suffix(".blob")
            entries.append((spec.stat().st_mtime, blob.stat().st_size, spec, blob))
    total = sum(size for _, size, _, _ in entries)
    for _, size, spec, blob in sorted(entries):
        if total <= LIMIT_BYTES:
            return
        for path in (spec, blob):
            path.unlink(missing_ok=True)
        total -= size
