"""Compiled graphs kept on disk, so that labelling one photo does not compile its graph anew.

    <cache>/compiled/<key>.kept   the input spec (JSON), and OpenVINO's compiled model

The key covers the identity of the graph's files (inodes and times too, so a rewritten file misses),
the user's overrides, and the versions of OpenVINO and of this package. An entry that is damaged or
does not load is a miss. The least recently used are removed above `LIMIT_BYTES`.
"""

import hashlib
import json
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, fields, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from retrain._version import __version__
from retrain.artifacts.detect import Artefact
from retrain.backbones.engines.openvino import load_compiled
from retrain.backbones.engines.openvino_model import import_openvino
from retrain.data.decoding.decode import Recipe
from retrain.errors import RetrainError, one_line
from retrain.inference.config import Overrides
from retrain.inference.spec.spec import InputSpec
from retrain.utils.files import identity_of, user_cache_dir
from retrain.utils.kept import (
    FULL,
    SUFFIX,
    Say,
    damaged,
    read_kept,
    remove_least_recently_used,
    write_kept,
)
from retrain.utils.ownership import distrust, make_own

LIMIT_BYTES = 1 << 30


class CompiledCache:
    """The entry for one graph, the user's overrides, and a number of streams."""

    def __init__(self, graph: Artefact, overrides: Overrides, streams: int) -> None:
        """Compute the entry's key; raise OSError for a file that is gone."""
        identity = (
            [_identity(path) for path in graph.files],
            asdict(overrides),
            [field.name for field in fields(InputSpec)],  # changes when a new version adds a field
            streams,
            version("openvino"),  # without importing it: see `load`
            __version__,
        )
        key = hashlib.blake2b(repr(identity).encode(), digest_size=16).hexdigest()
        self.folder = user_cache_dir() / "compiled"
        self.streams = streams
        self._path = self.folder / f"{key}{SUFFIX}"

    def load(self, say: Say) -> tuple[InputSpec, Any] | None:
        """Return the graph's input spec and its compiled model, or None if they are not kept.

        One core reads and checks them while another imports OpenVINO.
        """
        why = distrust(self.folder)
        if why is not None:
            say(f"compiled graphs in {self.folder} are not used, because {why}")
            return None
        with ThreadPoolExecutor(1) as pool:
            reading = pool.submit(read_kept, self._path, say)
            import_openvino()
            content = reading.result()
        if content is None:
            return None
        head, _, blob = content.partition(b"\0")
        try:
            spec = _spec_of(json.loads(head))
            compiled = load_compiled(blob, "f32", self.streams)
        except (ValueError, TypeError, KeyError, RuntimeError, RetrainError) as error:
            say(damaged(self._path, one_line(error)))  # undamaged, but perhaps from another machine
            return None
        with suppress(OSError):  # the file may belong to another user
            os.utime(self._path)  # mark it as used
        return spec, compiled

    def keep(self, spec: InputSpec, compiled: Any, say: Say) -> None:
        """Keep an input spec and a compiled model for `load`.

        A cache that cannot be written is no fault.
        """
        content = compiled.export_model()
        blob = content if isinstance(content, bytes) else content.getvalue()
        if len(blob) > LIMIT_BYTES // 2:
            return
        head = json.dumps({**asdict(spec), "recipe": spec.recipe.text}).encode()
        with suppress(OSError):
            make_own(self.folder)
        if distrust(self.folder) is None:
            write_kept(self._path, head + b"\0" + blob, lambda text: _if_full(text, say))
        remove_least_recently_used(self.folder, LIMIT_BYTES)


def _identity(file: Path) -> tuple[str | int, ...]:
    return str(file.resolve()), *identity_of(file.stat())


def _if_full(text: str, say: Say) -> None:
    """Pass on a message of a full disk; a cache in a read-only place is the user's choice."""
    if text.startswith(FULL):
        say(text)


def _spec_of(facts: dict[str, Any]) -> InputSpec:
    labels = facts["labels"]
    spec = InputSpec(**{**facts, "recipe": Recipe.parse(facts["recipe"])})
    return replace(
        spec,
        labels=None if labels is None else tuple(labels),
        guesses=tuple(facts["guesses"]),
        fixed=tuple((name, value) for name, value in facts["fixed"]),
    )
