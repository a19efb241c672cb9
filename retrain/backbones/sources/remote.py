"""Modules behind a URL or on Kaggle."""

import logging
import re
from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from retrain.artifacts.detect import find_saved_model
from retrain.backbones.backbone import Backbone
from retrain.backbones.freeze.input_config import InputConfig
from retrain.backbones.sources.cache import FrozenStore, fingerprint_of
from retrain.backbones.sources.kaggle import fetch_kaggle, kaggle_handle
from retrain.backbones.sources.local import is_module_file, local_backbone
from retrain.backbones.sources.source import INSTEAD, Source
from retrain.backbones.sources.tfhub import fetch_module
from retrain.errors import RetrainError, UsageFault
from retrain.utils.files import home_expanded
from retrain.utils.handles import lacks_secret
from retrain.utils.tensorflow import require_tensorflow

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Remote(Source):
    """A module that is downloaded once, and remembered by its handle."""

    handle: str

    @abstractmethod
    def download(self, advice: str) -> Path:
        """Return the folder of the module, downloaded unless it is kept."""

    def find(
        self, wanted: InputConfig, store: FrozenStore, name: str | None = None
    ) -> Backbone | None:
        """Return the backbone if it is on this machine, or None."""
        return recalled(self.handle, wanted, store)

    def fetch(
        self,
        wanted: InputConfig,
        store: FrozenStore,
        name: str | None = None,
        *,
        advice: str = INSTEAD,
    ) -> Backbone:
        """Return the backbone, fetched and frozen once."""
        require_tensorflow(f"freezing {name or _name_of(self.handle)}, which is new here,")
        module = self.download(advice)
        backbone = local_backbone(module, wanted, store, name=name or _name_of(self.handle))
        saved_model = find_saved_model(module) or module
        fingerprint, before = fingerprint_of(saved_model), store.recall(self.handle)
        if before is not None and before.fingerprint != fingerprint:
            log.warning(
                f"{saved_model} holds another module than was fetched before from the same place: "
                "its features are computed anew"
            )
        store.remember(self.handle, fingerprint, saved_model)
        return backbone

    def describe(self) -> str:
        """Say where the module comes from."""
        return self.handle


@dataclass(frozen=True)
class HubUrl(Remote):
    """The URL of a module: of TF Hub, in its TF2 or TF1 format, or of an archive elsewhere."""

    handles: ClassVar[str] = "hub URL"

    @classmethod
    def of_handle(cls, handle: str) -> Source | None:
        """Read a handle of this kind; return None for another."""
        if "://" not in handle:
            return None
        if not handle.startswith(("http://", "https://")):
            raise UsageFault(
                f"module {handle}: only http:// and https:// can be fetched; copy it to a local "
                "folder and give that"
            )
        return cls(handle)

    def download(self, advice: str) -> Path:
        """Return the module's folder, downloaded unless it is kept."""
        if lacks_secret(self.handle):
            raise RetrainError(
                f"module {self.handle} is not kept here, and its query was left out where this "
                "was written: give the whole URL to --tfhub_module"
            )
        return fetch_module(self.handle, advice)

    @property
    def address(self) -> str:
        """The URL that means this module."""
        return self.handle


@dataclass(frozen=True)
class KaggleModel(Remote):
    """`owner/model/framework/variation[/version]`, or the address of a Kaggle model's page."""

    handles: ClassVar[str] = "Kaggle handle"

    @classmethod
    def of_handle(cls, handle: str) -> Source | None:
        """Read a handle of this kind; return None for another."""
        if "://" not in handle and is_module_file(home_expanded(handle)):
            return None
        found = kaggle_handle(handle)
        return cls(found) if found is not None else None

    def download(self, advice: str) -> Path:
        """Return the module's folder, downloaded unless it is kept."""
        return fetch_kaggle(self.handle, advice)


def recalled(handle: str, wanted: InputConfig, store: FrozenStore) -> Backbone | None:
    """Return the backbone of a handle that was fetched before, or None if it has to be fetched."""
    memory = store.recall(handle)
    return store.find(memory.fingerprint, wanted) if memory else None


def _name_of(handle: str) -> str:
    """Return a short name for a handle.

    `https://tfhub.dev/google/imagenet/inception_v3/feature_vector/5` becomes
    `imagenet-inception_v3-feature_vector-5`.
    """
    path = re.sub(r"^https?://[^/]*/|[?#].*$", "", handle)
    path = re.sub(r"\.(tar\.gz|tgz|tar|zip)$", "", path)
    return re.sub(r"[^A-Za-z0-9._]+", "-", "/".join(path.split("/")[-4:])).strip("-") or "module"
