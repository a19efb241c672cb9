"""From the name or folder that a user gives to a backbone that can run."""

import hashlib
import re
import tempfile
from difflib import get_close_matches
from pathlib import Path

from retrain.backbones.backbone import INFO_FILE, Backbone, read_backbone
from retrain.errors import RetrainError, UsageFault
from retrain.files import cannot_write, check_folder_can_be_written
from retrain.progress import Talk

BUNDLED_FOLDER = Path(__file__).parent.parent / "data"
DEFAULT_MODULE = "mobilenet_v1_100_224"
BUNDLED = (DEFAULT_MODULE, "mobilenet_v1_025_128")
IMAGENET_LABELS = BUNDLED_FOLDER / "imagenet_labels_1001.txt"


def resolve(handle: str, module_cache: Path, talk: Talk) -> Backbone:
    """The backbone for a bundled name, an old `--architecture` name, or a SavedModel folder.

    A folder is frozen once, into `module_cache`, under its fingerprint.
    Raises UsageFault for an unknown name and RetrainError for a folder that is no module.
    """
    name = bundled_name(handle)
    if name is not None:
        return bundled_backbone(name)
    folder = Path(handle).expanduser()
    if folder.is_dir():
        return _frozen(folder, module_cache, talk)
    raise _unknown(handle)


def bundled_backbone(name: str) -> Backbone:
    """One of BUNDLED, which come frozen."""
    return read_backbone(BUNDLED_FOLDER / name / "assets.extra")


def bundled_name(handle: str) -> str | None:
    """`mobilenet_1.0_224`, as the older script wrote it, is `mobilenet_v1_100_224` here."""
    if handle in BUNDLED:
        return handle
    old = re.fullmatch(r"mobilenet_(1\.0|0\.25)_(\d+)", handle.lower())
    if old:
        name = f"mobilenet_v1_{float(old[1]) * 100:03.0f}_{old[2]}"
        return name if name in BUNDLED else None
    return None


def fingerprint_of(module: Path) -> str:
    """Hex BLAKE2b-128 of a SavedModel's graph and variables: names and bytes, in name order."""
    digest = hashlib.blake2b(digest_size=16)
    for path in [module / "saved_model.pb", *sorted((module / "variables").glob("variables.*"))]:
        digest.update(path.name.encode() + b"\0")
        with open(path, "rb") as content:
            while block := content.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def _frozen(module: Path, module_cache: Path, talk: Talk) -> Backbone:
    if not (module / "saved_model.pb").is_file():
        raise RetrainError(
            f"{module.absolute()} holds no saved_model.pb: give the folder of a TF2 SavedModel, "
            f"or one of {', '.join(BUNDLED)}"
        )
    fingerprint = fingerprint_of(module)
    folder = module_cache / fingerprint
    if (folder / INFO_FILE).is_file():
        return read_backbone(folder)
    talk.info(f"Freezing {module} (once; kept in {folder})")
    check_folder_can_be_written(module_cache, "--model_dir")
    from retrain.backbones.freeze import freeze

    with tempfile.TemporaryDirectory(dir=module_cache, prefix=".freezing-") as scratch:
        built = Path(scratch) / "built"
        built.mkdir()
        try:
            freeze(module, module.absolute().name, fingerprint, built)
            built.rename(folder)
        except OSError as error:
            if not (folder / INFO_FILE).is_file():  # else another run was faster
                raise cannot_write(folder, error) from error
    return read_backbone(folder)


def _unknown(handle: str) -> UsageFault:
    known = ", ".join(BUNDLED)
    if "://" in handle:
        return UsageFault(
            f"module {handle} would have to be downloaded, which this version cannot do: "
            f"download it yourself and give its SavedModel folder, or use one of {known}"
        )
    near = get_close_matches(handle, BUNDLED, n=1)
    hint = f"did you mean {near[0]}?" if near else f"bundled modules are {known};"
    return UsageFault(
        f"no module is called {handle!r} and no such folder exists: {hint} "
        "otherwise give the folder of a TF2 SavedModel"
    )
