"""From the handle that a user gives to a backbone that can run."""

import logging
from dataclasses import replace
from pathlib import Path

from retrain.backbones.backbone import Backbone
from retrain.backbones.bundled import BUNDLED
from retrain.backbones.freeze.input_config import InputConfig
from retrain.backbones.sources.cache import FrozenStore
from retrain.backbones.sources.catalogue import find, find_by_url, nearest
from retrain.backbones.sources.handles import Handle, cautiously_masked
from retrain.backbones.sources.kaggle import kaggle_handle
from retrain.backbones.sources.local import is_module_file, local_backbone
from retrain.backbones.sources.named import named_backbone
from retrain.backbones.sources.remote import remote_backbone
from retrain.errors import UsageFault
from retrain.utils.files import home_expanded

log = logging.getLogger(__name__)


def resolve(handle: str, wanted: InputConfig, model_dir: Path) -> Backbone:
    """The backbone for a catalogue name, folder, archive, Keras or ONNX file, URL, Kaggle handle.

    Names come before files: `./resnet50` is a folder called so. A module is fetched and frozen
    once, into `model_dir`. Raises UsageFault for a handle that means nothing and RetrainError for
    a module that cannot be had or used.
    """
    store = FrozenStore(model_dir)
    backbone = _resolve(Handle(handle), wanted, store)
    log.info(described(backbone))
    return backbone


def described(backbone: Backbone) -> str:
    """What was found out about a module, for the user to read."""
    info = backbone.info
    low, high = info.input_range
    exports = "; it makes ONNX classifiers only, no .pb and no SavedModel"
    return (
        f"Module {info.name} ({info.kind}): pictures {info.height}x{info.width}, "
        f"{info.channels} channels in [{low:g}, {high:g}], {info.feature_width} features"
        + (exports if backbone.is_onnx else "")
    )


def _resolve(handle: str, wanted: InputConfig, store: FrozenStore) -> Backbone:
    entry = find(handle)
    if entry is not None:
        return named_backbone(entry, wanted, store)
    on_kaggle = kaggle_handle(handle)
    if "://" in handle:
        if on_kaggle is None and not handle.startswith(("http://", "https://")):
            raise UsageFault(
                f"module {handle}: only http:// and https:// can be fetched; copy it to a local "
                "folder and give that"
            )
        known = find_by_url(handle)
        if known is not None:  # TF Hub's older modules do not say their size
            wanted = replace(wanted, usual_size=(known.size, known.size))
        return remote_backbone(
            on_kaggle or handle, on_kaggle=on_kaggle is not None, wanted=wanted, store=store
        )
    path = home_expanded(handle)
    if path.is_dir() or (path.exists() and is_module_file(path)):
        return local_backbone(path, wanted, store)
    if path.exists():
        raise UsageFault(
            f"module {path.absolute()} is neither a folder nor a .tar.gz, .keras, .h5 or .onnx "
            "file: give a SavedModel folder or one of these"
        )
    if on_kaggle is not None and not is_module_file(path):
        return remote_backbone(on_kaggle, on_kaggle=True, wanted=wanted, store=store)
    near = nearest(handle)
    hint = f"did you mean {near}?" if near else f"bundled modules are {', '.join(BUNDLED)};"
    raise UsageFault(
        f"no module is called {cautiously_masked(handle)!r} and no such folder exists: {hint} "
        "`retrain modules list` shows them all; otherwise give the folder or the URL of a module"
    )
