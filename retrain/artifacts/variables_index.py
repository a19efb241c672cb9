"""Checking the index of a SavedModel's variables before OpenVINO reads it.

OpenVINO follows a damaged `variables.index` out of its memory and ends the process. The index is a
LevelDB table (doc/table_format.md there): blocks, each with a checksum behind it, and a footer that
says where the block lies that lists the others.
"""

from pathlib import Path

from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import masked_crc32c

from retrain.errors import RetrainError
from retrain.utils.files import cannot_read

INDEX = Path("variables") / "variables.index"
MAGIC = (0xDB4775248B80FB57).to_bytes(8, "little")
FOOTER_BYTES = 48
TRAILER_BYTES = 5  # the kind of compression and the checksum
UNCOMPRESSED = 0  # the only kind that TensorFlow writes
VARINT_BYTES = 10  # of 64 bits, 7 in a byte


def check_variables_index(folder: Path) -> None:
    """Raise RetrainError if the SavedModel in `folder` has an index of variables that is damaged.

    A SavedModel without variables has none, which is well.
    """
    path = folder / INDEX
    try:
        table = path.read_bytes() if path.exists() else None
    except OSError as error:
        raise cannot_read("SavedModel", path, error) from error
    try:
        if table is not None:
            _check_blocks(table)
    except (LookupError, ValueError):
        raise RetrainError(f"{path.absolute()} is damaged: get the SavedModel again") from None


def _check_blocks(table: bytes) -> None:
    """Raise LookupError or ValueError if a block does not fit its checksum."""
    if table[-len(MAGIC) :] != MAGIC:
        raise ValueError("magic")
    footer = table[-FOOTER_BYTES:]
    _, at = _place(footer, 0)  # of a block of filters, which is empty
    listing, _ = _place(footer, at)
    block = _block(table, *listing)
    restarts = int.from_bytes(block[-4:], "little")
    at, end = 0, len(block) - 4 - 4 * restarts
    while at < end:  # an entry: bytes shared with the key before, more bytes, those of the value
        _, at = _varint(block, at)
        key, at = _varint(block, at)
        value, at = _varint(block, at)
        _block(table, *_place(block[at + key : at + key + value], 0)[0])
        at += key + value
    if at != end:
        raise ValueError("entries")


def _block(table: bytes, start: int, size: int) -> bytes:
    """Return a block's content. Raises ValueError if it does not fit its checksum."""
    whole = table[start : start + size + 1]  # the kind of compression belongs to it
    stored = int.from_bytes(table[start + size + 1 : start + size + TRAILER_BYTES], "little")
    if len(whole) != size + 1 or size < 4 or whole[-1] != UNCOMPRESSED:
        raise ValueError("block")
    if masked_crc32c(whole) != stored:
        raise ValueError("checksum")
    return whole[:-1]


def _place(data: bytes, at: int) -> tuple[tuple[int, int], int]:
    """Return a block's offset and size, and the position behind them."""
    offset, at = _varint(data, at)
    size, at = _varint(data, at)
    return (offset, size), at


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Return a number of 7 bits a byte, the lowest first, and the position behind it."""
    value = 0
    for number in range(VARINT_BYTES):
        byte = data[at + number]
        value |= (byte & 127) << 7 * number
        if byte < 128:
            return value, at + number + 1
    raise ValueError("number")
