"""Parts of PNG files, for pictures that Pillow does not write."""

import struct
import zlib


def chunk(name: bytes, data: bytes) -> bytes:
    """One chunk of a PNG file: its length, name, data and checksum."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
