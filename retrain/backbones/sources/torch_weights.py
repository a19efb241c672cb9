"""Reading the weights that PyTorch saved, without PyTorch and without running the file's code.

The format is that of `torch.save` before version 1.6 (`_legacy_save` in torch/serialization.py):
pickles of a magic number, the protocol's version, facts about the machine, the state dict and the
keys of its storages; then, in the order of these keys, each storage: the count of its elements
(int64) and the elements themselves, all little-endian.
"""

import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from retrain.errors import RetrainError, one_line
from retrain.utils.files import cannot_read

MAGIC = 0x1950A86A20F9469CFC6C
VERSION = 1001
STORAGE_TYPES = {
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
}


def read_torch_weights(path: Path) -> dict[str, np.ndarray]:
    """Return the arrays of a `.pth` state dict by name, in the file's order, contiguous.

    Raises RetrainError for a file that is missing, cut short, in another format, or that names
    anything besides what a dict of tensors is made of.
    """
    try:
        with open(path, "rb") as file:
            return _read_state_dict(file)
    except OSError as error:
        raise cannot_read("weights", path, error) from error
    except Exception as error:  # the unpickler raises many kinds on odd content
        raise RetrainError(
            f"{path.absolute()} holds no weights in PyTorch's older format ({one_line(error)}): "
            "install the package that it came with again"
        ) from error


class _Tensor(NamedTuple):
    """A view of a storage; `offset` and `strides` count elements."""

    storage: str
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class _Unpickler(pickle.Unpickler):
    """Knows the few names that a state dict needs, and gives none of them PyTorch's meaning.

    A pickle can call whatever it is given and set attributes of it, so it is given text, a type
    that cannot be changed, and a function that is thrown away with it.
    """

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file)
        self.storages: dict[str, tuple[np.dtype[Any], int]] = {}  # type and count by key

    def find_class(self, module: str, name: str) -> Any:
        """Return a harmless stand-in for a name in the pickle; raise UnpicklingError for others."""
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda storage, offset, shape, strides, *_: _Tensor(
                storage, offset, shape, strides
            )
        if module == "torch" and name in STORAGE_TYPES:
            return STORAGE_TYPES[name]
        raise pickle.UnpicklingError(f"it asks for {module}.{name}, which no weights need")

    def persistent_load(self, pid: Any) -> str:
        """Record a storage's type and count, and return its key."""
        _, dtype, key, _device, count, view = pid
        if view is not None:
            raise pickle.UnpicklingError("it holds a storage within a storage")
        self.storages[key] = np.dtype(dtype), count
        return str(key)


def _read_state_dict(file: BinaryIO) -> dict[str, np.ndarray]:
    if (_Unpickler(file).load(), _Unpickler(file).load()) != (MAGIC, VERSION):
        raise ValueError("it begins otherwise")
    _Unpickler(file).load()  # sizes of C types, which do not apply to the elements
    unpickler = _Unpickler(file)
    tensors = unpickler.load()
    contents = {
        key: _read_storage(file, *unpickler.storages[key]) for key in _Unpickler(file).load()
    }
    return {str(name): _array(contents[tensor.storage], tensor) for name, tensor in tensors.items()}


def _read_storage(file: BinaryIO, dtype: np.dtype[Any], count: int) -> np.ndarray:
    content = file.read(8 + count * dtype.itemsize)
    if len(content) != 8 + count * dtype.itemsize:
        raise EOFError("it is cut short")
    if int.from_bytes(content[:8], "little", signed=True) != count:
        raise ValueError("a storage has another length than announced")
    return np.frombuffer(content, dtype, offset=8)


def _array(content: np.ndarray, tensor: _Tensor) -> np.ndarray:
    """Copy a tensor's elements, after a check that they lie within the storage."""
    reach = tensor.offset + sum(
        (size - 1) * stride for size, stride in zip(tensor.shape, tensor.strides, strict=True)
    )
    if min((tensor.offset, *tensor.shape, *tensor.strides)) < 0 or reach >= len(content):
        raise ValueError("a tensor reaches beyond its storage")
    view = np.lib.stride_tricks.as_strided(
        content[tensor.offset :],
        tensor.shape,
        [stride * content.itemsize for stride in tensor.strides],
    )
    return np.array(view, order="C")
