"""Keras' networks with the weights that Keras offers for them, as modules in TF Hub's form."""

import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from traceback import walk_tb
from typing import Any

from retrain.backbones.backbone import Backbone
from retrain.backbones.freeze.input_config import InputConfig
from retrain.backbones.sources.cache import FrozenStore, fingerprint_of
from retrain.backbones.sources.local import local_backbone
from retrain.backbones.sources.remote import recalled
from retrain.backbones.sources.source import INSTEAD, Source
from retrain.errors import RetrainError, one_line
from retrain.utils.tensorflow import import_keras, import_tensorflow, require_tensorflow

WEIGHTS_HOST = "https://storage.googleapis.com"  # where Keras gets them


@dataclass(frozen=True)
class KerasApplication(Source):
    """`keras.applications.<network>`; `alpha`: the width of a MobileNet, None for others."""

    network: str
    alpha: float | None = None

    def find(
        self, wanted: InputConfig, store: FrozenStore, name: str | None = None
    ) -> Backbone | None:
        """Return the backbone if it is on this machine, or None."""
        return recalled(self._handle(name), wanted, store)

    def fetch(
        self,
        wanted: InputConfig,
        store: FrozenStore,
        name: str | None = None,
        *,
        advice: str = INSTEAD,
    ) -> Backbone:
        """Build the module with Keras for square pictures of `wanted.usual_size`.

        Returns the backbone.
        """
        from retrain.utils.download import NoNetwork, why_unreachable

        called, size = name or self.network, wanted.usual_size
        require_tensorflow(f"building {called}, which is new here,")
        assert size is not None and size[0] == size[1]
        unreachable = why_unreachable(WEIGHTS_HOST)  # before TensorFlow's import
        if unreachable is not None:
            raise NoNetwork(f"cannot download {called}: {unreachable}; {advice}")
        folder = store.folder / "built" / f"{called}-keras"
        if not store.whole(folder):
            store.make(
                f"Building {called} with Keras",
                folder,
                lambda built: build_keras_application(self, size[0], built),
            )
        backbone = local_backbone(folder, wanted, store, name=called)
        store.remember(self._handle(name), fingerprint_of(folder), folder)
        return backbone

    def describe(self) -> str:
        """Say where the module comes from."""
        return f"keras.applications.{self.network}"

    @property
    def alias(self) -> str | None:
        """What Keras calls the module."""
        return self.network if self.alpha is None else None

    def _handle(self, name: str | None) -> str:
        """Return the handle that the module is remembered by once it was fetched."""
        return f"keras:{name or self.network}"


def build_keras_application(application: KerasApplication, size: int, folder: Path) -> None:
    """Write the network with ImageNet's weights as a TF2 SavedModel into `folder`.

    It maps float32 [batch, size, size, 3] in [0, 1] to the pooled features [batch, D]. Keras
    downloads the weights, unless they lie where it keeps them (`~/.keras/models`); its progress
    goes to stderr. Raises RetrainError when they can neither be found nor downloaded, or are
    damaged.
    """
    tf = import_tensorflow()
    constructor = getattr(import_keras().applications, application.network)
    width = {} if application.alpha is None else {"alpha": application.alpha}
    with redirect_stdout(sys.stderr):
        try:
            model = constructor(
                include_top=False,
                pooling="avg",
                weights="imagenet",
                input_shape=(size, size, 3),
                **width,
            )
        except Exception as error:  # Keras raises plain Exception when a download fails
            fault = _weights_fault(application.network, error)
            if fault is None:
                raise
            raise fault from error
    module = as_hub_module(model, preprocessing_of(constructor), size)
    tf.saved_model.save(module, str(folder), signatures=module.serving)


def preprocessing_of(constructor: Callable[..., Any]) -> Callable[[Any], Any]:
    """Return the function of a network's family that prepares RGB values from 0 to 255."""
    preprocess: Callable[[Any], Any] = import_module(constructor.__module__).preprocess_input
    return preprocess


def as_hub_module(model: Any, preprocess: Callable[[Any], Any], size: int) -> Any:
    """Return what to save: `__call__(images, training=False)` and variables, as TF Hub has them.

    `model` is a Keras model from what `preprocess` returns to [batch, D].
    https://www.tensorflow.org/hub/reusable_saved_models
    """
    tf = import_tensorflow()
    root = tf.train.Checkpoint()

    @tf.function(autograph=False)  # type: ignore[untyped-decorator]
    def call(images: Any, training: bool = False) -> Any:  # noqa: FBT001, FBT002 -- TF Hub's form
        return model(preprocess(255.0 * images), training=training)

    images = tf.TensorSpec([None, size, size, 3], tf.float32, name="images")
    call.get_concrete_function(images, training=True)
    root.serving = call.get_concrete_function(images, training=False)
    root.__call__ = call
    root.variables = [variable.value for variable in model.variables]
    root.trainable_variables = [variable.value for variable in model.trainable_variables]
    root.regularization_losses = []
    return root


def _weights_fault(name: str, error: Exception) -> RetrainError | None:
    """Return the error to raise if `error` is about the weights; else None."""
    variables: dict[str, Any] = {}
    for frame, _ in walk_tb(error.__traceback__):
        variables |= frame.f_locals  # Keras' messages do not name the file, nor always the URL
    if "download_target" in variables:
        reason = one_line(error.__context__ or error)
        return RetrainError(
            f"could not fetch the weights of {name} from {variables['origin']} ({reason}): "
            f"check the network, or put that file at {variables['download_target']}"
        )
    if "weights_path" in variables:
        return RetrainError(
            f"the weights of {name} in {variables['weights_path']} are damaged "
            f"({one_line(error)}): delete the file, it is downloaded again"
        )
    return None
