"""Resolving the handle that a user gives to a backbone that can run."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from retrain.backbones.backbone import Backbone
from retrain.backbones.bundled import BUNDLED
from retrain.backbones.freeze.input_config import InputConfig
from retrain.backbones.sources.cache import FrozenStore
from retrain.backbones.sources.catalogue import find_by_url, nearest
from retrain.backbones.sources.local import LocalModule
from retrain.backbones.sources.named import NamedModule
from retrain.backbones.sources.remote import HubUrl, KaggleModel
from retrain.backbones.sources.source import Source
from retrain.errors import UsageFault
from retrain.utils.handles import Handle, cautiously_masked

log = logging.getLogger(__name__)

# What a handle can mean, in the order in which that is asked: `./resnet50` is a folder called so,
# and a folder called as a Kaggle model is the folder.
SOURCES: tuple[type[Source], ...] = (NamedModule, LocalModule, KaggleModel, HubUrl)


def resolve(handle: str, wanted: InputConfig, model_dir: Path) -> Backbone:
    """Return the backbone for a handle.

    A handle is a catalogue name, folder, archive, Keras or ONNX file, URL or Kaggle handle.
    Names come before files: `./resnet50` is a folder called so. A module is fetched and frozen
    once, into `model_dir`. Raises UsageFault for a handle that means nothing and RetrainError for
    a module that cannot be had or used.
    """
    store = FrozenStore(model_dir)
    backbone = _resolve(Handle(handle), wanted, store)
    log.info(described(backbone))
    return backbone


def check_handles(handles: Iterable[str]) -> None:
    """Raise UsageFault for the first of the handles that means nothing; nothing is fetched."""
    for handle in handles:
        _source_of(Handle(handle))


def have(handles: Sequence[str], wanted: InputConfig, model_dir: Path) -> None:
    """Fetch and freeze what is not yet here, so that work on one need not wait for another.

    Raises UsageFault, before anything is fetched, and RetrainError as `resolve` does.
    """
    check_handles(handles)
    for handle in handles:
        _resolve(Handle(handle), wanted, FrozenStore(model_dir))


def find_here(handle: str, wanted: InputConfig, model_dir: Path) -> Backbone | None:
    """Return the backbone for a handle if it can be had without network, else None.

    Raises as `resolve` does.
    """
    source, wanted = _source_of(Handle(handle)), _usual(handle, wanted)
    return source.find(wanted, FrozenStore(model_dir))


def described(backbone: Backbone) -> str:
    """Return the facts about a module in a sentence for the user."""
    info = backbone.info
    low, high = info.input_range
    exports = "; it makes ONNX classifiers only, no .pb and no SavedModel"
    return (
        f"Module {info.name} ({info.kind}): pictures {info.height}x{info.width}, "
        f"{info.channels} channels in [{low:g}, {high:g}], {info.feature_width} features"
        + (exports if backbone.is_onnx else "")
    )


def _resolve(handle: str, wanted: InputConfig, store: FrozenStore) -> Backbone:
    source, wanted = _source_of(handle), _usual(handle, wanted)
    found = source.find(wanted, store)
    return found if found is not None else source.fetch(wanted, store)


def _usual(handle: str, wanted: InputConfig) -> InputConfig:
    known = find_by_url(handle)
    if known is None:
        return wanted
    return replace(wanted, usual_size=(known.size, known.size))  # older hub modules do not tell it


def _source_of(handle: str) -> Source:
    source = next(filter(None, (kind.of_handle(handle) for kind in SOURCES)), None)
    if source is None:
        near = nearest(handle)
        hint = f"did you mean {near}?" if near else f"bundled modules are {', '.join(BUNDLED)};"
        raise UsageFault(
            f"no module is called {cautiously_masked(handle)!r} and no such folder exists: {hint} "
            "`retrain modules list` shows them all; otherwise give the folder or the URL of a "
            "module"
        )
    return source
