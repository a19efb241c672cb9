"""Kaggle's models, through kagglehub and its cache folder.

kagglehub sends requests without any time-out and writes to stdout and stderr as it likes. So it
works in a process of its own, silently, and is ended when its folder stops growing.
"""

import logging
import os
import re
import time
from importlib.util import find_spec
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

from retrain.artifacts.detect import find_saved_model
from retrain.errors import RetrainError, one_line
from retrain.utils.archive import MODULE
from retrain.utils.files import cannot_write, home_expanded
from retrain.utils.lock import folder_lock
from retrain.utils.ownership import check_own
from retrain.utils.progress import progress

log = logging.getLogger(__name__)

STALL_S = 40.0  # the longest time without LEAST_BYTES more in the folder
LEAST_BYTES = 1 << 16
POLL_S = 0.2
SAVED_MODELS = ("tensorFlow2", "tensorFlow1")
FRAMEWORKS = (
    *SAVED_MODELS, "tfLite", "tfJs", "pyTorch", "jax", "flax", "pax", "maxText", "gemmaCpp", "ggml",
    "gguf", "coral", "scikitLearn", "mxnet", "onnx", "keras", "transformers", "api", "other",
    "tensorRtLlm", "triton", "vllm",
)  # fmt: skip
SLUG = r"[A-Za-z0-9][\w.-]*"
HANDLE = re.compile(rf"({SLUG}/{SLUG})/({SLUG})/({SLUG})(?:/(\d+))?")
LONG_FORM = re.compile(r"([^/]+/[^/]+)/frameworks/([^/]+)/variations/([^/]+)(?:/versions/(\d+))?")
PAGE = re.compile(r"https?://(?:www\.)?kaggle\.com/models/([^?#]*)(?:[?#].*)?", re.IGNORECASE)
# With one of these set, kagglehub takes models from a mounted folder, without network.
NOTEBOOK_VARIABLES = ("KAGGLE_KERNEL_RUN_TYPE", "TBE_RUNTIME_ADDR")


def kaggle_handle(text: str) -> str | None:
    """Return `owner/model/framework/variation[/version]` in Kaggle's own spelling, or None.

    `text` may be such a handle or the address of the model's page. Whether a folder has this name
    is the caller's question.
    """
    page = PAGE.fullmatch(text)
    parts = (page[1] if page else text).strip("/") if page else text
    found = LONG_FORM.fullmatch(parts) or HANDLE.fullmatch(parts)
    if not found:
        return None
    model, framework, variation, version = found.groups()
    spelled = {name.lower(): name for name in FRAMEWORKS}.get(framework.lower())
    if spelled is None:
        return None
    return f"{model}/{spelled}/{variation}" + (f"/{int(version)}" if version else "")


def fetch_kaggle(handle: str, advice: str) -> Path:
    """Return the SavedModel folder of a Kaggle model, downloaded if kagglehub has not cached it.

    A handle (as from `kaggle_handle`) without a version asks Kaggle which one is the newest. Raises
    RetrainError; when the download fails, in a line that ends in `advice`.
    """
    framework = handle.split("/")[2]
    if framework not in SAVED_MODELS:
        raise RetrainError(
            f"the Kaggle model {handle} is made for {framework}: choose one for tensorFlow2"
        )
    check_own(_cache_folder(), "KAGGLEHUB_CACHE")
    module = _cached(handle)
    if module is None:
        if find_spec("kagglehub") is None:
            raise RetrainError(
                f"the Kaggle model {handle} is fetched with kagglehub: "
                f'pip install "retrain[kaggle]"; or {advice}'
            )
        folder = _variation_folder(handle)
        with folder_lock(folder, handle):
            module = _cached(handle) or _download(handle, folder, advice)
    saved_model = find_saved_model(module)
    if saved_model is None:
        raise RetrainError(
            f"the Kaggle model {handle} in {module} is no TF2 SavedModel: it holds no "
            f"saved_model.pb; {advice}"
        )
    return saved_model


