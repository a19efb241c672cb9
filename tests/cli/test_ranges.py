"""Numbers that no run can use, words and types that are none: one line, before any work."""

import json
import math
import re
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
from conftest import Run
from PIL import Image

import retrain
from retrain.backbones.freeze.input_config import parse_range, parse_size
from retrain.cli.command import Number
from retrain.cli.words import COMMANDS as WORDS
from retrain.cli.words import load
from retrain.config import SETTINGS, TrainConfig
from retrain.data.decoding.augment import Distortion
from retrain.errors import UsageFault
from retrain.evaluation.config import parse_recall
from retrain.features.matrix import FeatureMatrix
from retrain.training.config import parse_depth
from retrain.training.sampler import Sampler
from retrain.training.scratch.network import check_size
from retrain.training.sgd import SgdSettings, train_head
from retrain.utils.settings import Range

ABSURD = ["1e20", "1" + "0" * 20, "-1" + "0" * 20, "1e400", "-1e400", "nan", "inf", "-inf",
          "9" * 5000, "-" + "9" * 5000, "", " ", "abc", "0x10", "1,5", "1 2", "½", "1e", "--",
          "\x1b[31m", "1" + "0" * 30]  # fmt: skip
NO_NUMBERS = [None, True, False, "5", [], [5], {"a": 1}, object(), 1 + 1j, np.array([1, 2]), b"5",
              math.nan, math.inf, -math.inf, np.float32("nan"), 10**400, -(10**400)]  # fmt: skip
NAMES = {"train": "retrain", "label": "label-image"}  # of commands that need no word
COMMANDS = {NAMES.get(word, f"retrain {word}"): load(word) for word in WORDS}


def commands() -> list[tuple[str, click.Command]]:
    """Every command, those of groups too."""
    found: list[tuple[str, click.Command]] = []
    for name, command in COMMANDS.items():
        parts = command.commands if isinstance(command, click.Group) else {"": command}
        found += [(f"{name} {word}".strip(), part) for word, part in parts.items()]
    return found


NUMBERED = [(name, command, option) for name, command in commands() for option in command.params
            if isinstance(option.type, Number)]  # fmt: skip


RANGES: dict[str, Range] = {option.name or "": option.type.range for _, _, option in NUMBERED}


def test_every_option_that_takes_a_number_has_a_range() -> None:
    plain = (click.types.IntParamType, click.types.FloatParamType)  # ranges are kinds of these
    loose = [(name, option.name) for name, command in commands() for option in command.params
             if isinstance(option.type, plain)]  # fmt: skip
    assert loose == []
    assert len({option.name for _, _, option in NUMBERED}) >= 30
    numbers = [each for each in SETTINGS.values() if re.search(r"\b(int|float)\b", str(each.kind))]
    assert all(each.range or each.check for each in numbers)


@pytest.mark.parametrize("name", RANGES)
def test_absurd_texts_are_one_line_that_says_the_range(name: str) -> None:
    for text in ABSURD:
        with pytest.raises(UsageFault) as fault:
            RANGES[name].parse(text, f"--{name}")
        said = str(fault.value)
        assert said.startswith(f"--{name} ") and f": give {RANGES[name].words}" in said
        assert len(said) < 250 and said.isprintable()


@pytest.mark.parametrize("name", RANGES)
def test_what_is_no_number_is_refused(name: str) -> None:
    for value in NO_NUMBERS:
        with pytest.raises(UsageFault) as fault:
            RANGES[name].number(value, f"--{name}")
        assert "\n" not in str(fault.value) and len(str(fault.value)) < 250


@pytest.mark.parametrize("name", RANGES)
def test_both_ends_are_taken_and_nothing_beyond(name: str) -> None:
    wanted = RANGES[name]
    step: Any = 1 if wanted.whole else 1e-3 * (wanted.high - wanted.low)
    for end, outward, open_end in (
        (wanted.low, -step, wanted.above_low),
        (wanted.high, step, wanted.below_high),
    ):
        beyond = [end + outward * (3 if wanted.all_too else 1)] + ([end] if open_end else [])
        for value in beyond:
            with pytest.raises(UsageFault):
                wanted.number(value, "--n")
        inside = end - outward if open_end else end
        found = wanted.number(inside, "--n")
        assert found == inside and type(found) is (int if wanted.whole else float)
        assert wanted.parse(str(inside), "--n") == inside
    if wanted.whole:
        with pytest.raises(UsageFault):
            wanted.number(float(wanted.low), "--n")
        assert type(wanted.number(np.int64(wanted.low), "--n")) is int
    else:
        assert type(wanted.number(np.float32(wanted.high / 2 or 1), "--n")) is float
    if wanted.all_too:
        assert wanted.number(-1, "--n") == -1


