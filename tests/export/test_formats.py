"""The table of export formats: a new entry is known to settings, `--to`, checks and runtimes."""

import subprocess
import sys
from pathlib import Path

import pytest

from retrain.errors import RetrainError
from retrain.export import onnx, saved_model, tflite
from retrain.export.config import ExportConfig
from retrain.export.export import check_exports
from retrain.export.format_module import FolderModule, FormatModule
from retrain.export.formats import BY_SUFFIX, FLOAT32, FORMATS, ExportFormat, format_of
from retrain.utils.settings import settings_in

# mypy holds each module to what a format's module offers.
FILES: dict[str, FormatModule] = {"ONNX": onnx, "TFLite": tflite}
FOLDERS: dict[str, FolderModule] = {"SavedModel": saved_model}


@pytest.mark.parametrize("entry", FORMATS, ids=lambda entry: entry.name)
def test_each_format_has_its_module_and_settings(entry: ExportFormat) -> None:
    assert entry.load() is {**FILES, **FOLDERS}[entry.name]
    assert entry.load_folder() is FOLDERS.get(entry.name)
    settings = settings_in(ExportConfig)
    assert settings[entry.setting].default is None
    if entry.numbers_setting is None:
        assert set(entry.agreement) == {FLOAT32}
    else:
        numbers = settings[entry.numbers_setting]
        assert numbers.default == FLOAT32 and numbers.choices == tuple(entry.agreement)


def test_every_place_has_one_format() -> None:
    assert len(BY_SUFFIX) == len(FORMATS)
    for entry in FORMATS:
        assert format_of(Path(f"models/m{(entry.suffix or '').upper()}")) is entry
    assert format_of(Path("models/3")) is format_of(Path("models.v2")) is BY_SUFFIX[None]


def test_what_is_wanted_comes_from_the_table(tmp_path: Path) -> None:
    places = {entry.setting: tmp_path / f"m{entry.suffix or ''}" for entry in FORMATS}
    wanted = ExportConfig(**places)  # type: ignore[arg-type]
    assert [target.format for target in wanted.targets()] == list(FORMATS)
    assert [target.flag for target in wanted.targets()] == [f"--{name}" for name in places]
    assert [wanted.least(target) for target in wanted.targets()] == [1.0] * len(FORMATS)
    check_exports(wanted)


@pytest.mark.parametrize(
    "entry", [one for one in FORMATS if one.needs], ids=lambda entry: entry.name
)
def test_what_is_not_installed_is_named_before_the_work(
    entry: ExportFormat, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package, extra = entry.needs[0]
    name = package.replace("-", "_")
    for imported in [key for key in sys.modules if key.split(".")[0] == name]:
        monkeypatch.delitem(sys.modules, imported)
    monkeypatch.setitem(sys.modules, name, None)
    place = tmp_path / f"m{entry.suffix}"
    with pytest.raises(RetrainError, match=rf"{entry.name} files .*retrain\[{extra}\]"):
        check_exports(ExportConfig(**{entry.setting: place}))  # type: ignore[arg-type]


def test_the_table_alone_imports_no_numpy() -> None:
    script = "import sys, retrain.export.config; assert 'numpy' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True)
