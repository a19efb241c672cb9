"""A real TensorBoard on 127.0.0.1, asked over HTTP."""

import json
import os
import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any


@contextmanager
def tensorboard(logs: Path, *flags: str) -> Iterator[str]:
    """Serves the log folder; yields the address of its plugins, `http://127.0.0.1:.../plugin`."""
    # As where TensorFlow is not installed, which it would import for seconds.
    script = (
        "import sys; sys.modules['tensorflow'] = None; "
        "from tensorboard.main import run_main; run_main()"
    )
    arguments = ("--logdir", str(logs), "--host", "127.0.0.1", "--port", "0", *flags)
    with subprocess.Popen(
        [sys.executable, "-c", script, *arguments],
        stderr=subprocess.PIPE, text=True, env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
    ) as board:  # fmt: skip
        try:
            assert board.stderr is not None
            address = next(m[0] for line in board.stderr
                           if (m := re.search(r"http://127\.0\.0\.1:\d+/", line)))  # fmt: skip
            yield f"{address}data/plugin"
        finally:
            board.kill()


def fetch(address: str) -> tuple[bytes, str]:
    """The body of an answer and its content type."""
    with urllib.request.urlopen(address, timeout=30) as answer:
        return answer.read(), answer.headers["Content-Type"]


def ask(address: str) -> Any:
    """The JSON of an answer, once it is not empty: the board reads its logs while it serves."""
    deadline = monotonic() + 60
    while True:
        try:
            found = json.loads(fetch(address)[0])
        except (urllib.error.URLError, ConnectionError):
            found = None
        if found or monotonic() > deadline:
            return found
        sleep(0.2)
