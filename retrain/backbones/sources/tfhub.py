"""TensorFlow Hub: fetching a module by its URL, and the folder of fetched modules.

The same folders as tensorflow_hub's own, so that what it fetched is found here and the other way
round, without importing it: that costs TensorFlow's seconds, and it knows no time-outs.

    $TFHUB_CACHE_DIR, or tfhub_modules in the user's cache folder
        <sha1 of the URL>/    what the archive held, sealed (kept.seal_folder)

tensorflow_hub's own default, /tmp/tfhub_modules, can be made by anyone before we come: what is
there is only taken where the folder belongs to this user.
"""

import hashlib
import logging
import os
import tempfile
from contextlib import suppress
from itertools import count
from pathlib import Path

from retrain.artifacts.detect import find_saved_model
from retrain.errors import RetrainError
from retrain.utils.archive import unpack
from retrain.utils.files import (
    cannot_write,
    check_folder_can_be_written,
    scratch_folder,
    user_cache_dir,
)
from retrain.utils.handles import Handle, whole
from retrain.utils.kept import damage_in, is_sealed, seal_folder
from retrain.utils.lock import folder_lock
from retrain.utils.ownership import check_own, distrust, make_own

log = logging.getLogger(__name__)

CACHE_VARIABLE = "TFHUB_CACHE_DIR"
FOLDER = "tfhub_modules"


def hub_cache_folder() -> Path:
    """Return the folder where modules are kept."""
    chosen = os.environ.get(CACHE_VARIABLE)
    return Path(chosen) if chosen else user_cache_dir() / FOLDER


def cached_module(url: str) -> Path | None:
    """Return the SavedModel folder that was fetched from this URL, if it is there and whole.

    Raises RetrainError if others may have put it there.
    """
    check_own(hub_cache_folder(), CACHE_VARIABLE)
    folders = [_folder_of(url)]
    usual = Path(tempfile.gettempdir()) / FOLDER
    if CACHE_VARIABLE not in os.environ and distrust(usual) is None:
        folders.append(usual / folders[0].name)
    for folder in folders:
        module = find_saved_model(folder)
        if module is not None and _lack(folder) is None:
            return module
    return None


def fetch_module(url: str, advice: str) -> Path:
    """Return the SavedModel folder of the module behind an http(s) URL, downloaded if needed.

    If another process is fetching the same URL, its result is waited for. Raises RetrainError;
    when the download fails, in a line that ends in `advice`.
    """
    url = Handle(url)
    found = cached_module(url)
    if found is not None:
        return found
    folder = _folder_of(url)
    with suppress(OSError):  # the check below reports it
        make_own(folder.parent)
    check_folder_can_be_written(folder.parent, CACHE_VARIABLE)
    # Not by tensorflow_hub's `.lock` files, which outlive a killed owner: beside a tensorflow_hub
    # that fetches the same module, it is fetched twice and kept once.
    with folder_lock(folder, url):
        found = cached_module(url)
        return found if found is not None else _fetch(url, folder, advice)


def _fetch(url: str, folder: Path, advice: str) -> Path:
    from retrain.utils.download import download

    if os.path.lexists(folder):
        log.warning(f"{folder} is half-written ({_lack(folder)}): fetching {url} again")
    log.info(f"Downloading {url} (once; kept in {folder})")
    with scratch_folder(folder.parent, folder.name) as scratch:
        archive, unpacked = scratch / "archive", scratch / folder.name
        download(_compressed(url), archive, advice)
        unpack(archive, unpacked, url)
        module = find_saved_model(unpacked)
        if module is None:
            raise RetrainError(f"{url} is no TF2 SavedModel: it holds no saved_model.pb; {advice}")
        _seal(unpacked)
        try:
            if os.path.lexists(folder):
                aside = _free_name(folder)
                folder.rename(aside)
                log.info(f"What was half-written is now {aside}")
            unpacked.rename(folder)
        except OSError as error:
            if cached_module(url) is None:  # else tensorflow_hub was faster
                raise cannot_write(folder, error) from error
    return folder / module.relative_to(unpacked)


def _lack(folder: Path) -> str | None:
    """Says why the module in a folder cannot be used; None if it can, as far as its seal tells."""
    if find_saved_model(folder) is None:
        return "it holds no saved_model.pb"
    return damage_in(folder) if is_sealed(folder) else None


def _seal(folder: Path) -> None:
    try:
        seal_folder(folder, folder.name)
    except OSError as error:
        raise cannot_write(folder, error) from error


def _folder_of(url: str) -> Path:
    return hub_cache_folder() / hashlib.sha1(whole(url).encode()).hexdigest()


def _compressed(url: str) -> str:
    """Return the URL under which a hub serves a module as one archive; others ignore the query."""
    address, _, query = whole(url).partition("#")[0].partition("?")
    return Handle(f"{address}?{query}{'&' if query else ''}tf-hub-format=compressed")


def _free_name(folder: Path) -> Path:
    names = (folder.with_name(f"{folder.name}.half-written-{n}") for n in count(1))
    return next(name for name in names if not name.exists())
