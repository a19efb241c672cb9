"""Telling which format a classifier's file or folder has."""

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from retrain.errors import RetrainError
from retrain.utils.files import cannot_read, open_regular

SAVED_MODEL_FILE = "saved_model.pb"
TFLITE_MARK = b"TFL3"  # bytes 4 to 8 of each such file


class Format(Enum):
    """A format of classifier or module; the value is its name as users read it."""

    FROZEN = "frozen TensorFlow graph"
    SAVED_MODEL = "SavedModel"
    ONNX = "ONNX"
    TFLITE = "TensorFlow Lite"


@dataclass(frozen=True)
class Artefact:
    """A classifier or module on disk.

    Attributes:
        path: Its file, or the folder that holds a SavedModel's `saved_model.pb`.
        format: Its format.
    """

    path: Path
    format: Format

    @property
    def files(self) -> list[Path]:
        """List its files in a fixed order, without files that only lie beside it."""
        if self.format is not Format.SAVED_MODEL:
            return [self.path]
        found = [path for path in sorted(self.path.rglob("*")) if path.is_file()]
        return [path for path in found if not path.name.startswith(".")]


def find_artefact(path: Path) -> Artefact:
    """Find the classifier at a path and return it with its format.

    The format is known by the file's content (ONNX by its suffix). A SavedModel may be given as its
    folder, as its `saved_model.pb`, or as a folder of numbered versions, of which the newest is
    taken. Raises RetrainError if there is none.
    """
    try:
        if path.is_dir():
            return Artefact(_saved_model_folder(path), Format.SAVED_MODEL)
        if path.name == SAVED_MODEL_FILE:
            path.stat()
            return Artefact(path.absolute().parent, Format.SAVED_MODEL)
        with open_regular(path) as file:
            start = file.read(8)
    except OSError as error:
        raise cannot_read("graph", path, error) from error
    if start[4:] == TFLITE_MARK:
        return Artefact(path, Format.TFLITE)
    return Artefact(path, Format.ONNX if path.suffix.lower() == ".onnx" else Format.FROZEN)


def _saved_model_folder(folder: Path) -> Path:
    if (folder / SAVED_MODEL_FILE).is_file():
        return folder
    versions = [
        child
        for child in folder.iterdir()
        if child.name.isdecimal() and (child / SAVED_MODEL_FILE).is_file()
    ]
    if not versions:
        raise RetrainError(
            f"{folder.absolute()} is no SavedModel: it holds no {SAVED_MODEL_FILE}, nor numbered "
            "folders that do; give the folder that was exported"
        )
    return max(versions, key=lambda child: int(child.name))


def find_saved_model(folder: Path) -> Path | None:
    """Return the folder that holds saved_model.pb: this one, its only sub-folder, or that one's.

    None if there is none.
    """
    while not (folder / SAVED_MODEL_FILE).is_file():
        try:
            folders = [path for path in folder.iterdir() if path.is_dir()]
        except OSError:
            return None
        inner = [path for path in folders if path.name[0] != "." and path.name != "__MACOSX"]
        if len(inner) != 1:
            return None
        folder = inner[0]
    return folder
