"""Flatbuffers without their schemas: tables read and written by the positions of their fields.

A field's position (slot) in its table is fixed for ever by flatbuffers' rules
(https://flatbuffers.dev/internals). Only writing needs the library.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Number:
    """A field that holds its value itself; `kind` as flatbuffers calls it, like `Uint32`."""

    kind: str
    value: int


def write_table(builder: Any, fields: Mapping[int, int | Number]) -> int:
    """Write a table of numbers and of offsets to what was written before; return its own offset."""
    builder.StartObject(max(fields) + 1)
    for slot, entry in fields.items():
        if isinstance(entry, Number):
            getattr(builder, f"Prepend{entry.kind}Slot")(slot, entry.value, 0)
        else:
            builder.PrependUOffsetTRelativeSlot(slot, entry, 0)
    return int(builder.EndObject())


def write_vector(builder: Any, offsets: list[int]) -> int:
    """Write a vector of offsets to what was written before; return its own offset."""
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return int(builder.EndVector())


def write_float(builder: Any, value: float) -> int:
    """Write a vector of one float32; return its own offset."""
    builder.StartVector(4, 1, 4)
    builder.PrependFloat32(value)
    return int(builder.EndVector())


class Table:
    """A table in a flatbuffer. Kinds of numbers are `struct`'s; an absent field is 0 or empty.

    Raises struct.error, IndexError or ValueError where the bytes are no flatbuffer.
    """

    def __init__(self, data: bytes, position: int) -> None:
        self.data, self.position = data, position

    def _at(self, kind: str, position: int) -> Any:
        return struct.unpack_from(f"<{kind}", self.data, position)[0]

    def _field(self, slot: int) -> int | None:
        """Return where the field lies, None where it is absent."""
        fields = self.position - self._at("i", self.position)
        place = 4 + 2 * slot
        offset = self._at("H", fields + place) if place < self._at("H", fields) else 0
        return self.position + offset if offset else None

    def target(self, slot: int) -> int | None:
        """Return where the string, vector or table lies that the field refers to, or None."""
        field = self._field(slot)
        return None if field is None else field + self._at("I", field)

    def number(self, slot: int, kind: str) -> int:
        """Return a number."""
        field = self._field(slot)
        return 0 if field is None else self._at(kind, field)

    def table(self, slot: int) -> "Table | None":
        """Return a table, or None."""
        target = self.target(slot)
        return None if target is None else Table(self.data, target)

    def content(self, slot: int, size: int = 1) -> bytes:
        """Return a string, or a vector of items of `size` bytes."""
        start = self.target(slot)
        if start is None:
            return b""
        return self.data[start + 4 : start + 4 + size * self._at("I", start)]

    def numbers(self, slot: int, kind: str) -> list[Any]:
        """Return a vector of numbers of 4 bytes."""
        return [value for (value,) in struct.iter_unpack(f"<{kind}", self.content(slot, 4))]

    def tables(self, slot: int) -> "list[Table]":
        """Return a vector of tables."""
        start = (self.target(slot) or 0) + 4
        offsets = self.numbers(slot, "I")
        return [Table(self.data, start + 4 * i + offset) for i, offset in enumerate(offsets)]


def root_table(data: bytes) -> Table:
    """Return the table at the root of a flatbuffer."""
    return Table(data, struct.unpack_from("<I", data)[0])
