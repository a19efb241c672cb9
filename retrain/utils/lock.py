"""A lock between processes: one fetches a thing, the others wait and then find it."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from retrain.utils.files import cannot_write

log = logging.getLogger(__name__)


@contextmanager
def folder_lock(folder: Path, what: str) -> Iterator[None]:
    """Hold the lock of `folder`, into which `what` is fetched; a killed holder loses it.

    The lock is a hidden file beside the folder. Raises RetrainError where none can be made.
    """
    path = folder.with_name(f".{folder.name}.retrain-lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            log.info(f"Waiting for another process that downloads {what}")
            lock.acquire()
    except OSError as error:
        raise cannot_write(path, error) from error
    try:
        yield
    finally:
        lock.release()
