"""Importing TensorFlow and Keras: late, without their messages, and only where it is installed.

A lite installation has none (requirements-lite.txt). What needs TensorFlow says so before any work.
"""

import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from retrain.errors import RetrainError

PIP_LINE = 'pip install "tensorflow>=2.18"'


class NoTensorFlow(RetrainError):
    """TensorFlow is asked for and not installed."""


def has_tensorflow() -> bool:
    """Tell whether TensorFlow is installed, without importing it."""
    return find_spec("tensorflow") is not None


def require_tensorflow(what: str) -> None:
    """Raise NoTensorFlow, with the line that installs it, unless it is installed.

    `what`: what it is needed for, as the start of the sentence.
    """
    if not has_tensorflow():
        raise NoTensorFlow(f"{what} needs TensorFlow, which is not installed: {PIP_LINE}")


def import_tensorflow() -> Any:
    """Import and return the `tensorflow` package (seconds), with its start-up messages off.

    A level that the user set in `TF_CPP_MIN_LOG_LEVEL` is kept. Raises NoTensorFlow.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if sys.modules.get("tensorflow") is not None:
        return sys.modules["tensorflow"]
    require_tensorflow("this")
    with silent_stderr():
        import tensorflow as tf

    tf.get_logger().setLevel("ERROR")
    logging.getLogger("absl").addFilter(_matters)
    return tf


def _matters(record: logging.LogRecord) -> bool:
    """Tell whether a message of TensorFlow's loader is one that users can do something about.

    It shows a trace if a SavedModel's `fingerprint.pb` cannot be read, which it does not need.
    """
    return not record.getMessage().startswith("Fingerprint was found")


def import_keras() -> Any:
    """Import and return Keras 3 on TensorFlow, with channels last, whatever keras.json says."""
    os.environ["KERAS_BACKEND"] = "tensorflow"
    import_tensorflow()
    keras: Any = import_module("keras")
    keras.config.set_image_data_format("channels_last")
    return keras


@contextmanager
def deterministic_operations() -> Iterator[None]:
    """Make TensorFlow give the same bits each time on the same machine, GPUs included."""
    import_tensorflow()
    from tensorflow.python.framework import config

    before = config.is_op_determinism_enabled()
    config.enable_op_determinism()
    try:
        yield
    finally:
        if not before:
            config.disable_op_determinism()


@contextmanager
def bfloat16_operations() -> Iterator[None]:
    """Let functions called in the block multiply and convolve in bfloat16 where the CPU can.

    Variables and what goes in and out of a function stay as they are. GPUs ignore it.
    """
    options = import_tensorflow().config.optimizer
    key = "auto_mixed_precision_onednn_bfloat16"
    before = options.get_experimental_options().get(key, False)
    options.set_experimental_options({key: True})
    try:
        yield
    finally:
        options.set_experimental_options({key: before})


@contextmanager
def silent_stderr() -> Iterator[None]:
    """Hold back what C++ prints before its log level can be set; show it if the block fails."""
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            os.write(kept, held.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
