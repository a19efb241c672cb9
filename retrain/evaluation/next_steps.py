"""What to do next after a run, with the commands to type."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from retrain.errors import counted
from retrain.evaluation.audit.audit import Audit, leaks
from retrain.evaluation.metrics import Metrics
from retrain.utils.text import shortened

NAMED = 2  # classes that a step names
NAME = 20  # characters of a class name in a step


@dataclass(frozen=True)
class Step:
    """One thing to do.

    Attributes:
        what: In words.
        command: To be typed as it is; "" where there is none.
        section: The id of the report's section that shows what is meant; "" for none.
    """

    what: str
    command: str = ""
    section: str = ""


@dataclass(frozen=True)
class Places:
    """What the commands name.

    Attributes:
        image_dir: The photos, as they were named.
        graph: The classifier.
        record: The run's settings for `--config`; None where there are none.
        findings: The table of what the audit found; None where there is none.
        module: The network's name, to be compared with `rival`.
        rival: A network that may be better and can be had without network; "" for none.
        regroups: The run divides the photos itself, so that it can keep copies in one set.
    """

    image_dir: str
    graph: Path
    record: Path | None = None
    findings: Path | None = None
    module: str = ""
    rival: str = ""
    regroups: bool = False

    def again(self, *options: str) -> str:
        """Return the command that repeats the run, with these options; "" without a record."""
        return "" if self.record is None else _typed("retrain", "--config", self.record, *options)

    @property
    def use(self) -> Step:
        """How the classifier is used."""
        return Step("Use it", f"{_typed('label-image', '--graph', self.graph)} PHOTO")


def next_steps(
    metrics: Metrics,
    places: Places,
    *,
    audit: Audit | None = None,
    growing: Sequence[str] = (),
) -> tuple[Step, ...]:
    """List what may be done about photos and classifier, the most urgent first.

    Args:
        metrics: Of the test photos.
        places: What the commands name.
        audit: Of the photos.
        growing: The classes that more photos would help, the weakest first.

    Returns:
        The steps.
    """
    again = places.again()
    found = []
    if not metrics.count:
        more = places.again("--testing_percentage", "20")
        found.append(Step("Keep photos for a test", more))
    if audit is not None:
        found += _apart(audit, places)
    if suspects := _suspects(audit):
        photos = counted(suspects, "photo")
        what = f"Check the labels of {photos} in {places.findings}, train again"
        found.append(Step(what, again, "labels"))
    if growing:
        names = ", ".join(shortened(label, NAME) for label in growing[:NAMED])
        more = f" and {len(growing) - NAMED} more" if len(growing) > NAMED else ""
        found.append(Step(f"Add photos of {names}{more}, train again", again, "more"))
    if wrong := metrics.count - int(metrics.confusion.trace()):
        found.append(Step(f"Look at {counted(wrong, 'mistake')}", section="mistakes"))
    if wrong and places.rival:
        command = _typed("retrain", "modules", "compare", places.module, places.rival,
                         "--image_dir", places.image_dir)  # fmt: skip
        found.append(Step("See if a larger network does better", command))
    return tuple(found)


def _apart(audit: Audit, places: Places) -> list[Step]:
    """List what to do about pairs in two sets, which make the accuracy look too good."""
    apart = [finding for finding in audit.findings if finding.other_set not in ("", finding.set)]
    if apart and places.regroups:
        command = places.again("--keep_together", "duplicates")
        pairs = counted(len(apart), "pair")
        return [Step(f"Keep copies and bursts in one set ({pairs} in two)", command, "copies")]
    if leaking := leaks(audit):
        pairs = counted(len(leaking), "pair")
        what = f"Take out copies ({pairs} in two sets, see {places.findings}), train again"
        return [Step(what, places.again(), "copies")]
    return []


def _suspects(audit: Audit | None) -> int:
    """Count the labels that are worth a look."""
    return len(audit.of_kind("suspected_label")) if audit is not None else 0


def _typed(*words: object) -> str:
    return shlex.join(str(word) for word in words)
