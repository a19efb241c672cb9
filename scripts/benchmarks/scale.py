"""Many files, and more vectors than memory should hold."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.bench import Bench, make_old, timed
from benchmarks.table import Row
from retrain.data.digests import DigestMemo
from retrain.data.folder import read_tree
from retrain.data.read import Wanted, read_once
from retrain.data.split import split_index
from retrain.utils.prefetch import map_ahead


def nothing_else(digest: bytes, content: object) -> Wanted:
    """Only the digest of a photo is wanted."""
    return Wanted()


def large_tree(bench: Bench) -> Iterator[Row]:
    files = bench.some(20_000, 200_000)
    root = bench.folder / "large"
    for number in range(files):
        folder = root / f"class{number % 100:03}"
        if number < 100:
            folder.mkdir(parents=True)
        (folder / f"{number:06}.jpg").write_bytes(os.urandom(200))
    make_old(root)
    memo_folder = bench.folder / "large-memo"

    def index_and_split() -> None:
        index = read_tree(str(root))
        memo = DigestMemo(index, memo_folder)
        paths = [index.full_path(photo) for photo in index.photos if photo.path in memo.fresh]
        for path, reading in map_ahead(lambda path: read_once(path, None, nothing_else), paths):
            if reading.digest is not None:
                memo.add(path[len(str(root)) + 1 :], reading.digest)
        memo.keep()
        split_index(index, memo.known, 10, validation=10, rule="content")

    def plain() -> None:
        for folder, _, names in os.walk(root):
            for name in names:
                Path(folder, name).read_bytes()

    cold_possible = _drop_caches()
    bare = timed(plain)
    _drop_caches()
    first = timed(index_and_split)
    second = timed(index_and_split)
    how = "cold" if cold_possible else "page cache warm"
    yield Row(
        f"index and split of {files:,} new files, {how}",
        f"{first:.1f} s",
        f"a loop that only reads them: {bare:.1f} s",
        f"{bare / first:.1f}x",
        "disk speed",
        first <= 1.2 * bare + 2,
    )
    yield Row(
        f"the same {files:,} files, unchanged", f"{second:.2f} s", "", "", "<= 2 s", second <= 2
    )


def _drop_caches() -> bool:
    try:
        os.sync()
        Path("/proc/sys/vm/drop_caches").write_text("3")
    except OSError:
        return False
    return True


TRAINING = """
import sys
from pathlib import Path
import numpy as np
from retrain.features.store import BottleneckStore, StoreIdentity
from retrain.training.sgd import SgdSettings, train_head

def own_mb():
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1]) / 1024

store = BottleneckStore(Path(sys.argv[1]), StoreIdentity("m", "f", "r", "f32"), 1024)
store.refresh()
keys = sorted(store._where)
matrix = store.matrix(keys)
labels = (np.arange(len(keys)) % 10).astype(np.int32)
rows = np.arange(len(keys))
largest = [own_mb()]
settings = SgdSettings(1000, 0.01, 100, 100, 10, "balanced", 0)
train_head(matrix, labels, rows[1000:], rows[:1000], 10, settings,
           lambda *_: None, lambda _: largest.append(own_mb()))
print(len(keys), max(largest))
"""

FILLING = """
import sys
from pathlib import Path
import numpy as np
from retrain.features.store import BottleneckStore, StoreIdentity
store = BottleneckStore(Path(sys.argv[1]), StoreIdentity("m", "f", "r", "f32"), 1024)
rng = np.random.default_rng(0)
for _ in range(int(sys.argv[2]) // 512):
    store.publish([rng.bytes(16) for _ in range(512)], rng.random((512, 1024), np.float32), {})
"""


def training_memory(bench: Bench) -> Iterator[Row]:
    vectors = bench.some(150_000, 1_000_000)
    folder = bench.folder / "vectors"
    subprocess.run([sys.executable, "-c", FILLING, folder, str(vectors)], check=True)
    output: list[str] = []

    def train() -> None:
        command = [sys.executable, "-c", TRAINING, folder]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        output.extend(done.stdout.split())

    seconds = timed(train)
    resident = float(output[1])
    yield Row(
        f"training on {int(output[0]):,} x 1,024 vectors, memory beyond the page cache",
        f"{resident:.0f} MB",
        f"the vectors: {int(output[0]) * 4096 / 2**20:.0f} MB",
        f"{seconds:.0f} s for opening and 1,000 steps",
        "<= 1,024 MB",
        resident <= 1024,
    )
