"""What lies beside exports: labels, the manifest and a model card."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from retrain.artifacts.manifest import FILE as MANIFEST_FILE
from retrain.artifacts.manifest import LABELS_FILE, Manifest, labels_bytes, manifest_text
from retrain.export.config import rejected
from retrain.export.model_card import Made, model_card
from retrain.utils.files import write_bytes

log = logging.getLogger(__name__)

CARD = "MODEL_CARD.md"


@dataclass(frozen=True)
class Companions:
    """The files beside the exports of one classifier.

    Attributes:
        manifest: The classifier's.
        audit: As of `model_card`.
        is_rejected: The names are those that `config.rejected` gives.
    """

    manifest: Manifest
    audit: Mapping[str, Any] | None
    is_rejected: bool

    def write(self, folder: Path, exports: Sequence[Made]) -> None:
        """Write them into the folder, for these exports in it; raise RetrainError.

        Those of a classifier of other classes are replaced with a word.
        """
        if not self.is_rejected and _other_labels(folder / LABELS_FILE, self.manifest.labels):
            log.warning(
                f"{LABELS_FILE}, {MANIFEST_FILE} and {CARD} in {folder.absolute()} were of a "
                "classifier of other classes, and are replaced: one folder for each keeps both"
            )
        card = model_card(self.manifest, exports, self.audit)
        content = {
            LABELS_FILE: labels_bytes(self.manifest.labels),
            MANIFEST_FILE: manifest_text(self.manifest).encode() + b"\n",
            CARD: card.encode("utf-8", "surrogateescape"),
        }
        for name, written in content.items():
            path = folder / name
            write_bytes(rejected(path) if self.is_rejected else path, written)


def _other_labels(file: Path, labels: Sequence[str]) -> bool:
    """Tell whether there is a labels file with other names than these, or in another order."""
    try:
        return file.read_bytes() != labels_bytes(labels)
    except OSError:
        return False
