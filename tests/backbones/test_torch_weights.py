"""Reading PyTorch's weights files: exact arrays, and nothing that the file says is run."""

import os
import pickle
import struct
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from retrain.backbones.sources.torch_weights import (
    MAGIC,
    STORAGE_TYPES,
    VERSION,
    read_torch_weights,
)
from retrain.errors import RetrainError

MACHINE = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"long": 4}}


class Named:
    """Pickled as the bare name of something that need not exist here."""

    def __init__(self, module: str, name: str) -> None:
        self.module, self.name = module, name


class Stored(tuple[Any, ...]):
    """Pickled as a persistent id, as PyTorch writes its storages."""


class Call:
    """Pickled as a call of `function` (bare without `arguments`); then given `state`, if any."""

    def __init__(self, function: Any, arguments: tuple[Any, ...] | None, state: Any = None) -> None:
        self.function, self.arguments, self.state = function, arguments, state


class Pickler(pickle._Pickler):  # the one in Python, where globals can be written unchecked
    def persistent_id(self, obj: Any) -> Any:
        return tuple(obj) if isinstance(obj, Stored) else None

    def save(self, obj: Any, save_persistent_id: bool = True) -> None:
        if isinstance(obj, Named):
            self.write(f"c{obj.module}\n{obj.name}\n".encode())
        elif isinstance(obj, Call):
            self.save(obj.function)
            if obj.arguments is not None:
                self.save(obj.arguments)
                self.write(pickle.REDUCE)
            if obj.state is not None:
                self.save(obj.state)
                self.write(pickle.BUILD)
        else:
            super().save(obj, save_persistent_id)


def stored(kind: str, key: str, count: int, view: Any = None) -> Stored:
    return Stored(("storage", Named("torch", kind), key, "cpu", count, view))


