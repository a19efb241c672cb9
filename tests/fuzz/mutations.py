"""Damage to bytes, as disks, transfers, programs and attackers do it."""

import random
from collections.abc import Callable

EXTREMES = (0, 1, 2, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF)
Mutation = Callable[[bytes, random.Random], bytes]


def flip(content: bytes, rng: random.Random) -> bytes:
    """One bit to twenty bits."""
    changed = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 5, 20))):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def flip_in_header(content: bytes, rng: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(rng.choice((1, 2, 4))):
        changed[rng.randrange(min(len(changed), 64))] = rng.randrange(256)
    return bytes(changed)


def truncate(content: bytes, rng: random.Random) -> bytes:
    return content[: rng.randrange(1, len(content))]


def zero(content: bytes, rng: random.Random) -> bytes:
    """A block that a disk lost."""
    start = rng.randrange(len(content))
    length = min(rng.choice((16, 512, 4096)), len(content) - start)
    return content[:start] + bytes(length) + content[start + length :]


def garbage(content: bytes, rng: random.Random) -> bytes:
    start = rng.randrange(len(content))
    length = min(rng.choice((4, 64, 1024)), len(content) - start)
    return content[:start] + rng.randbytes(length) + content[start + length :]


def remove(content: bytes, rng: random.Random) -> bytes:
    start = rng.randrange(len(content))
    return content[:start] + content[start + rng.choice((1, 2, 8, 100)) :]


def insert(content: bytes, rng: random.Random) -> bytes:
    start = rng.randrange(len(content))
    return content[:start] + rng.randbytes(rng.choice((1, 2, 8, 100))) + content[start:]


def repeat(content: bytes, rng: random.Random) -> bytes:
    """A part comes twice, as chunks may."""
    start = rng.randrange(len(content))
    end = min(start + rng.choice((12, 100, 1000)), len(content))
    return content[:end] + content[start:end] + content[end:]


def extreme(content: bytes, rng: random.Random) -> bytes:
    """A number becomes the smallest or largest of its kind: lengths, offsets, dimensions."""
    width = rng.choice((1, 2, 4))
    value = rng.choice(EXTREMES) & (256**width - 1)
    within = len(content) if rng.random() < 0.3 else min(len(content), 300)
    start = rng.randrange(max(1, within - width))
    word = value.to_bytes(width, rng.choice(("little", "big")))
    return content[:start] + word + content[start + width :]


def append(content: bytes, rng: random.Random) -> bytes:
    return content + rng.randbytes(rng.choice((1, 100, 5000)))


ALL: tuple[Mutation, ...] = (
    flip, flip_in_header, truncate, zero, garbage, remove, insert, repeat, extreme, append
)  # fmt: skip


def mutated(content: bytes, rng: random.Random) -> tuple[bytes, str]:
    """The content with one damage or two, and the names of those."""
    names = []
    for _ in range(rng.choice((1, 1, 2))):
        mutation = rng.choice(ALL)
        content = mutation(content, rng) or b"\0"
        names.append(mutation.__name__)
    return content, "+".join(names)
