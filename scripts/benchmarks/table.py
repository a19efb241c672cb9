"""Rows of the table, and the page they are written to."""

import os
import platform
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from pathlib import Path

from benchmarks.bench import Bench

START, END = "<!-- measured by scripts/bench -->", "<!-- end of what scripts/bench writes -->"
LIBRARIES = ("retrain", "numpy", "openvino", "pillow", "tensorflow")


@dataclass(frozen=True)
class Row:
    """`met` is None for a figure that has no target."""

    what: str
    found: str
    against: str
    ratio: str
    target: str
    met: bool | None

    def cells(self) -> list[str]:
        mark = {None: "", True: "yes", False: "**no**"}[self.met]
        return [self.what, self.found, self.against, self.ratio, self.target, mark]

    def line(self) -> str:
        return "| " + " | ".join(self.cells()) + " |"


def write_page(path: Path, rows: list[Row], bench: Bench) -> None:
    """Puts the table between the page's marks; what people wrote below them stays."""
    libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    quick = " `--quick`" if bench.quick else ""
    table = "\n".join(
        [
            START,
            "",
            f"Measured by `scripts/bench{quick}` on {date.today()}: {processor()}, "
            f"{os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}, "
            f"{libraries}. Medians of {bench.repeats} repeats; ratios are taken within a repeat.",
            "",
            "| what | found | against | ratio | target | met |",
            "|---|---|---|---|---|---|",
            *(row.line() for row in rows),
            "",
            END,
        ]
    )
    text = path.read_text(encoding="utf-8") if path.exists() else f"{START}\n{END}\n"
    before, rest = text.split(START)
    path.write_text(before + table + rest.split(END)[1], encoding="utf-8")


def processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":")[1].strip()
    return platform.processor()