@pytest.mark.parametrize(("command", "option"), [
    pytest.param(command, option, id=f"{name} {option.name}") for name, command, option in NUMBERED
])  # fmt: skip
def test_the_command_line_refuses_them(command: click.Command, option: click.Option) -> None:
    context = click.Context(command)
    for text in ABSURD:
        with pytest.raises(UsageFault, match="give a (whole )?number"):
            option.type_cast_value(context, text)


@pytest.mark.parametrize("arguments", [
    ("retrain", "--how_many_training_steps", "1e20"), ("retrain", "--train_batch_size", 10**9),
    ("retrain", "--random_crop", 10**9), ("retrain", "--seed", 2**64),
    ("retrain", "--learning_rate", "nan"), ("retrain", "--input_size", "1000000"),
    ("retrain", "--input_range", "0,inf"), ("retrain", "--l2", "1e400"),
    ("retrain", "--fine_tune", "LAST_" + "9" * 5000), ("retrain", "--assert_recall", "red=nan"),
    ("retrain", "audit", "--max_leaks", -1), ("retrain", "compare-heads", "--seed", -1),
    ("retrain", "evaluate", "--graph", "g.pb", "--assert_accuracy", "inf"),
    ("retrain", "evaluate", "--graph", "g.pb", "--input_height", 10**9),
    ("retrain", "modules", "compare", "a", "--seed", "1e3"),
    ("retrain", "export", "--graph", "g.pb", "--to", "x", "--parity_min_agreement", "nan"),
    ("label-image", "a.jpg", "--top_k", "1e20"), ("label-image", "a.jpg", "--threshold", "nan"),
    ("label-image", "a.jpg", "--input_std", "0"),
], ids=lambda arguments: " ".join(map(str, arguments))[:60])  # fmt: skip
def test_of_each_command_in_one_line(arguments: tuple[Any, ...], run: Run, tmp_path: Path) -> None:
    photos = () if arguments[0] == "label-image" else ("--image_dir", tmp_path / "nowhere")
    done = run(*arguments, *(() if "export" in arguments else photos))
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1 and ": give " in done.stderr
    assert list((tmp_path / "work").iterdir()) == []


WRONG: dict[str, list[Any]] = {
    "input_size": [5, "224", [1], [1, 2, 3], [0, 5], [10**6, 5], [1.5, 2], [True, 5]],
    "input_range": [1, [1, 0], [0, 0], [0, math.inf], [math.nan, 1], ["0", "1"], {"low": 0}],
    "assert_recall": [5, "red=1", [5], [["red"]], [["red", "1"]], [[1, 0.5]], [["red", 2]]],
    "l2": ["much", "-1", "nan", "1e400", -1, [], "9" * 5000],
    "fine_tune": ["", "0", "LAST_0", "LAST_" + "9" * 5000, "some", 0, -1, 1.5, []],
    "image_dir": [None, 5, [], "a\0b", 1.5, object()],
    "output_graph": [None, 5, [], "a\0b", True],
}


@pytest.mark.parametrize("name", SETTINGS)
def test_the_python_function_refuses_them(name: str, tmp_path: Path) -> None:
    wrong, setting = WRONG.get(name), SETTINGS[name]
    if wrong is None and setting.range is not None:
        none_too = "None" in str(setting.kind)
        wrong = [value for value in NO_NUMBERS if not (none_too and value is None)]
        wrong += [10**20, -(10**20), 1e20, "1e20"]
    elif wrong is None and setting.choices:
        wrong = ["", "SGD ", None, 5, ["sgd"], {}, True]
    elif wrong is None:
        wrong = [5, 1.5, [], {}, object()]
    for value in wrong:
        with pytest.raises(UsageFault) as fault:
            TrainConfig.from_flat(**{"image_dir": "photos", name: value})
        assert name in str(fault.value) and "\n" not in str(fault.value)
        assert len(str(fault.value)) < 250


def test_retrain_train_does_nothing_before_it_knows_them(tmp_path: Path) -> None:
    for given in ({"how_many_training_steps": 1e20}, {"seed": "x"}, {"solver": "best"},
                  {"calibration": "yes"}):  # fmt: skip
        with pytest.raises(UsageFault):
            retrain.train(tmp_path / "nowhere", **given)
    with pytest.raises(TypeError, match="speed"):
        retrain.train(tmp_path, speed=3)
    with pytest.raises(UsageFault, match="input_height"):
        retrain.load(None, height=10**9)
    with pytest.raises(UsageFault, match="top_k"):
        retrain.load(None).label([], top_k=0)
    assert list(tmp_path.iterdir()) == []


