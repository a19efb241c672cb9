"""The bundled module as a classifier of ImageNet's classes, without any training."""

from pathlib import Path

from retrain.backbones.backbone import INPUT_NODE, LOGITS_NODE
from retrain.backbones.bundled import DEFAULT_MODULE, IMAGENET_LABELS, bundled_backbone
from retrain.data.decoding.decode import Recipe
from retrain.inference.spec.spec import InputSpec


def imagenet_graph() -> tuple[Path, InputSpec]:
    """Return the default module's frozen graph and its input spec, with ImageNet's 1001 labels.

    The first label is "background".
    """
    backbone = bundled_backbone(DEFAULT_MODULE)
    lines = IMAGENET_LABELS.read_text(encoding="utf-8").splitlines()
    labels = tuple(line.split(":", 1)[1] for line in lines)
    recipe = Recipe(backbone.info.height, backbone.info.width)
    spec = InputSpec(INPUT_NODE, LOGITS_NODE, recipe, 0.0, 255.0, labels, logits=True)
    return backbone.graph_path, spec
