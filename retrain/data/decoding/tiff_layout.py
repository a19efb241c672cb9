"""The layout of a TIFF page: how its samples lie in the file, and what they mean."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

WHITE_IS_ZERO, GREY, RGB, PALETTE, CMYK, YCBCR, LAB = 0, 1, 2, 3, 5, 6, 8
COLOURS = {WHITE_IS_ZERO: 1, GREY: 1, RGB: 3, PALETTE: 1, CMYK: 4}  # samples of a pixel
PHOTOMETRIC = {
    4: "a mask", YCBCR: "YCbCr", LAB: "CIELAB", 9: "ICCLab", 10: "ITULab", 32844: "LogL",
    32845: "LogLuv",
}  # fmt: skip
KINDS = {2: "signed", 3: "floating-point", 4: "undefined", 5: "complex", 6: "complex"}

RAW_BYTES = 1
BYTEWISE = {RAW_BYTES, 5, 8, 32773, 32946, 34925, 50000}  # compressions of any bytes
JPEG = (6, 7)
ASSOCIATED, UNASSOCIATED = 1, 2  # alpha: colours multiplied by it, or not
SAVE_ANEW = "save it with 8 or 16 bits a sample"


@dataclass(frozen=True)
class Layout:
    """The tags that tell the layout, by the names of TIFF 6.0.

    `colormap` has 3 * 2**bits numbers or none. `block` is width and height of a tile, or 0 and the
    rows of a strip. `offsets` and `lengths` are those of the blocks in the file.
    """

    little: bool
    width: int
    height: int
    bits: tuple[int, ...]
    photometric: int
    sample_format: tuple[int, ...]
    planar: bool
    compression: int
    predictor: int
    fill_order: int
    extra: tuple[int, ...]
    colormap: tuple[int, ...]
    block: tuple[int, int]
    offsets: tuple[int, ...]
    lengths: tuple[int, ...]

    @staticmethod
    def of(tags: Any) -> "Layout":
        """Read the layout from a directory's tags.

        They are a mapping that has `prefix` (b"II" or b"MM").
        """
        width, height = _one(tags, 256, 0), _one(tags, 257, 0)
        compression = _one(tags, 259, 1)
        photometric = 6 if compression == 6 else _one(tags, 262, 0)
        jpeg = compression == 6 and photometric in (2, 6)
        samples = _one(tags, 277, 3 if jpeg else 1)
        bits = _all(tags, 258) or (1,)
        bits = bits[:samples] if len(bits) >= samples else bits[:1] * min(samples, 100)
        tiled = 324 in tags
        return Layout(
            tags.prefix == b"II",
            width,
            height,
            bits,
            photometric,
            _all(tags, 339) or (1,),
            _one(tags, 284, 1) == 2,
            compression,
            _one(tags, 317, 1),
            _one(tags, 266, 1),
            _all(tags, 338),
            _all(tags, 320) if photometric == PALETTE else (),
            (_one(tags, 322, 0), _one(tags, 323, 0)) if tiled else (0, _one(tags, 278, height)),
            _all(tags, 324 if tiled else 273),
            _all(tags, 325 if tiled else 279),
        )

    @property
    def channels(self) -> int:
        """How many samples are colours; 0 where the interpretation is none of COLOURS."""
        return COLOURS.get(self.photometric, 0)

    @property
    def alpha(self) -> tuple[int, int] | None:
        """The number of the sample that is alpha, and ASSOCIATED or UNASSOCIATED; or None."""
        if self.photometric == RGB and len(self.bits) == 4 and not self.extra:
            return 3, UNASSOCIATED  # many programs leave out the tag
        for number, kind in enumerate(self.extra, self.channels):
            if kind in (ASSOCIATED, UNASSOCIATED) and number < len(self.bits):
                return number, kind
        return None

    @property
    def narrow_colormap(self) -> bool:
        """Whether the palette's colours were written as 0 to 255 instead of 0 to 65535."""
        return bool(self.colormap) and max(self.colormap) < 256

    @property
    def read_by_pillow(self) -> bool:
        """Whether Pillow reads these samples, and rightly."""
        bits, samples = self.bits[0], len(self.bits)
        single = samples == 1 and self.fill_order == 1
        if bits == 32 and single and self.photometric == GREY:
            return self.sample_format[0] in (1, 2)  # where the values fit into 16 bits
        if len(set(self.bits)) > 1 or set(self.sample_format) != {1}:
            return not self.channels and set(self.sample_format) == {1}
        if not self.channels or self.compression not in BYTEWISE:
            return bits in (1, 2, 4, 8)
        if self.planar or self.narrow_colormap or self.fill_order != 1:
            return False
        if samples == 1:
            return bits in (1, 2, 4, 8) or (bits == 16 and self.photometric == GREY)
        if samples == self.channels:
            return bits in (8, 16)
        known = {(8, GREY): (0, 2), (8, RGB): (0, 1, 2), (16, RGB): (0, 2), (8, CMYK): (0,)}
        if samples == 4 and self.photometric == RGB and not self.extra:
            return bits in (8, 16)
        return (
            samples == self.channels + 1
            and len(self.extra) == 1
            and (self.extra[0] in known.get((bits, self.photometric), ()))
        )

    def unreadable(self) -> str | None:
        """Say why samples that Pillow does not read cannot be read here either, or return None."""
        odd = next((one for one in self.sample_format if one != 1), None)
        depth = "/".join(map(str, sorted(set(self.bits))))
        if odd is not None:
            kind = KINDS.get(odd, "unknown")
            return f"{kind} pixels of {depth} bits have no known range: {SAVE_ANEW}"
        if not self.channels:
            meaning = PHOTOMETRIC.get(self.photometric, f"photometric {self.photometric}")
            return f"a TIFF of {depth} bits a sample in {meaning} is not read: save it as RGB"
        if len(set(self.bits)) > 1:
            return f"a TIFF with samples of {depth} bits is not read: {SAVE_ANEW}"
        if not 1 <= self.bits[0] <= 16:
            return f"pixels of {depth} bits have no known range: {SAVE_ANEW}"
        if self.compression not in BYTEWISE:
            return f"a TIFF of {depth} bits a sample in this compression is not read: {SAVE_ANEW}"
        if self.predictor not in (1, 2) or (self.predictor == 2 and self.bits[0] not in (8, 16)):
            return f"a TIFF of {depth} bits a sample with this predictor is not read: {SAVE_ANEW}"
        unexplained = len(self.bits) - self.channels - len(self.extra)
        if len(self.bits) < self.channels or (unexplained > 0 and self.alpha is None):
            return (
                f"a TIFF with {len(self.bits)} samples of {depth} bits a pixel, which it does not "
                "explain: save it as grey or RGB"
            )
        if self.photometric == PALETTE and len(self.colormap) != 3 << self.bits[0]:
            return f"a TIFF whose palette has not {1 << self.bits[0]} colours: save it as RGB"
        if self.block[0] and self.block[0] * self.bits[0] % 8:
            return f"a TIFF of {depth} bits a sample in tiles like these is not read: {SAVE_ANEW}"
        return None


def _all(tags: Mapping[int, Any], tag: int) -> tuple[int, ...]:
    value = tags.get(tag, ())
    many = value if isinstance(value, tuple) else (value,)
    return tuple(one for one in many if isinstance(one, int))


def _one(tags: Mapping[int, Any], tag: int, otherwise: int) -> int:
    return next(iter(_all(tags, tag)), otherwise)