def test_plainer_values_become_what_the_fields_have() -> None:
    given: dict[str, Any] = {
        "seed": np.int64(2**62), "learning_rate": np.float32(0.5), "dropout": 0, "l2": 0.5,
        "fine_tune": 3, "input_size": [128, np.int32(96)], "input_range": [-1, 1],
        "assert_recall": [["red", 1]], "output_graph": "a/g.pb", "tfhub_module": Path("m"),
        "report": np.True_, "summaries_dir": None, "epochs": None,
    }  # fmt: skip
    found = TrainConfig.from_flat(b"photos", **given)  # type: ignore[arg-type]
    assert found == TrainConfig.from_flat(
        "photos", seed=2**62, learning_rate=0.5, dropout=0.0, l2="0.5", fine_tune="3",
        input_size=(128, 96), input_range=(-1.0, 1.0), assert_recall=(("red", 1.0),),
        output_graph=Path("a/g.pb"), tfhub_module="m", report=True, summaries_dir=None,
    )  # fmt: skip
    json.dumps({"seed": found.batches.seed, "rate": found.head.learning_rate})  # for run.json


@pytest.mark.parametrize(("settings", "said"), [
    ({"how_many_training_steps": 10**12}, "--how_many_training_steps 1000000000000: give"),
    ({"learning_rate": -1.5}, "--learning_rate -1.5: give"),
    ({"train_batch_size": 10**9}, "--train_batch_size 1000000000: give"),
    ({"solver": "best"}, "'best' is not one of"), ({"seed": "7"}, "gives seed as"),
    ({"input_size": [10**6, 3]}, "--input_size 1000000: give"),
    ({"assert_recall": [["red", 7]]}, "--assert_recall 7: give"), ({"l2": "all"}, "--l2 all: give"),
    ({"seed": math.nan}, "gives seed as NaN"), ({"epochs": 10**9}, "--epochs 1000000000: give"),
])  # fmt: skip
def test_run_json_refuses_them(
    settings: dict[str, Any], said: str, run: Run, tmp_path: Path
) -> None:
    entries = {name: {"value": value, "from": "config"} for name, value in settings.items()}
    record = tmp_path / "run.json"
    record.write_text(json.dumps({"format": 1, "settings": entries}))
    done = run("retrain", "--config", record, "--image_dir", tmp_path / "nowhere")
    assert done.returncode in (1, 2) and done.stdout == ""
    assert said in done.stderr and len(done.stderr.splitlines()) == 1


def test_texts_with_numbers_in_them() -> None:
    assert parse_size("4096") == (4096, 4096) and parse_size(" 16X4096") == (16, 4096)
    assert parse_range("-1,1") == (-1, 1) and parse_recall("a=b=1") == ("a=b", 1)
    assert parse_depth(f"LAST_{10**6}") == 10**6
    for parse, texts in (
        (parse_size, ["4097", "0", "1x0", "1e6", "9" * 5000, "١", "1x2x3", "x", "-1"]),
        (parse_range, ["0", "1,0", "0,0", "0,inf", "-inf,0", "nan,1", "0,1,2", "0," + "9" * 5000]),
        (parse_recall, ["=1", "a=", "a=0", "a=2", "a=nan", "a", "", "a=" + "9" * 5000]),
        (parse_depth, ["LAST_1000001", "9" * 5000, "1e3", "0", "000"]),
    ):  # fmt: skip
        for text in texts:
            with pytest.raises(UsageFault) as fault:
                parse(text)
            assert len(str(fault.value)) < 250


def test_pictures_that_no_memory_holds_are_refused() -> None:
    check_size(512, 512)
    with pytest.raises(UsageFault, match="4096x4096 is too large for simple_cnn"):
        check_size(4096, 4096)
    TrainConfig.from_flat("a", random_crop=200, random_scale=200)
    TrainConfig.from_flat("a", random_crop=10, input_size=(4096, 4096))
    with pytest.raises(UsageFault, match="makes pictures of 36864 pixels a side"):
        TrainConfig.from_flat("a", random_crop=200, random_scale=200, input_size=(4096, 10))


def test_the_largest_seed_is_one_for_all_that_draws() -> None:

    seed = int(RANGES["seed"].high)
    features = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
    labels = np.arange(20, dtype=np.int32) % 2
    heads = [
        train_head(
            FeatureMatrix.of(features),
            labels,
            np.arange(20),
            validation_rows=np.arange(0),
            classes=2,
            settings=SgdSettings(
                steps=5,
                learning_rate=0.05,
                train_batch_size=16,
                validation_batch_size=-1,
                eval_step_interval=10,
                sampling="balanced",
                seed=each,
            ),
            on_step=lambda *_: None,
            on_evaluation=lambda _: None,
        )
        for each in (seed, seed, seed - 1)
    ]
    assert np.array_equal(heads[0].weights, heads[1].weights)
    assert not np.array_equal(heads[0].weights, heads[2].weights)

    picture = Image.fromarray(np.zeros((8, 8, 3), np.uint8))
    Distortion(random_crop=10, seed=seed).apply(picture, 8, 8, digest=b"digest")
    np.random.default_rng([seed, 3]).permutation(3)
    assert (
        len(Sampler(np.arange(20), labels, "balanced", rng=np.random.default_rng(seed)).draw(3))
        == 3
    )
