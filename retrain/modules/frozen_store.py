"""The folder of frozen modules, and what is remembered of where they came from.

    <model_dir>/<fingerprint>[-<input>]/{frozen_graph.pb, backbone.json, reference.npz}
    <model_dir>/handles/<digest of the handle>.json     the module that a handle stood for
    <model_dir>/built/, <model_dir>/unpacked/           modules made or unpacked here

Everything is published by one rename; a killed run leaves only hidden temporary folders.
"""

import hashlib
import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from retrain.backbones.backbone import INFO_FILE, Backbone, read_backbone
from retrain.errors import RetrainError
from retrain.files import cannot_write, check_folder_can_be_written, write_bytes
from retrain.freezing.wanted import InputWanted
from retrain.progress import Talk


@dataclass(frozen=True)
class Remembered:
    """What a handle stood for when it was last fetched; `module` may be gone since."""

    handle: str
    fingerprint: str
    module: str


class FrozenStore:
    """Frozen modules under `folder`, by fingerprint and by handle."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def find(self, fingerprint: str, wanted: InputWanted) -> Backbone | None:
        """The frozen module, if it has been frozen with this input before."""
        folder = self.folder / (fingerprint + wanted.suffix)
        return read_backbone(folder) if (folder / INFO_FILE).is_file() else None

    def make(self, what: str, folder: Path, talk: Talk, write: Callable[[Path], object]) -> None:
        """Lets `write` fill a temporary folder, which becomes `folder`; two runs may do so at once.

        Raises RetrainError when the disk refuses, or what `write` raises.
        """
        talk.info(f"{what} (once; kept in {folder})")
        check_folder_can_be_written(folder.parent, "--model_dir")
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".making-") as scratch:
            built = Path(scratch) / "built"
            built.mkdir()
            try:
                write(built)
                built.rename(folder)
            except OSError as error:
                if not folder.is_dir():  # else another run was faster
                    raise cannot_write(folder, error) from error

    def remember(self, handle: str, fingerprint: str, module: Path) -> None:
        facts = {"handle": handle, "fingerprint": fingerprint, "module": str(module.absolute())}
        write_bytes(self._record(handle), json.dumps(facts, indent=1).encode())

    def recall(self, handle: str) -> Remembered | None:
        """What `remember` was told; None for a handle that is new here."""
        with suppress(OSError, ValueError, TypeError):
            return Remembered(**json.loads(self._record(handle).read_text(encoding="utf-8")))
        return None

    def all(self) -> Iterator[Backbone]:
        """Every frozen module, by name."""
        folders = [path.parent for path in self.folder.glob(f"*/{INFO_FILE}")]
        yield from sorted((read_backbone(f) for f in folders), key=lambda b: b.info.name)

    def _record(self, handle: str) -> Path:
        digest = hashlib.blake2b(handle.encode(), digest_size=16).hexdigest()
        return self.folder / "handles" / f"{digest}.json"


def fingerprint_of(module: Path) -> str:
    """Hex BLAKE2b-128 of a module's content: one file, or a SavedModel's graph and variables."""
    digest = hashlib.blake2b(digest_size=16)
    parts = [module]
    if module.is_dir():
        parts = [module / "saved_model.pb", *sorted((module / "variables").glob("variables.*"))]
    for path in parts:
        if module.is_dir():
            digest.update(path.name.encode() + b"\0")
        try:
            with open(path, "rb") as content:
                while block := content.read(1 << 20):
                    digest.update(block)
        except OSError as error:
            raise RetrainError(
                f"cannot read module {path.absolute()}: {error.strerror}; fetch it again"
            ) from error
    return digest.hexdigest()
