"""Settings in a file that people write: in three formats the same, and wrong ones by name."""

import json
from pathlib import Path
from typing import Any

import pytest

from retrain.cli.train import retrain
from retrain.commands.settings_file import READERS, read_settings_file
from retrain.errors import RetrainError

TOML = """
image-dir = "flowers/"     # dashes or underscores
how_many_training_steps = 500
learning_rate = 2e-2
flip_left_right = true
calibration = false
l2 = 0.1
input_size = "128x96"
architecture = "mobilenet_v1_025_128"
assert_recall = { daisy = 0.8, "red, rose" = 1 }
"""
YAML = """
image_dir: flowers/
how-many-training-steps: 500
learning_rate: 2.e-2
flip_left_right: yes
calibration: no
l2: 0.1
input_size: [128, 96]
tfhub_module: mobilenet_v1_025_128
assert_recall: [daisy=0.8, "red, rose=1"]
fine_tune:
"""
JSON = json.dumps(
    {
        "image_dir": "flowers/", "how_many_training_steps": "500", "learning_rate": 0.02,
        "flip_left_right": True, "calibration": False, "l2": "0.1", "input_size": "128x96",
        "tfhub_module": "mobilenet_v1_025_128", "assert_recall": {"daisy": 0.8, "red, rose": 1},
    }
)  # fmt: skip
FILES = {"a.toml": TOML, "a.yaml": YAML, "b.YML": YAML, "a.json": JSON}


def settings_of(*words: object) -> dict[str, Any]:
    """What the command line makes of these words."""
    context = retrain.make_context("retrain", [str(word) for word in words])
    return {**context.params, "source": context.get_parameter_source("image_dir")}


@pytest.mark.parametrize("name", FILES)
def test_each_format_says_the_same_as_the_options(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(FILES[name], encoding="utf-8")
    typed = settings_of(
        "flowers/", "--how_many_training_steps", "500", "--learning_rate", "0.02",
        "--flip_left_right", "--no-calibration", "--l2", "0.1", "--input_size", "128x96",
        "--tfhub_module", "mobilenet_v1_025_128", "--assert_recall", "daisy=0.8",
        "--assert_recall", "red, rose=1",
    )  # fmt: skip
    found = settings_of("--config", path)
    assert found.pop("source") is not typed.pop("source")
    found["input_size"] = tuple(found["input_size"])
    assert found == typed
    won = settings_of("--config", path, "trees/", "--seed", "3", "--learning_rate", "1")
    assert (won["image_dir"], won["seed"], won["learning_rate"]) == ("trees/", 3, 1.0)


def test_all_formats_are_tried() -> None:
    assert {f".{name.split('.')[1].lower()}" for name in FILES} == READERS.keys()


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.toml", "learning_rates = 1", "has no setting of a run in learning_rates: did you mean"),
        ("a.yaml", "qqqq: 1", "no setting of a run in qqqq: retrain --help-all names all"),
        ("a.yaml", "training: {seed: 1}", "did you mean train_batch_size|help-all"),
        ("a.toml", "[seed]\na = 1", "seed has settings of its own: write all names on one level"),
        ("a.json", '{"allow_unsafe_module": true}', "which a file cannot allow"),
        ("a.toml", "seed = ", "cannot be read as TOML"),
        ("a.yaml", "seed: [1", "cannot be read as YAML"),
        ("a.yaml", "a: !!python/object/apply:os.system [true]", "cannot be read as YAML"),
        ("a.json", "{", "cannot be read as JSON"),
        ("a.json", "[" * 100_000, "cannot be read as JSON"),
        ("a.yaml", "- seed", "holds no settings"),
        ("a.toml", "\0", "it is no text"),
        ("a.txt", "seed = 1", r"give a file that ends in .json, .toml, .yaml or .yml"),
        ("a.toml", "seed = true", "--seed True: give a whole number"),
        ("a.toml", "seed = 2025-01-01", "--seed 2025-01-01: give a whole number"),
        ("a.toml", "seed = [1]", r"--seed \[1\]: give a whole number"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_in_one_line(
    name: str, text: str, said: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    with pytest.raises(RetrainError, match=said) as fault:
        settings_of("--config", path, "photos/")
    assert "\n" not in str(fault.value) and len(str(fault.value)) < 400


def test_yaml_without_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("retrain.utils.optional.find_spec", lambda name: None)
    (tmp_path / "a.yaml").write_text("seed: 1")
    with pytest.raises(RetrainError, match=r'pip install "retrain\[yaml\]"'):
        read_settings_file(tmp_path / "a.yaml")
