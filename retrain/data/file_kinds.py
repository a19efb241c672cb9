"""Kinds of files and folders, by name or first bytes: pictures, side files, litter.

Side files lie beside pictures; litter is what a system or a program has left there.
"""

import os
import re
from collections.abc import Sequence

from retrain.data.decoding.foreign_formats import HEAD
from retrain.data.decoding.formats import FORMATS, format_of, has_suffix_of_format

# Formats of Pillow's that are variants of another: phones' JPEGs with two pictures in them.
VARIANTS = {"MPO": "JPEG", "DIB": "BMP"}
# Pictures that cannot be read; they are reported, so that nobody misses them unawares.
UNREAD_SUFFIXES = frozenset({
    ".heic", ".heif", ".hif", ".avif", ".jp2", ".j2k", ".jpx", ".jxl", ".psd", ".ppm", ".pgm",
    ".pbm", ".tga", ".pcx", ".cr3", ".crw", ".orf", ".rw2", ".raf", ".sr2", ".srw", ".x3f", ".3fr",
    ".dcm",
})  # fmt: skip

# What lies beside photos. Such a file is used if it is a photo all the same; if not, nobody misses
# one.
SIDE_SUFFIXES = frozenset({
    ".json", ".jsonl", ".xml", ".txt", ".csv", ".tsv", ".yaml", ".yml", ".toml", ".ini", ".cfg",
    ".md", ".rst", ".log", ".html", ".htm", ".css", ".js", ".py", ".ipynb", ".sh", ".bat", ".xmp",
    ".aae", ".pdf", ".doc", ".docx", ".xls", ".xlsx", ".ods", ".odt", ".zip", ".tar", ".gz", ".tgz",
    ".7z", ".rar", ".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".mp3", ".wav", ".m4a", ".npy",
    ".npz", ".pkl", ".h5", ".hdf5", ".mat", ".db", ".sqlite", ".lnk", ".url", ".exe", ".dll",
    ".md5", ".sha1", ".sha256", ".lock", ".pts", ".geojson", ".gpx", ".dat", ".pt", ".pb", ".onnx",
    ".tfrecord", ".parquet", ".arrow", ".license",
})  # fmt: skip

# What systems and programs make for themselves, in lower case; hidden files are left out anyway.
LITTER = frozenset({
    # Windows
    "$recycle.bin", "recycler", "system volume information", "msocache", "thumbs.db",
    "thumbs.db:encryptable", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini", "iconcache.db",
    "albumartsmall.jpg", "autorun.inf", "folder.htt",
    # macOS
    "__macosx", "icon\r", "network trash folder", "temporary items", "thevolumesettingsfolder",
    "thefindbycontentfolder",
    # Linux, Android
    "lost+found", "lost.dir",
    # Synology, QNAP, NetApp and other network storage
    "@eadir", "@tmp", "@recycle", "@recently-snapshot", "@sharebin", "@sharesnap", "#recycle",
    "#snapshot", "~snapshot",
    # photo and web programs
    "_thumbs", "_thumbnails", "thumbnails", "picasa.ini", "zbthumbnail.info", "pspbrwse.jbf",
    "captureone", "ipod photo cache", "_vti_cnf", "_vti_pvt", "_derived", "_notes",
    # others
    "__pycache__", "sync.ffs_db",
})  # fmt: skip
LITTER_SUFFIXES = (".thm", ".lrdata")  # a camera's small pictures of films, a program's cache
NUMBERED_LITTER = re.compile(r"found\.\d{3}|albumart_\{.*\}.*\.jpg")
# A class may have such a name; beside photos, the folder holds their small copies.
THUMBNAILS = frozenset({"thumb", "thumbs", "thumbnail"})

# Of pictures, be they broken or of formats that are not read.
SIGNATURES = re.compile(
    rb"\xff\xd8\xff|\x89PNG|GIF8|BM.{4}\0{4}|II[*+]\0|MM\0[*+]|RIFF.{4}WEBP|8BPS|"
    rb".{4}ftyp(?:hei|hev|mif|msf|avi|crx)|\0\0\0\x0c(?:jP|JXL) |\xff\x4f\xff\x51|\xff\x0a",
    re.DOTALL,
)


def is_litter(name: str) -> bool:
    """Tell whether a system or a program leaves files or folders of this name among photos."""
    low = name.lower()
    if low in LITTER or low.endswith(LITTER_SUFFIXES):
        return True
    return low[:1] in ("f", "a") and NUMBERED_LITTER.fullmatch(low) is not None


def litter_among(entries: Sequence["os.DirEntry[str]"]) -> set[str]:
    """Return the names of litter among these entries of one folder."""
    litter = {entry.name for entry in entries if is_litter(entry.name)}
    copies = {entry.name for entry in entries if entry.name.lower() in THUMBNAILS}
    if copies and any(is_picture_name(entry.name) for entry in entries):
        litter |= copies
    return litter


def is_side_file(path: str) -> bool:
    """Tell whether a name says that the file is no picture."""
    return _suffix(path) in SIDE_SUFFIXES


def is_picture_name(path: str) -> bool:
    """Tell whether a name says that the file is a picture."""
    suffix = _suffix(path)
    return suffix in UNREAD_SUFFIXES or has_suffix_of_format(suffix)


def is_picture(path: str | os.PathLike[str]) -> bool:
    """Tell whether a file that cannot be used is a picture that somebody will miss.

    By its suffix, or else by its first bytes.
    """
    name = os.fspath(path)
    if is_picture_name(name) or is_side_file(name):
        return is_picture_name(name)
    try:
        with open(path, "rb") as file:
            head = file.read(HEAD)
        return SIGNATURES.match(head) is not None or format_of(head) is not None
    except OSError:  # it may be one
        return True


def suffix_fits(path: str, content: str) -> bool:
    """Tell whether a file with content of a format, by Pillow's name, may have this name."""
    found = FORMATS.get(VARIANTS.get(content, content))
    return found is not None and _suffix(path) in found.suffixes


def _suffix(path: str) -> str:
    """Return `.jpg` of `a/b.JPG`; of a name without a dot anything that is no suffix."""
    return path[path.rfind(".") :].lower()
