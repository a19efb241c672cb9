"""Settings from a file: one that a person writes in TOML, YAML or JSON, or a run's record.

    image_dir = "flowers/"
    how_many_training_steps = 500
    assert_recall = { daisy = 0.8 }

Names are those of the options. What stands there counts as if it were typed, so that it is checked
in the same way.
"""

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from retrain.commands.run_record import read_settings
from retrain.config import SETTINGS
from retrain.errors import RetrainError, UsageFault, one_line
from retrain.utils.nearest import nearest
from retrain.utils.optional import require
from retrain.utils.settings import shown
from retrain.utils.suffixes import either
from retrain.utils.text import read_text

OLDER_NAMES = {"architecture": "tfhub_module"}


def read_settings_file(path: Path) -> dict[str, Any]:
    """Return the settings in a file by their names, as the command line's defaults take them.

    Raises RetrainError for a file that cannot be read, and UsageFault, which is one, for what is no
    setting.
    """
    suffix = path.suffix.lower()
    if suffix not in READERS:
        raise UsageFault(f"--config {path}: give a file that ends in {either(list(READERS))}")
    text = read_text(path, "settings")
    try:
        found = READERS[suffix](text)
    except RetrainError:
        raise
    except (ValueError, RecursionError) as error:
        raise RetrainError(
            f"{path.absolute()} cannot be read as {suffix[1:].upper()} ({one_line(error)}): "
            "repair it, or give another"
        ) from error
    if not isinstance(found, Mapping):
        raise RetrainError(f"{path.absolute()} holds no settings: give names with their values")
    if "settings" in found:
        return read_settings(path)
    settings = {}
    for given, value in found.items():
        name = str(given).replace("-", "_")
        name = OLDER_NAMES.get(name, name)
        if name not in SETTINGS:
            near = nearest(name, SETTINGS)
            hint = f"did you mean {near}?" if near else "retrain --help-all names all"
            raise UsageFault(f"{path} has no setting of a run in {shown(given)}: {hint}")
        if name == "allow_unsafe_module":
            raise UsageFault(
                f"{path} has {name}, which a file cannot allow: give --{name} if you trust the "
                "module's maker"
            )
        if value is not None:
            settings[name] = _typed(value, f"{path}: {name}", several=SETTINGS[name].default == ())
    return settings


def _typed(value: Any, where: str, *, several: bool) -> Any:
    """Return a value as it would be typed: numbers as text, `{a = 1}` as `a=1`.

    `several`: the option may be given several times, so that a value is a list.
    """
    if several:
        pairs = value.items() if isinstance(value, Mapping) else None
        values = [f"{a}={b}" for a, b in pairs] if pairs is not None else value
        return [str(one) for one in (values if isinstance(values, list) else [values])]
    if isinstance(value, Mapping):
        raise UsageFault(f"{where} has settings of its own: write all names on one level")
    return value if isinstance(value, (bool, list)) else str(value)


def _toml(text: str) -> Any:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib

    return tomllib.loads(text)


def _yaml(text: str) -> Any:
    require("yaml", "yaml", "reading settings in YAML")
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from error


READERS: dict[str, Callable[[str], Any]] = {
    ".json": json.loads, ".toml": _toml, ".yaml": _yaml, ".yml": _yaml,
}  # fmt: skip
