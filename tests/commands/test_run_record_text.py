"""A run record that an editor, or nobody, wrote."""

import codecs
import json
from pathlib import Path
from typing import Any

import pytest

from retrain.commands.run_record import read_settings
from retrain.config import SETTINGS
from retrain.errors import RetrainError
from retrain.utils.json_types import fits

PLAIN = {"seed": 7, "l2": "0.1", "image_dir": "Möwen", "assert_recall": [["a", 0.5]]}
WRONG: list[Any] = ["abc", "", -1.5, 1e999, float("nan"), [1, 2], {"a": 1}, True, [["a"]], "\ud800",
                    "a\0b", 10**30, [], 3]  # fmt: skip


def record(settings: dict[str, Any], **more: Any) -> str:
    entries = {name: {"value": value, "from": "config"} for name, value in settings.items()}
    return json.dumps({"format": 1, "settings": entries, **more}, ensure_ascii=False)


@pytest.mark.parametrize("content", [
    record(PLAIN).encode(), codecs.BOM_UTF8 + record(PLAIN).encode(),
    record(PLAIN).encode("utf-16"),
    b"\r\n" + record(PLAIN).replace(" ", "\r\n").encode() + b"\r\n\r\n",
], ids=["plain", "mark", "UTF-16", "CR LF"])  # fmt: skip
def test_a_record_is_read_whatever_an_editor_made_of_it(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_bytes(content)
    assert read_settings(path) == PLAIN


@pytest.mark.parametrize("content", [
    b"", b"{", b"[]", b"null", b"3", b'{"settings": 3}', b'{"settings": {"seed": 3}}',
    b'{"format": 1, "settings": []}', b"[" * 100_000, b'{"format": 1, "settings": {"x": {}}}',
    record(PLAIN, format=2).encode(), record({"speed": 3}).encode(), b"9" * 10_000,
    record(PLAIN).encode("latin-1"), b"\x89PNG\0",
], ids=lambda content: str(content[:20]))  # fmt: skip
def test_what_is_no_record_is_refused_by_name(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_bytes(content)
    with pytest.raises(RetrainError) as found:
        read_settings(path)
    assert str(path) in str(found.value) and len(str(found.value)) < 1000


@pytest.mark.parametrize("name", SETTINGS)
def test_each_setting_has_its_type(name: str, tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    hint = SETTINGS[name].kind
    for value in WRONG:
        path.write_text(record({name: value}).replace("\ud800", r"\ud800"), "utf-8")
        if fits(value, hint):
            assert name == "allow_unsafe_module" or read_settings(path) == {name: value}
        else:
            with pytest.raises(RetrainError, match=f"gives {name} as "):
                read_settings(path)
    assert sum(fits(value, hint) for value in WRONG) <= 3


@pytest.mark.parametrize(("hint", "good", "bad"), [
    (int, [0, -5, 2**64 - 1], [True, 1.0, "1", None, 2**64]),
    (float, [0, 1.5, 1e300], [False, float("inf"), float("nan"), "1"]),
    (bool, [True], [1, "true", None]),
    (str | None, ["", "caf\udce9", None], [3, "\ud800", "\0"]),
    (Path | None, ["a/b", None], [3, "\0"]),
    (tuple[int, int] | None, [[1, 2], (1, 2), None], [[1], [1, 2, 3], [1, "2"], "12"]),
    (tuple[str, ...], [[], ["a"]], ["a", [1], None]),
    (dict[str, str], [{}, {"a": "b"}], [{"a": 1}, [], None]),
    (dict[str, Any], [{"a": [1]}], [3]),
])  # fmt: skip
def test_a_value_fits_its_type_or_not(hint: Any, good: list[Any], bad: list[Any]) -> None:
    assert all(fits(value, hint) for value in good)
    assert not any(fits(value, hint) for value in bad)
