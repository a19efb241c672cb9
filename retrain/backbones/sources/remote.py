"""Modules behind a URL or on Kaggle."""

import logging
import re

from retrain.backbones.backbone import Backbone
from retrain.backbones.freeze.input_config import InputConfig
from retrain.backbones.sources.archive import find_saved_model
from retrain.backbones.sources.cache import FrozenStore, fingerprint_of
from retrain.backbones.sources.handles import lacks_secret
from retrain.backbones.sources.kaggle import fetch_kaggle
from retrain.backbones.sources.local import local_backbone
from retrain.backbones.sources.tfhub import fetch_module
from retrain.errors import RetrainError

log = logging.getLogger(__name__)

INSTEAD = (
    "without network, download it elsewhere and give its folder or .tar.gz to --tfhub_module, or "
    "take a module that is here (`retrain modules list`)"
)


def remote_backbone(
    handle: str,
    *,
    on_kaggle: bool,
    wanted: InputConfig,
    store: FrozenStore,
    name: str | None = None,
    advice: str = INSTEAD,
) -> Backbone:
    """The backbone of a URL or Kaggle handle, fetched and frozen once.

    `advice` ends the one line that says why it could not be fetched (RetrainError).
    """
    known = recalled(handle, wanted, store)
    if known is not None:
        return known
    if lacks_secret(handle) and not on_kaggle:
        raise RetrainError(
            f"module {handle} is not kept here, and its query was left out where this was "
            "written: give the whole URL to --tfhub_module"
        )
    module = (fetch_kaggle if on_kaggle else fetch_module)(handle, advice)
    backbone = local_backbone(module, wanted, store, name=name or _name_of(handle))
    saved_model = find_saved_model(module) or module
    fingerprint, before = fingerprint_of(saved_model), store.recall(handle)
    if before is not None and before.fingerprint != fingerprint:
        log.warning(
            f"{saved_model} holds another module than was fetched before from the same place: its "
            "features are computed anew"
        )
    store.remember(handle, fingerprint, saved_model)
    return backbone


def recalled(handle: str, wanted: InputConfig, store: FrozenStore) -> Backbone | None:
    """The backbone of a handle that was fetched before, if nothing has to be fetched again."""
    memory = store.recall(handle)
    return store.find(memory.fingerprint, wanted) if memory else None


def _name_of(handle: str) -> str:
    """`https://tfhub.dev/google/imagenet/inception_v3/feature_vector/5` is
    `imagenet-inception_v3-feature_vector-5`."""
    path = re.sub(r"^https?://[^/]*/|[?#].*$", "", handle)
    path = re.sub(r"\.(tar\.gz|tgz|tar|zip)$", "", path)
    return re.sub(r"[^A-Za-z0-9._]+", "-", "/".join(path.split("/")[-4:])).strip("-") or "module"
