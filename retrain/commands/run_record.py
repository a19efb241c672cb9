"""`run.json`: how a run was made, in a form that `--config` repeats."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from retrain.commands.graph_writer import library_versions
from retrain.commands.result import TrainResult
from retrain.config import PLACES, SETTINGS, TrainConfig
from retrain.errors import RetrainError
from retrain.features.dataset import Dataset
from retrain.utils.files import write_bytes
from retrain.utils.json_types import fits
from retrain.utils.text import read_text

FORMAT = 1
NAME = "run.json"
DEFAULT = "default"  # where a setting came from that nobody gave


def write_run_record(config: TrainConfig, sources: Mapping[str, str], result: TrainResult) -> None:
    """Write every setting with where it came from, and what the result depends on besides.

    `sources`: where the setting of that name came from; `caller` for those not in it.
    """
    dataset, metrics = result.dataset, result.assessment.metrics
    facts = {
        "format": FORMAT,
        "settings": {
            name: {"value": _plain(value), "from": sources.get(name, "caller")}
            for name, value in config.flat().items()
        },
        "data": {**dataset.digests, "photos": len(dataset.keys)},
        "module": asdict(dataset.backbone.info),
        "versions": library_versions(),
        "result": {"test_accuracy": metrics.accuracy, "test_photos": metrics.count,
                   "temperature": result.calibration.temperature},
        "seconds": dict(result.seconds),
    }  # fmt: skip
    write_bytes(result.places.graph.beside(NAME), json.dumps(facts, indent=1).encode() + b"\n")


def read_settings(path: Path) -> dict[str, Any]:
    """Return the settings of a run record, without those that are None; raise RetrainError.

    What lets a module do more than compute is left out, too: whoever runs it has to allow it anew,
    because a record may come from elsewhere.
    """
    try:
        facts = json.loads(read_text(path, "run record"))
        settings = {name: entry["value"] for name, entry in facts["settings"].items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise RetrainError(
            f"{path.absolute()} is no run record: give the {NAME} that a run wrote"
        ) from error
    known = {name: value for name, value in settings.items() if value is not None}
    for name in PLACES.keys() & known.keys():  # what nobody named follows the graph, as then
        if facts["settings"][name].get("from") == DEFAULT:
            del known[name]
    strange = settings.keys() - SETTINGS
    if facts.get("format") != FORMAT or strange:
        raise RetrainError(
            f"{path.absolute()} was written by another version of retrain: install that version "
            f"({facts.get('versions', 'unknown')}), or give the settings as options"
        )
    for name, value in known.items():
        if not fits(value, SETTINGS[name].kind):
            raise RetrainError(
                f"{path.absolute()} gives {name} as {json.dumps(value)[:60]}, which no run wrote: "
                f"give the {NAME} that a run wrote, or repair it"
            )
    known.pop("allow_unsafe_module", None)
    return known


@dataclass(frozen=True)
class RecordedPhotos:
    """The photos of the run that wrote the record at `path`: Dataset.digest(), and how many."""

    path: Path
    digest: str
    count: int

    def difference(self, dataset: Dataset) -> str | None:
        """Say how the photos of `dataset` or their classes differ from these, or return None."""
        if dataset.digest() == self.digest:
            return None
        now = len(dataset.keys)
        how = f"{self.count} then, {now} now" if now != self.count else "as many, but not the same"
        return (
            f"the photos differ from those of {self.path.absolute()} ({how}), so its result is "
            "not repeated"
        )


def read_recorded_photos(path: Path) -> RecordedPhotos | None:
    """Return the photos in a run record that `read_settings` takes; None if it names none."""
    data = json.loads(read_text(path, "run record")).get("data")
    if not fits(data, dict[str, Any]):
        return None
    digest, count = data.get("digest"), data.get("photos")
    if not fits(digest, str) or not fits(count, int):
        return None
    return RecordedPhotos(path, digest, count)


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Path) else value