def tensor(storage: Stored, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> Call:
    rebuild = Named("torch._utils", "_rebuild_tensor_v2")
    return Call(rebuild, (storage, offset, shape, strides, False, OrderedDict()))


def write_pth(path: Path, state: Any, storages: dict[str, np.ndarray]) -> Path:
    """Writes `torch.save`'s older format; `state` in its terms, storages flat by key."""
    with open(path, "wb") as file:
        for part in (MAGIC, VERSION, MACHINE, state, list(storages)):
            Pickler(file, 2).dump(part)
        for content in storages.values():
            file.write(struct.pack("<q", len(content)) + content.tobytes())
    return path


def refusal(path: Path) -> str:
    with pytest.raises(RetrainError) as caught:
        read_torch_weights(path)
    assert str(path) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


NUMBERS = np.arange(24, dtype="<f4")
WHOLE = stored("FloatStorage", "0", 24)


def test_names_order_types_and_values(tmp_path: Path) -> None:
    storages = {
        f"{number}": np.array([1, -2, 3, 100, -100, 0]).astype(dtype)
        for number, dtype in enumerate(STORAGE_TYPES.values())
    }
    state = OrderedDict(
        (f"z{number}.{kind}", tensor(stored(kind, str(number), 6), 0, (2, 3), (3, 1)))
        for number, kind in reversed(list(enumerate(STORAGE_TYPES)))
    )
    found = read_torch_weights(write_pth(tmp_path / "w.pth", state, storages))
    assert list(found) == list(state)
    for number, (kind, dtype) in enumerate(STORAGE_TYPES.items()):
        array = found[f"z{number}.{kind}"]
        assert array.dtype == np.dtype(dtype)
        assert array.tolist() == [[1, -2, 3], [100, -100, 0]]


@pytest.mark.parametrize(
    ("offset", "shape", "strides", "expected"),
    [
        (0, (4, 6), (6, 1), NUMBERS.reshape(4, 6)),
        (0, (6, 4), (1, 6), NUMBERS.reshape(4, 6).T),
        (0, (2, 4, 3), (12, 1, 4), NUMBERS.reshape(2, 3, 4).transpose(0, 2, 1)),
        (5, (3, 2), (6, 2), NUMBERS[5:].take([[0, 2], [6, 8], [12, 14]])),
        (23, (1,), (1,), NUMBERS[23:]),
        (7, (), (), NUMBERS[7]),
        (3, (2, 3), (0, 1), np.stack([NUMBERS[3:6]] * 2)),
        (0, (0, 3), (3, 1), np.zeros((0, 3))),
    ],
)
def test_views_of_a_storage(
    offset: int, shape: Any, strides: Any, expected: np.ndarray, tmp_path: Path
) -> None:
    state = {"view": tensor(WHOLE, offset, shape, strides), "first": tensor(WHOLE, 0, (1,), (1,))}
    found = read_torch_weights(write_pth(tmp_path / "w.pth", state, {"0": NUMBERS}))
    assert found["view"].shape == shape
    assert np.array_equal(found["view"], expected)
    assert found["view"].flags.c_contiguous
    found["view"][...] = -1  # a copy: tensors that shared a storage do so no longer
    assert found["first"] == [0]


def test_a_modules_metadata_is_passed_over(tmp_path: Path) -> None:
    items = [("weight", tensor(WHOLE, 0, (24,), (1,)))]
    metadata = {"_metadata": OrderedDict([("", {"version": 2})])}
    state = Call(Named("collections", "OrderedDict"), (items,), metadata)
    found = read_torch_weights(write_pth(tmp_path / "w.pth", state, {"0": NUMBERS}))
    assert list(found) == ["weight"]
    assert np.array_equal(found["weight"], NUMBERS)


@pytest.mark.parametrize(
    "name",
    [
        ("os", "system"),
        ("posix", "system"),
        ("builtins", "eval"),
        ("__builtin__", "eval"),
        ("numpy", "save"),
        ("torch", "load"),
        ("torch._utils", "_rebuild_parameter"),
        ("retrain.utils.files", "write_bytes"),
    ],
)
def test_nothing_else_can_be_named(name: tuple[str, str], tmp_path: Path) -> None:
    said = refusal(write_pth(tmp_path / "w.pth", {"weight": Named(*name)}, {}))
    assert f"it asks for {name[0]}.{name[1]}" in said


@pytest.mark.parametrize("where", range(5))
def test_a_pickle_that_would_create_a_file_does_not(where: int, tmp_path: Path) -> None:
    prize = tmp_path / "prize"
    attack = Call(Named(os.name, "system"), (f"echo run > '{prize}'",))
    weights = {"weight": tensor(WHOLE, 0, (24,), (1,))}
    parts = [MAGIC, VERSION, MACHINE, weights, ["0"]]
    parts[where] = attack
    path = tmp_path / "w.pth"
    with open(path, "wb") as file:
        for part in parts:
            Pickler(file, 2).dump(part)
    refusal(path)
    assert not prize.exists()
    with open(path, "rb") as file:  # the attack is real: the plain unpickler falls for it
        for _ in range(where):
            Restless(file).load()
        pickle.load(file)
    assert prize.exists()


class Restless(pickle.Unpickler):
    """Skips a pickle of weights."""

    def find_class(self, module: str, name: str) -> Any:
        return OrderedDict if name == "OrderedDict" else lambda *_: None

    def persistent_load(self, pid: Any) -> Any:
        return None


def test_what_a_file_sets_does_not_outlive_it(tmp_path: Path) -> None:
    """A pickle may set attributes of what it was given; the next file must not meet them."""
    rebuild = Named("torch._utils", "_rebuild_tensor_v2")
    for number, arguments in enumerate((None, (WHOLE, 0, (24,), (1,)))):
        spoilt = Call(rebuild, arguments, (None, {"storage": "1"}))
        refusal(write_pth(tmp_path / f"{number}.pth", {"weight": spoilt}, {"0": NUMBERS}))
    good = {"weight": tensor(WHOLE, 0, (24,), (1,))}
    found = read_torch_weights(write_pth(tmp_path / "good.pth", good, {"0": NUMBERS}))
    assert np.array_equal(found["weight"], NUMBERS)


def test_a_file_cut_short_anywhere_is_refused(tmp_path: Path) -> None:
    state = {"weight": tensor(WHOLE, 0, (24,), (1,))}
    path = write_pth(tmp_path / "w.pth", state, {"0": NUMBERS})
    content = path.read_bytes()
    for length in range(len(content)):
        path.write_bytes(content[:length])
        refusal(path)


STATES: dict[str, Any] = {
    "no dict": [tensor(WHOLE, 0, (24,), (1,))],
    "a number": {"epoch": 3},
    "a dict within": {"state_dict": {"weight": tensor(WHOLE, 0, (24,), (1,))}},
    "a view beyond the end": {"weight": tensor(WHOLE, 0, (25,), (1,))},
    "an offset beyond the end": {"weight": tensor(WHOLE, 24, (), ())},
    "a stride beyond the end": {"weight": tensor(WHOLE, 0, (2, 2), (23, 1))},
    "a negative offset": {"weight": tensor(WHOLE, -1, (2,), (1,))},
    "a negative stride": {"weight": tensor(WHOLE, 23, (2,), (-1,))},
    "a negative size": {"weight": tensor(WHOLE, 0, (-2,), (1,))},
    "strides for another shape": {"weight": tensor(WHOLE, 0, (2, 2), (1,))},
    "a storage that is not there": {"weight": tensor(stored("FloatStorage", "1", 24), 0, (), ())},
    "a storage within a storage": {
        "weight": tensor(stored("FloatStorage", "0", 24, ("1", 0, 24)), 0, (), ())
    },
    "another length": {"weight": tensor(stored("FloatStorage", "0", 23), 0, (), ())},
    "a negative length": {"weight": tensor(stored("FloatStorage", "0", -1), 0, (), ())},
}


@pytest.mark.parametrize("state", STATES)
def test_odd_content_is_refused(state: str, tmp_path: Path) -> None:
    refusal(write_pth(tmp_path / "w.pth", STATES[state], {"0": NUMBERS}))


FILES: dict[str, Callable[[Path], Any]] = {
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("<html>Not found</html>"),
    "zip": lambda path: path.write_bytes(b"PK\x03\x04" + bytes(60)),
    "another pickle": lambda path: path.write_bytes(pickle.dumps({"weight": [1.0]})),
    "folder": lambda path: path.mkdir(),
    "missing": lambda path: None,
}


@pytest.mark.parametrize("kind", FILES)
def test_other_files_are_refused(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    FILES[kind](path)
    said = refusal(path)
    assert ("cannot read weights" in said) == (kind in ("folder", "missing"))
