"""Checking values that were read from JSON against the types that they should have."""

import math
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Union, get_args, get_origin

LARGEST = (1 << 64) - 1  # of a whole number that is kept anywhere: a seed


def fits(value: Any, hint: Any) -> bool:
    """Tell whether a value from JSON can become one of type `hint`.

    Types are bool, int, float, str, Path, None, Any, and unions, tuples and dicts of these. Numbers
    must be finite, whole ones at most `LARGEST`; text must be what a file can hold.
    """
    if hint is Any:
        return True
    if hint is None or hint is type(None):
        return value is None
    if hint is bool:
        return isinstance(value, bool)
    if hint in (int, float):
        kinds = (int,) if hint is int else (int, float)
        return isinstance(value, kinds) and not isinstance(value, bool) and _is_ordinary(value)
    if hint in (str, Path):
        return isinstance(value, str) and _can_be_written(value)
    inner = get_args(hint)
    if get_origin(hint) in (Union, types.UnionType):
        return any(fits(value, one) for one in inner)
    if get_origin(hint) is tuple and isinstance(value, (list, tuple)):
        wanted = (inner[0],) * len(value) if inner[1:] == (...,) else inner
        return len(value) == len(wanted) and all(map(fits, value, wanted))
    if get_origin(hint) is dict and isinstance(value, Mapping):
        return all(fits(key, inner[0]) and fits(one, inner[1]) for key, one in value.items())
    return False


def _is_ordinary(number: float) -> bool:
    return math.isfinite(number) if isinstance(number, float) else abs(number) <= LARGEST


def _can_be_written(text: str) -> bool:
    """Tell whether a text is Unicode, or bytes of file names, without zeros."""
    try:
        text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False
    return "\0" not in text
