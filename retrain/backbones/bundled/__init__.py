"""The modules that come with the package, frozen."""

from pathlib import Path
from typing import TYPE_CHECKING

from retrain.errors import RetrainError, one_line
from retrain.utils.kept import damage_in

if TYPE_CHECKING:
    from retrain.backbones.backbone import Backbone

BUNDLED_FOLDER = Path(__file__).parent
DEFAULT_MODULE = "mobilenet_v1_100_224"
BUNDLED = (DEFAULT_MODULE, "mobilenet_v1_025_128")
IMAGENET_LABELS = BUNDLED_FOLDER / "imagenet_labels_1001.txt"


def bundled_backbone(name: str) -> "Backbone":
    """Return one of BUNDLED; raise RetrainError if its facts are damaged.

    `check_bundled` looks at all of it.
    """
    from retrain.backbones.backbone import read_backbone  # brings NumPy, unneeded for --help

    try:
        return read_backbone(_folder_of(name))
    except (OSError, ValueError, TypeError) as error:
        raise _broken(name, one_line(error)) from error


def check_bundled(name: str) -> None:
    """Raise RetrainError if one of BUNDLED is not what the package came with."""
    why = damage_in(_folder_of(name))
    if why is not None:
        raise _broken(name, why)


def _folder_of(name: str) -> Path:
    return BUNDLED_FOLDER / name / "assets.extra"


def _broken(name: str, why: str) -> RetrainError:
    return RetrainError(
        f"the module {name} that came with retrain is damaged in {_folder_of(name)} ({why}): "
        "install retrain again"
    )
