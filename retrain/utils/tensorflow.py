"""Importing TensorFlow and Keras: late, and without their messages."""

import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any


def import_tensorflow() -> Any:
    """Import and return the `tensorflow` package (seconds), with its start-up messages off.

    A level that the user set in `TF_CPP_MIN_LOG_LEVEL` is kept.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if "tensorflow" in sys.modules:
        return sys.modules["tensorflow"]
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
