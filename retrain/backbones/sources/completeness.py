"""Telling a whole SavedModel folder from a half-written one, in milliseconds, without TensorFlow.

Variables lie in TensorFlow's "tensor bundle": `variables.index` is a LevelDB table from each
tensor's name to its place in the files `variables.data-<shard>-of-<shards>`
(tensorflow/core/util/tensor_bundle, LevelDB's doc/table_format.md).
"""

from collections.abc import Iterator
from pathlib import Path

MOST_BYTES = 16 << 30  # of what is fetched as a module; they have up to a few gigabytes
TABLE_MAGIC = (0xDB4775248B80FB57).to_bytes(8, "little")
FOOTER_BYTES = 48
UNCOMPRESSED = 0
VARIABLE_OPS = (b"VarHandleOp", b"VariableV2")
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5  # protobuf's wire types


class _Compressed(Exception):
    """The table's blocks are compressed, so what it lists cannot be read here."""


def lack_of(folder: Path) -> str | None:
    """Say what the SavedModel in `folder` lacks; None if it looks whole."""
    try:
        graph = (folder / "saved_model.pb").read_bytes()
        index = folder / "variables" / "variables.index"
        table = index.read_bytes() if index.exists() else None
    except OSError as error:
        return f"{error.filename} cannot be read"
    try:
        if not [field for field, _ in _fields(graph) if field == 2]:
            return "saved_model.pb holds no graph"
    except (LookupError, ValueError):
        return "saved_model.pb is cut off"
    if table is None:
        has_variables = any(op in graph for op in VARIABLE_OPS)
        return "variables/variables.index is missing" if has_variables else None
    try:
        sizes = _shard_sizes(table)
    except _Compressed:
        return None
    except (LookupError, ValueError):
        return "variables.index is cut off"
    for shard, size in enumerate(sizes):
        data = index.with_name(f"variables.data-{shard:05}-of-{len(sizes):05}")
        if not data.is_file():
            return f"{data.name} is missing"
        if data.stat().st_size < size:
            return f"{data.name} is cut off"
    return None


def _shard_sizes(table: bytes) -> list[int]:
    """Return how many bytes each data file of the bundle has at least."""
    if table[-8:] != TABLE_MAGIC:
        raise ValueError("magic")
    footer = table[-FOOTER_BYTES:]
    _, at = _handle(footer, 0)
    blocks, _ = _handle(footer, at)
    sizes: list[int] = []
    for _, handle in _entries(table, *blocks):
        for key, value in _entries(table, *_handle(handle, 0)[0]):
            fields = dict(_fields(value))
            if not key:  # the header, first of all: field 1 is the number of shards
                sizes = [0] * fields.get(1, 1)
            else:  # a tensor: fields 3, 4, 5 are its shard, offset and size
                shard = fields.get(3, 0)
                sizes[shard] = max(sizes[shard], fields.get(4, 0) + fields.get(5, 0))
    return sizes


def _entries(table: bytes, start: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield keys and values of one block; each key shares a prefix with the one before."""
    if table[start + size] != UNCOMPRESSED:  # which TensorFlow does not write
        raise _Compressed
    restarts = int.from_bytes(table[start + size - 4 : start + size], "little")
    at, end, key = start, start + size - 4 - 4 * restarts, b""
    while at < end:
        shared, at = _varint(table, at)
        unshared, at = _varint(table, at)
        length, at = _varint(table, at)
        key = key[:shared] + table[at : at + unshared]
        at += unshared + length
        yield key, table[at - length : at]


def _handle(data: bytes, at: int) -> tuple[tuple[int, int], int]:
    """Return a block's offset and size, and the position behind them."""
    offset, at = _varint(data, at)
    size, at = _varint(data, at)
    return (offset, size), at


def _fields(message: bytes) -> Iterator[tuple[int, int]]:
    """Yield numbers and values of a protobuf's fields; a text's or message's value is its length.

    Raises LookupError or ValueError where the message is cut off.
    """
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        value, kind = 0, key & 7
        if kind in (VARINT, BYTES):
            value, at = _varint(message, at)
        at += {VARINT: 0, FIXED64: 8, BYTES: value, FIXED32: 4}[kind]
        yield key >> 3, value
    if at != len(message):
        raise ValueError("cut off")


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at