def _cache_folder() -> Path:
    chosen = os.environ.get("KAGGLEHUB_CACHE")
    return Path(chosen) if chosen is not None else home_expanded("~/.cache/kagglehub")


def _variation_folder(handle: str) -> Path:
    return _cache_folder().joinpath("models", *handle.split("/")[:4])


def _cached(handle: str) -> Path | None:
    """Return the folder that kagglehub has marked as complete, if the handle names a version."""
    folder = _cache_folder() / "models" / handle
    marked = handle.count("/") == 4 and folder.with_name(f"{folder.name}.complete").exists()
    return folder if marked and folder.is_dir() else None


def _download(handle: str, folder: Path, advice: str) -> Path:
    """Return what kagglehub gives for the handle, while `folder` shows how far it has come."""
    context = get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_run_kagglehub, args=(handle, sender), daemon=True)
    log.info(f"Downloading {handle} from Kaggle (once; kept in {folder})")
    process.start()
    sender.close()
    try:
        reason = _follow(receiver, folder, f"Downloading {handle}")
        path, fault = ("", reason) if reason is not None else receiver.recv()
    except EOFError:
        path, fault = "", "kagglehub ended without an answer"
    finally:
        process.kill()
        process.join()
        receiver.close()
    if isinstance(fault, OSError):
        raise cannot_write(folder, fault)
    if fault is not None:
        raise RetrainError(f"cannot download the Kaggle model {handle}: {fault}; {advice}")
    return Path(path)


def _follow(receiver: "Connection[object, object]", folder: Path, what: str) -> str | None:
    """Wait until there is an answer to read; return the reason if the wait is given up."""
    start = seen = most = _size_below(folder)
    moved = time.monotonic()
    with progress(what, 0, "kB") as meter:
        while not receiver.poll(POLL_S):
            size = _size_below(folder)
            if size - start > MODULE.packed:
                return f"it is larger than {MODULE.packed >> 30} GB, which no module is"
            if abs(size - seen) >= LEAST_BYTES:
                seen, moved = size, time.monotonic()
            elif time.monotonic() - moved > STALL_S:
                return f"Kaggle sent nothing for {STALL_S:g} s"
            if size > most:
                meter.advance((size - start) // 1000 - (most - start) // 1000)
                most = size
    return None


def _size_below(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size
        except FileNotFoundError:  # renamed or removed meanwhile
            continue
    return total


def _run_kagglehub(handle: str, sender: "Connection[object, object]") -> None:
    """Send (folder, None), or ("", why not): words, or the OSError of a disk that refused."""
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    try:
        sender.send((_fetch_with_kagglehub(handle), None))
    except Exception as error:
        sender.send(("", _reason(error, handle)))


def _fetch_with_kagglehub(handle: str) -> str:
    from kagglesdk.kaggle_env import get_endpoint, get_env

    from retrain.utils.download import why_unreachable

    if not any(name in os.environ for name in NOTEBOOK_VARIABLES):
        unreachable = why_unreachable(get_endpoint(get_env()))
        if unreachable is not None:
            raise RetrainError(unreachable)
    import kagglehub

    return str(kagglehub.model_download(handle))


def _reason(error: Exception, handle: str) -> str | OSError:
    import requests

    from retrain.utils.download import root_of

    if isinstance(error, requests.HTTPError) and error.response is not None:
        status = error.response.status_code
        if status in (401, 403):
            return (
                f"Kaggle forbids it ({status}): log in, accept the licence on "
                f"https://www.kaggle.com/models/{handle} and set KAGGLE_API_TOKEN to your token"
            )
        if status == 404:
            return "Kaggle has no such model (404)"
        return f"Kaggle answered {status}"
    if isinstance(error, requests.RequestException):
        return f"the connection to Kaggle failed ({root_of(error)})"
    if isinstance(error, OSError) and error.strerror:
        return OSError(error.errno, error.strerror)
    return one_line(error)
