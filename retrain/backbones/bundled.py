"""The modules that come with the package, frozen."""

from pathlib import Path

from retrain.backbones.backbone import Backbone, read_backbone

BUNDLED_FOLDER = Path(__file__).parent.parent / "data"
DEFAULT_MODULE = "mobilenet_v1_100_224"
BUNDLED = (DEFAULT_MODULE, "mobilenet_v1_025_128")
IMAGENET_LABELS = BUNDLED_FOLDER / "imagenet_labels_1001.txt"


def bundled_backbone(name: str) -> Backbone:
    """One of BUNDLED."""
    return read_backbone(BUNDLED_FOLDER / name / "assets.extra")
