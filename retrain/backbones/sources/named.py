"""Modules of the catalogue, from the first of their sources that can be had."""

from dataclasses import dataclass, replace
from typing import ClassVar

from retrain.backbones.backbone import Backbone
from retrain.backbones.freeze.input_config import InputConfig
from retrain.backbones.sources.cache import FrozenStore
from retrain.backbones.sources.catalogue import Entry, entries, find
from retrain.backbones.sources.source import Source
from retrain.errors import RetrainError
from retrain.utils.tensorflow import NoTensorFlow


@dataclass(frozen=True)
class NamedModule(Source):
    """A module of the catalogue: the sources of its entry, in their order."""

    entry: Entry
    handles: ClassVar[str] = "a name (see: retrain modules list)"

    @classmethod
    def of_handle(cls, handle: str) -> Source | None:
        """Read a handle of this kind; return None for another."""
        entry = find(handle)
        return cls(entry) if entry is not None else None

    def find(
        self, wanted: InputConfig, store: FrozenStore, name: str | None = None
    ) -> Backbone | None:
        """Return the backbone if it is on this machine, or None."""
        wanted = self._with_size(wanted)
        found = (source.find(wanted, store, self.entry.name) for source in self.entry.sources)
        return next((backbone for backbone in found if backbone is not None), None)

    def fetch(
        self,
        wanted: InputConfig,
        store: FrozenStore,
        name: str | None = None,
        *,
        advice: str | None = None,
    ) -> Backbone:
        """Return the backbone from the first source that gives it.

        Raises RetrainError in one line that says how to get it, and which modules need no network.
        """
        from retrain.utils.download import NoNetwork  # a tenth of a second

        if advice is None:
            advice = self._advice()
        wanted = self._with_size(wanted)
        faults = []
        for source in self.entry.sources:
            try:
                return source.fetch(wanted, store, self.entry.name, advice=advice)
            except (NoNetwork, NoTensorFlow) as fault:
                faults.append(str(fault))
                break
            except RetrainError as fault:
                faults.append(str(fault))
        raise RetrainError("; ".join(faults[:1] + [f"also tried: {fault}" for fault in faults[1:]]))

    def describe(self) -> str:
        """Say where the module comes from."""
        return "; ".join(source.describe() for source in self.entry.sources)

    def _with_size(self, wanted: InputConfig) -> InputConfig:
        return replace(wanted, usual_size=(self.entry.size, self.entry.size))

    def _advice(self) -> str:
        name = self.entry.name
        return (
            f"where there is network, download that and give it to --tfhub_module as FILE.tar.gz, "
            f"or run `retrain modules fetch {name} --model_dir DIR` and give DIR to --model_dir; "
            f"without network there are {', '.join(offline_names())}"
        )


def offline_names() -> list[str]:
    """List the names that need no network: bundled, or from installed packages."""
    return [entry.name for entry in entries() if any(source.offline for source in entry.sources)]
