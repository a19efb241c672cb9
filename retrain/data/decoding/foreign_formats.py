"""Files that are no photos we read: their names, by their first bytes, and what to do."""

HEAD = 64  # bytes that tell the format

CONVERT = "convert it to JPEG or PNG"
RAW = "the raw data of a camera: export it as JPEG or TIFF with the camera's program"
VIDEO = "a video: save single pictures of it"

# Brands of the ISO base media format, which begins with a length, `ftyp` and a brand.
BRANDS = {
    b"heic": "HEIC", b"heix": "HEIC", b"hevc": "HEIC", b"hevx": "HEIC", b"heim": "HEIC",
    b"heis": "HEIC", b"mif1": "HEIC", b"msf1": "HEIC", b"avif": "AVIF", b"avis": "AVIF",
}  # fmt: skip
HEIC = (
    "a HEIC photo, which is not read yet: convert it to JPEG "
    "(iPhone: Settings, Camera, Formats, Most Compatible)"
)
AVIF = f"an AVIF picture, which is not read yet: {CONVERT}"
JPEG_2000 = f"a JPEG 2000 picture, which is not read yet: {CONVERT}"
JPEG_XL = f"a JPEG XL picture, which is not read yet: {CONVERT}"
JPEG_LS = b"\xff\xd8\xff\xf7"  # begins as a JPEG does
BEGINNINGS = {
    b"\0\0\0\x0cjP  \r\n\x87\n": JPEG_2000,
    b"\xff\x4f\xff\x51": JPEG_2000,
    b"\0\0\0\x0cJXL \r\n\x87\n": JPEG_XL,
    b"\xff\x0a": JPEG_XL,
    JPEG_LS: f"a JPEG-LS picture, which is not read: {CONVERT}",
    b"8BPS": "a Photoshop file: export it as JPEG or PNG",
    b"%PDF": "a PDF document: export its pages as JPEG or PNG",
    b"%!PS": "a PostScript drawing: export it as PNG",
    b"\xc5\xd0\xd3\xc6": "a PostScript drawing: export it as PNG",
    b"\0\0\x01\0": f"an icon: {CONVERT}",
    b"DDS ": f"a DDS texture: {CONVERT}",
    b"qoif": f"a QOI picture: {CONVERT}",
    b"v/1\x01": f"an OpenEXR picture: {CONVERT}",
    b"#?RADIANCE": f"a Radiance picture: {CONVERT}",
    b"gimp xcf": "a GIMP file: export it as JPEG or PNG",
    b"II\xbc": f"a JPEG XR picture: {CONVERT}",
    b"FUJIFILMCCD-RAW": RAW,
    b"II\x1a\0\0\0HEAPCCDR": RAW,
    b"IIRO": RAW,
    b"IIRS": RAW,
    b"MMOR": RAW,
    b"IIU\0": RAW,
    b"FOVb": RAW,
    b"\0MRM": RAW,
    b"\x1aE\xdf\xa3": VIDEO,  # Matroska, WebM
    b"\0\0\x01\xba": VIDEO,  # MPEG
    b"\0\0\x01\xb3": VIDEO,
    b"FLV\x01": VIDEO,
    b"0&\xb2u\x8ef\xcf\x11": VIDEO,  # Windows Media
    b"OggS": VIDEO,
    b"PK\x03\x04": "an archive or office document: unpack it, or export its pictures",
    b"Rar!": "an archive: unpack it",
    b"7z\xbc\xaf\x27\x1c": "an archive: unpack it",
    b"\x1f\x8b": "a compressed file: unpack it",
    b"version https://git-lfs": "a placeholder for a file in Git LFS: run git lfs pull",
}
NETPBM = f"a netpbm picture (PBM, PGM, PPM): {CONVERT}"


def foreign_kind(head: bytes) -> str | None:
    """Return the kind of file that begins with these bytes, and what to do about it.

    HEAD bytes are enough. Such as `a PDF document: export its pages as JPEG or PNG`; None for files
    that are none of these kinds.
    """
    if head[4:8] == b"ftyp":
        return _by_brand(head)
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return VIDEO
    if head[4:8] in (b"moov", b"mdat", b"wide"):  # QuickTime files from before there were brands
        return VIDEO
    if head[:1] == b"P" and head[1:2] in b"1234567fF" and head[2:3].isspace():
        return NETPBM
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<!doctype html", b"<html")):
        return "a web page, not a picture: download it again"
    if text.startswith((b"<svg", b"<!doctype svg")) or (text[:5] == b"<?xml" and b"<svg" in text):
        return "an SVG drawing: export it as PNG"
    for beginning, kind in BEGINNINGS.items():
        if head.startswith(beginning):
            return kind
    return None


def _by_brand(head: bytes) -> str:
    if head[8:12] == b"crx ":
        return RAW
    length = int.from_bytes(head[:4], "big")
    brands = [head[8:12], *(head[at : at + 4] for at in range(16, min(length, len(head)), 4))]
    known = {BRANDS[brand] for brand in brands if brand in BRANDS}
    if "AVIF" in known:
        return AVIF
    if "HEIC" in known:
        return HEIC
    if head[8:11] in (b"jp2", b"jpx", b"jpm"):
        return JPEG_2000
    return VIDEO
