"""What a TFLite file carries beside its network: metadata, manifest, labels."""

from pathlib import Path

from retrain.artifacts.labels import labels_in
from retrain.artifacts.manifest import FILE as MANIFEST_FILE
from retrain.artifacts.manifest import LABELS_FILE, Manifest, parse_manifest
from retrain.artifacts.tflite_metadata import TfliteMetadata, read_metadata
from retrain.utils.files import cannot_read

METADATA = "the file's TensorFlow Lite metadata"


def tflite_metadata(path: Path) -> TfliteMetadata | None:
    """Read a TFLite file's metadata; None where it has none."""
    try:
        return read_metadata(path.read_bytes())
    except OSError as error:
        raise cannot_read("graph", path, error) from error


def tflite_manifest(path: Path, metadata: TfliteMetadata | None) -> Manifest | None:
    """Return the manifest among a TFLite file's metadata, or None.

    Raises RetrainError for a damaged one.
    """
    content = metadata.files.get(MANIFEST_FILE) if metadata else None
    return None if content is None else parse_manifest(content, str(path.absolute()))


def metadata_labels(metadata: TfliteMetadata | None) -> tuple[tuple[str, ...], str] | None:
    """Return the labels that TFLite metadata carry, and in words where they stand.

    They stand in `labels.txt`, or in the first text file with "label" in its name. None where there
    is no such file.
    """
    if metadata is None:
        return None
    names = [name for name in sorted(metadata.files) if "label" in name and name.endswith(".txt")]
    for name in sorted(names, key=lambda name: name != LABELS_FILE)[:1]:
        where = f"{name} in {METADATA}"
        return labels_in(metadata.files[name], where), where
    return None
