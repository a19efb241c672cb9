"""The cache of frozen modules, and of where they came from.

    <model_dir>/<fingerprint>[-<input>]/{frozen_graph.pb, backbone.json, reference.npz}
    <model_dir>/handles/<digest of the handle>.kept     the module that a handle stood for
    <model_dir>/built/, <model_dir>/unpacked/           modules made or unpacked here

Everything is published by one rename; a killed run leaves only hidden temporary folders. Each
folder is sealed (kept.seal_folder); what is damaged is made anew in its place.
"""

import hashlib
import json
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from retrain.backbones.backbone import INFO_FILE, Backbone, digest_of_graph, read_backbone
from retrain.backbones.freeze.input_config import InputConfig
from retrain.errors import RetrainError, one_line
from retrain.utils.files import (
    cannot_write,
    check_folder_can_be_written,
    open_regular,
    scratch_folder,
)
from retrain.utils.handles import Handle, whole
from retrain.utils.kept import (
    SUFFIX,
    damage_in,
    damaged,
    is_sealed,
    read_kept,
    seal_folder,
    write_kept,
)
from retrain.utils.logs import warn_once
from retrain.utils.ownership import check_own, make_own

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Remembered:
    """What a handle stood for when it was last fetched; `module` may be gone since."""

    handle: str
    fingerprint: str
    module: str


class FrozenStore:
    """Frozen modules under `folder`, by fingerprint and by handle.

    Attributes:
        folder: Where they lie.
        flag: The flag that names the folder, which then must be the user's own
            (ownership.check_own); None: it lies among the outputs of a run.
    """

    def __init__(self, folder: Path, flag: str | None = "--model_dir") -> None:
        self.folder, self.flag = folder, flag

    def find(self, fingerprint: str, wanted: InputConfig) -> Backbone | None:
        """Return a module that was frozen with this input before, or None.

        None if it is not here or damaged. Raises RetrainError if others may have put it there.
        """
        folder = self.folder / (fingerprint + wanted.suffix)
        if not os.path.lexists(folder):
            return None
        self._check_own()
        why = damage_in(folder) if is_sealed(folder) else _damage_in_old(folder)
        if why is not None:
            warn_once(damaged(folder, why))
            return None
        return read_backbone(folder)

    def whole(self, folder: Path) -> bool:
        """Tell whether a folder that `make` made is there and undamaged; damage is said.

        A folder that an earlier version made without a seal counts as missing.
        """
        if not is_sealed(folder):
            return False
        self._check_own()
        why = damage_in(folder)
        if why is not None:
            warn_once(damaged(folder, why))
        return why is None

    def make(self, what: str, folder: Path, write: Callable[[Path], object]) -> None:
        """Let `write` fill a temporary folder, which becomes `folder`; two runs may do so at once.

        It takes the place of what is damaged there. Raises RetrainError when the disk refuses, or
        what `write` raises.
        """
        log.info(f"{what} (once; kept in {folder})")
        self._check_own()
        with suppress(OSError):  # the check below reports it
            make_own(self.folder)
        check_folder_can_be_written(folder.parent, self.flag or "--output_graph")
        try:
            with scratch_folder(folder.parent, "making") as scratch:
                built = scratch / folder.name
                built.mkdir()
                write(built)
                seal_folder(built, folder.name)
                self._publish(built, folder, scratch)
        except OSError as error:
            raise cannot_write(folder, error) from error

    def _publish(self, built: Path, folder: Path, scratch: Path) -> None:
        try:
            built.rename(folder)
        except OSError:
            if not os.path.lexists(folder):
                raise
            if damage_in(folder) is not None:  # else another run was faster
                folder.rename(scratch / "damaged")
                built.rename(folder)

    def remember(self, handle: str, fingerprint: str, module: Path) -> None:
        """Keep what a handle stands for, under its whole text and under what is shown of it.

        Where handles that are shown alike stand for different modules, the latter says nothing.
        """
        handle = Handle(handle)
        facts = {"handle": handle, "fingerprint": fingerprint, "module": str(module.absolute())}
        shown = str(handle)
        if shown != whole(handle):
            known = self.recall(shown)
            alike = known is None or known.fingerprint == fingerprint
            either = facts if alike else {**facts, "fingerprint": "", "module": ""}
            write_kept(self._record(shown), json.dumps(either).encode(), warn_once)
        write_kept(self._record(handle), json.dumps(facts).encode(), warn_once)

    def recall(self, handle: str) -> Remembered | None:
        """Return what `remember` was told; None for a handle that is new here."""
        path = self._record(handle)
        kept = read_kept(path, warn_once)
        # Earlier versions wrote no seal; the module that is found proves the record.
        with suppress(OSError, ValueError, TypeError):
            text = path.with_suffix(".json").read_bytes() if kept is None else kept
            return Remembered(**json.loads(text))
        return None

    def all(self) -> Iterator[Backbone]:
        """Yield every frozen module whose facts can be read, by name."""
        found = filter(None, map(_facts_in, self._folders()))
        yield from sorted(found, key=lambda backbone: backbone.info.name)

    def unreadable(self) -> list[Path]:
        """List the folders of frozen modules whose facts cannot be read."""
        return [folder for folder in self._folders() if _facts_in(folder) is None]

    def _folders(self) -> list[Path]:
        return sorted(path.parent for path in self.folder.glob(f"*/{INFO_FILE}"))

    def _record(self, handle: str) -> Path:
        digest = hashlib.blake2b(whole(handle).encode(), digest_size=16).hexdigest()
        return self.folder / "handles" / f"{digest}{SUFFIX}"

    def _check_own(self) -> None:
        if self.flag is not None:
            check_own(self.folder, self.flag)


def _facts_in(folder: Path) -> Backbone | None:
    with suppress(OSError, ValueError, TypeError):
        return read_backbone(folder)
    return None


def _damage_in_old(folder: Path) -> str | None:
    """Say what is wrong with a module that an earlier version froze; None if nothing.

    Earlier versions wrote no seal: the graph has its digest in the facts, and both must fit the
    recorded answers. A module that passes is sealed as it is.
    """
    try:
        backbone = read_backbone(folder)
        info = backbone.info
        pixels, features = backbone.read_reference()
        if (
            info.fingerprint != folder.name
            or digest_of_graph(folder) != info.graph_digest
            or pixels.shape[1:] != (info.height, info.width, 3)
            or features.shape != (len(pixels), info.feature_width)
        ):
            return "its graph, facts and recorded answers do not belong together"
    except Exception as error:  # np.load raises many kinds
        return one_line(error)
    with suppress(OSError):  # a folder that cannot be written is looked at in each run
        seal_folder(folder, folder.name)
    return None


def fingerprint_of(module: Path) -> str:
    """Return hex BLAKE2b-128 of a module's content.

    That is one file, or a SavedModel's graph and variables.
    """
    digest = hashlib.blake2b(digest_size=16)
    parts = [module]
    if module.is_dir():
        parts = [module / "saved_model.pb", *sorted((module / "variables").glob("variables.*"))]
    for path in parts:
        if module.is_dir():
            digest.update(path.name.encode() + b"\0")
        try:
            with open_regular(path) as content:
                while block := content.read(1 << 20):
                    digest.update(block)
        except OSError as error:
            raise RetrainError(
                f"cannot read module {path.absolute()}: {error.strerror}; fetch it again"
            ) from error
    return digest.hexdigest()
