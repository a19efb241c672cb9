"""Modules that come with retrain."""

from dataclasses import dataclass

from retrain.backbones.backbone import Backbone
from retrain.backbones.bundled import BUNDLED_FOLDER, bundled_backbone, check_bundled
from retrain.backbones.freeze.input_config import InputConfig
from retrain.backbones.sources.cache import FrozenStore
from retrain.backbones.sources.local import local_backbone
from retrain.backbones.sources.source import BUNDLED_STATE, INSTEAD, Source


@dataclass(frozen=True)
class Bundled(Source):
    """A module that comes with retrain, in `backbones/bundled/<folder>`."""

    folder: str

    def find(self, wanted: InputConfig, store: FrozenStore, name: str | None = None) -> Backbone:
        """Return the module itself; with another input than its own, it is frozen once."""
        if wanted.size is None and wanted.value_range is None:
            check_bundled(self.folder)
            return bundled_backbone(self.folder)
        return local_backbone(BUNDLED_FOLDER / self.folder, wanted, store)

    def fetch(
        self,
        wanted: InputConfig,
        store: FrozenStore,
        name: str | None = None,
        *,
        advice: str = INSTEAD,
    ) -> Backbone:
        """Return the backbone, fetched and frozen once."""
        return self.find(wanted, store, name)

    def describe(self) -> str:
        """Say where the module comes from."""
        return "comes with retrain"

    def state(self) -> str:
        """Say how the module can be had."""
        return BUNDLED_STATE

    @property
    def offline(self) -> bool:
        """Whether it can be had without network."""
        return True
