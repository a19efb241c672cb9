"""Freezing a module with its fine-tuned weights."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from retrain.artifacts.safety.tensorflow_graphs import check_saved_model
from retrain.backbones.backbone import Backbone
from retrain.backbones.freeze.freeze import freeze
from retrain.backbones.freeze.input_config import InputConfig
from retrain.backbones.freeze.network import UNIT_RANGE
from retrain.backbones.freeze.saved_model import tf2_network
from retrain.backbones.sources.cache import FrozenStore
from retrain.errors import RetrainError
from retrain.training.finetune.model import trained_of
from retrain.utils.tensorflow import import_tensorflow


def tuned_backbone(
    module: Path,
    original: Backbone,
    values: list[np.ndarray],
    *,
    last: int | None,
    name: str,
    fingerprint: str,
    folder: Path,
) -> Backbone:
    """Freeze a module with `values` as the weights of its last layers; return the backbone.

    It takes pictures as `original`, and has no logits: ImageNet's classifier does not fit it.

    Args:
        module: The SavedModel folder.
        original: The module's backbone before fine-tuning.
        values: The new weights of the last layers, as `model.trained_of` lists them.
        last: How many layers these are; None for all.
        name: Of the new backbone.
        fingerprint: Of the new backbone.
        folder: Where it is frozen.

    Returns:
        The new backbone.
    """
    info = original.info
    value_range = None if info.input_range == UNIT_RANGE else info.input_range
    wanted = InputConfig(value_range=value_range, usual_size=(info.height, info.width))
    store = FrozenStore(folder, flag=None)

    def write(built: Path) -> None:
        check_saved_model(module)
        tf = import_tensorflow()
        loaded = tf.saved_model.load(str(module))
        for variable, value in zip(
            trained_of(loaded.trainable_variables, last), values, strict=True
        ):
            variable.assign(value)
        network = replace(tf2_network(tf, loaded, module), logits=None)
        freeze(network, module, name, fingerprint=fingerprint, wanted=wanted, folder=built)

    if store.find(fingerprint, wanted) is None:
        place = folder / (fingerprint + wanted.suffix)
        store.make(f"Freezing {name}", place, write)
    found = store.find(fingerprint, wanted)
    if found is None:
        raise RetrainError(f"{folder.absolute()} lost the tuned module just frozen: run again")
    return found
