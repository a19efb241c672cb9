"""Modules on this machine: SavedModel folders, archives of them, Keras and ONNX files."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from retrain.artifacts.detect import find_saved_model
from retrain.artifacts.onnx import SUFFIX as ONNX
from retrain.backbones.backbone import Backbone
from retrain.backbones.freeze.input_config import InputConfig
from retrain.backbones.sources.cache import FrozenStore, fingerprint_of
from retrain.backbones.sources.source import INSTEAD, Source
from retrain.errors import RetrainError, UsageFault
from retrain.utils.archive import unpack
from retrain.utils.files import home_expanded
from retrain.utils.kept import damage_in, is_sealed
from retrain.utils.tensorflow import require_tensorflow

log = logging.getLogger(__name__)

SOURCE_FILE = "source.txt"  # beside a frozen graph: where the module itself lies
KERAS = (".keras", ".h5", ".hdf5")
ARCHIVES = (".tar.gz", ".tgz", ".tar", ".zip", ".tar.bz2", ".tar.xz")


@dataclass(frozen=True)
class LocalModule(Source):
    """A SavedModel's folder, an archive of one, a Keras or an ONNX file."""

    path: Path
    handles: ClassVar[str] = "folder, .tar.gz, .keras, .h5, .onnx"

    @classmethod
    def of_handle(cls, handle: str) -> Source | None:
        """Read a handle of this kind; return None for another."""
        path = home_expanded(handle)
        if "://" in handle or not path.exists():
            return None
        if not path.is_dir() and not is_module_file(path):
            raise UsageFault(
                f"module {path.absolute()} is neither a folder nor a .tar.gz, .keras, .h5 or "
                ".onnx file: give a SavedModel folder or one of these"
            )
        return cls(path)

    def find(self, wanted: InputConfig, store: FrozenStore, name: str | None = None) -> Backbone:
        """Return the backbone if it is on this machine, or None."""
        return local_backbone(self.path, wanted, store, name=name)

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
        return str(self.path)


def local_backbone(
    path: Path,
    wanted: InputConfig,
    store: FrozenStore,
    *,
    name: str | None = None,
    fingerprint: str | None = None,
) -> Backbone:
    """Return the backbone of a module's folder or file, frozen when it is new to `store`.

    Args:
        path: The module's folder or file.
        wanted: The user's settings of its input.
        store: Where frozen modules are kept.
        name: What to call it; None: the folder's or file's own name.
        fingerprint: What to know it by; None: its content.

    Returns:
        The backbone.

    Raises:
        RetrainError: There is no module that can be used.
    """
    module = _module_in(path, store)
    fingerprint = fingerprint or fingerprint_of(module)
    known = store.find(fingerprint, wanted)
    if known is not None:
        return known
    called = name or _plain_name(path)
    if module.suffix.lower() != ONNX:
        require_tensorflow(f"freezing {called}, which is new here,")

    def write(folder: Path) -> None:
        if module.suffix.lower() == ONNX:
            from retrain.backbones.freeze.onnx_file import freeze_onnx

            freeze_onnx(module, called, fingerprint, wanted=wanted, folder=folder)
            return
        from retrain.backbones.freeze.freeze import freeze
        from retrain.backbones.freeze.keras_file import read_keras_file
        from retrain.backbones.freeze.saved_model import read_saved_model

        network = read_saved_model(module) if module.is_dir() else read_keras_file(module)
        for remark in network.remarks:
            log.warning(f"{path}: {remark}")
        freeze(network, module, called, fingerprint=fingerprint, wanted=wanted, folder=folder)

    def write_with_source(folder: Path) -> None:
        write(folder)
        (folder / SOURCE_FILE).write_text(str(module.absolute()), encoding="utf-8")

    store.make(
        f"Freezing {called}", store.folder / (fingerprint + wanted.suffix), write_with_source
    )
    found = store.find(fingerprint, wanted)
    if found is None:
        raise RetrainError(f"{store.folder.absolute()} lost a module just frozen: run again")
    return found


def source_of(backbone: Backbone) -> Path:
    """Return the SavedModel folder or file that a backbone was frozen from; raise RetrainError."""
    if backbone.folder.name == "assets.extra":  # bundled: within its SavedModel
        return backbone.folder.parent
    record = backbone.folder / SOURCE_FILE
    source = Path(record.read_text(encoding="utf-8")) if record.is_file() else None
    if source is None or not source.exists():
        raise RetrainError(
            f"the module that {backbone.info.name} was frozen from is gone ({source}): remove "
            f"{backbone.folder} and fetch it again"
        )
    for folder in filter(is_sealed, (source, source.parent)):  # an archive may hold a folder
        why = damage_in(folder)
        if why is not None:
            raise RetrainError(
                f"the module that {backbone.info.name} was frozen from is damaged in {folder} "
                f"({why}): remove {folder} and {backbone.folder}, and fetch it again"
            )
    return source


def is_module_file(path: Path) -> bool:
    """Tell whether a name is that of a module's file: an archive, a Keras or an ONNX file."""
    return path.name.lower().endswith((*ARCHIVES, *KERAS, ONNX))


def _module_in(path: Path, store: FrozenStore) -> Path:
    """Return the SavedModel folder or single file to read, unpacked if it is an archive."""
    if path.is_dir():
        return _saved_model_in(path, path)
    if not path.name.lower().endswith(ARCHIVES):
        return path
    folder = store.folder / "unpacked" / fingerprint_of(path)
    if not store.whole(folder):
        store.make(
            f"Unpacking {path}", folder, lambda built: unpack(path, built / "module", str(path))
        )
    return _saved_model_in(folder, path)


def _saved_model_in(folder: Path, given: Path) -> Path:
    found = find_saved_model(folder)
    if found is None:
        raise RetrainError(
            f"{given.absolute()} holds no saved_model.pb: give the folder or the .tar.gz of a "
            "SavedModel (`retrain modules list` names modules that are here)"
        )
    return found


def _plain_name(path: Path) -> str:
    name = path.absolute().name
    ending = next((e for e in (*ARCHIVES, *KERAS, ONNX) if name.lower().endswith(e)), "")
    return name[: len(name) - len(ending)] or name
