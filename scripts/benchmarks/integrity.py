"""What it costs to believe nothing that was kept: the same commands with the checks and without."""

import subprocess
import sys
from collections.abc import Iterator

from benchmarks.bench import Bench, median, timed
from benchmarks.labelling import write_graph
from benchmarks.table import Row
from retrain.backbones.bundled import DEFAULT_MODULE, bundled_backbone

COMMAND = """
import importlib, sys
from retrain.utils import kept
command, checked = sys.argv.pop(1), sys.argv.pop(1)
if checked == "unchecked":
    kept.digest = None  # nobody may call it
    kept.read_kept = lambda path, say: path.read_bytes()[:-kept.SEAL_BYTES]
    kept.damage_in = lambda folder: None
    if command == "retrain.cli.main":
        from retrain.features.store import BottleneckStore
        BottleneckStore.check = lambda store, keys: None
importlib.import_module(command).main()
"""


def integrity(bench: Bench) -> Iterator[Row]:
    training = ("retrain.cli.main", "--image_dir", bench.photos, "--output_graph", "checked.pb",
                "--no-report")  # fmt: skip
    with_checks, without = _seconds(bench, *training)
    ratio = with_checks / without - 1
    yield Row(
        f"second run, {len(bench.files)} photos cached, all that is kept checked",
        f"{with_checks:.2f} s whole process",
        f"nothing checked: {without:.2f} s",
        f"{ratio:+.1%}",
        "<= +3 %",
        ratio <= 0.03,
    )
    graph = write_graph(bench, "checked", bundled_backbone(DEFAULT_MODULE))
    labelling = ("retrain.cli.label_image", "--graph", graph, bench.spread(1)[0])
    with_checks, without = _seconds(bench, *labelling)
    more_ms = 1e3 * (with_checks - without)
    yield Row(
        "label-image, one photo, MobileNet v1, the compiled graph checked",
        f"{with_checks:.3f} s whole process",
        f"not checked: {without:.3f} s",
        f"{more_ms:+.0f} ms",
        "<= +20 ms",
        more_ms <= 20,
    )


def _seconds(bench: Bench, command: str, *arguments: object) -> tuple[float, float]:
    """Medians of the whole process with the checks and without, one after the other each time."""

    def run(checked: str) -> None:
        words = [sys.executable, "-c", COMMAND, command, checked, *map(str, arguments)]
        subprocess.run(words, cwd=bench.folder, check=True, capture_output=True)

    run("checked")  # which fills the cache
    found: dict[str, list[float]] = {"checked": [], "unchecked": []}
    for _ in range(bench.some(7, 15)):
        for checked, seconds in found.items():
            seconds.append(timed(run, checked))
    return median(found["checked"]), median(found["unchecked"])
