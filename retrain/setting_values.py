"""The value of a setting, whoever gave it: what its field can have, or a fault in one line."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from retrain.backbones.freeze.input_config import check_range
from retrain.errors import UsageFault
from retrain.training.finetune.config import parse_depth
from retrain.utils.ranges import CHOICES, RANGES, check_choice, number_of, parse_number, shown

PAIRS = ("input_size", "input_range")


def checked(values: Mapping[str, Any], kinds: Mapping[str, Any]) -> dict[str, Any]:
    """The values of settings as their fields, of the types `kinds`, have them: text becomes a path,
    a list a tuple, NumPy's number a plain one.

    Raises UsageFault for one that is of another type, out of its range or none of its words."""
    return {name: _checked(name, value, kinds[name]) for name, value in values.items()}


def _checked(name: str, value: Any, hint: Any) -> Any:
    kind = str(hint)
    if value is None and "None" in kind:
        return None
    if name in PAIRS:
        if not isinstance(value, (list, tuple)) or len(value) != 2:
            raise UsageFault(f"{name} {shown(value)}: give two numbers")
        pair = tuple(number_of(name, each) for each in value)
        if name == "input_range":
            check_range(*pair)
        return pair
    if name == "assert_recall":
        return tuple(_recall(each) for each in _listed(name, value))
    if name == "l2":
        text = str(value)
        return text if text == "auto" else str(parse_number(name, text))
    if name == "fine_tune":
        parse_depth(str(value))
        return str(value)
    if name in RANGES:
        return number_of(name, value)
    if name in CHOICES:
        check_choice(name, value)
        return value
    if hint is bool:
        if not isinstance(value, (bool, np.bool_)):
            raise UsageFault(f"{name} {shown(value)}: give true or false")
        return bool(value)
    return _path_or_text(name, value, Path if "Path" in kind else str)


def _recall(entry: Any) -> tuple[str, float]:
    if not isinstance(entry, (list, tuple)) or len(entry) != 2 or not isinstance(entry[0], str):
        raise UsageFault(
            f"assert_recall {shown(entry)}: give pairs of a class and its least recall"
        )
    return entry[0], float(number_of("assert_recall", entry[1]))


def _listed(name: str, value: Any) -> Sequence[Any]:
    if not isinstance(value, (list, tuple)):
        raise UsageFault(f"{name} {shown(value)}: give a list")
    return value


def _path_or_text(name: str, value: Any, kind: type) -> Any:
    try:
        text = os.fsdecode(value)
    except TypeError:
        raise UsageFault(
            f"{name} {shown(value)}: give a {'path' if kind is Path else 'text'}"
        ) from None
    if "\0" in text:
        raise UsageFault(f"{name} {shown(text)}: no name can have a null character, leave it out")
    return kind(text) if kind is Path else text
