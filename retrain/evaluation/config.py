"""Settings of the evaluation of a classifier, and of what it must reach."""

from dataclasses import dataclass
from typing import Any

from retrain.errors import UsageFault
from retrain.utils.settings import GATES, SHARE, TRAINING, Range, Section, setting, shown


def parse_recall(text: str) -> tuple[str, float]:
    """Return `daisy=0.8` as (class, least recall). Raises UsageFault."""
    label, _, share = text.rpartition("=")
    if not label:
        raise UsageFault(f"--assert_recall {shown(text)}: give CLASS=SHARE, for example daisy=0.8")
    return label, float(SHARE.parse(share, f"--assert_recall {shown(label)}="))


def _recalls(value: Any) -> tuple[tuple[str, float], ...]:
    if not isinstance(value, (list, tuple)):
        raise UsageFault(f"assert_recall {shown(value)}: give a list")
    for entry in value:
        pair = isinstance(entry, (list, tuple)) and len(entry) == 2
        if not pair or not isinstance(entry[0], str):
            raise UsageFault(
                f"assert_recall {shown(entry)}: give pairs of a class and its least recall"
            )
    return tuple((label, float(SHARE.number(least, "--assert_recall"))) for label, least in value)


@dataclass(frozen=True)
class EvalConfig(Section, group=TRAINING, recorded=False):
    """What is learnt from the validation photos; `reject_precision` None: no photo is unknown."""

    calibration: bool = setting(
        True,
        help="Export scores as trained, not divided by the temperature fitted on validation "
        "photos.",
        flag="--no-calibration",
    )
    reject_precision: float | None = setting(
        None,
        help="label-image shall say `unknown` below the score above which this share of the "
        "validation photos is right.",
        range=SHARE,
    )


@dataclass(frozen=True)
class GateConfig(Section, group=GATES, recorded=False):
    """What a result must reach for a command to end well; None or empty: no such gate.

    `assert_recall` holds (class, least recall).
    """

    max_leaks: int | None = setting(
        None,
        help="Most pairs of equal pictures in two sets.",
        range=Range(0, 1_000_000_000),
    )
    assert_accuracy: float | None = setting(None, help="Least test accuracy.", range=SHARE)
    assert_recall: tuple[tuple[str, float], ...] = setting(
        (),
        help="Least recall of a class; may be given several times.",
        metavar="CLASS=X",
        check=_recalls,
        parse=parse_recall,
    )
    assert_not_worse: bool = setting(
        False,
        help="The graph of --compare_with must not be better on the same test photos, by a paired "
        "test at 5 %.",
    )
