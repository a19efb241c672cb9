"""The range of every number that a user may give, and the words that a setting may have.

One table, for the command line, for run.json and for the functions of `import retrain`: a number
that no run can use ends in one line before any work, not in a full memory hours later.
"""

import numbers
from dataclasses import dataclass

from retrain.errors import UsageFault
from retrain.utils.text import printable

ALL = -1  # a batch of all photos
SHOWN = 40  # characters of a value that a fault repeats


@dataclass(frozen=True)
class Range:
    """The numbers that a setting may have.

    Attributes:
        low: The least.
        high: The largest.
        whole: Whole numbers only.
        above_low: `low` itself is not allowed.
        below_high: `high` itself is not allowed.
        all_too: ALL is allowed as well.
    """

    low: float
    high: float
    whole: bool = True
    above_low: bool = False
    below_high: bool = False
    all_too: bool = False

    def holds(self, number: float) -> bool:
        """Tell whether a number is in the range; NaN never is."""
        if self.all_too and number == ALL:
            return True
        over = number > self.low if self.above_low else number >= self.low
        return over and (number < self.high if self.below_high else number <= self.high)

    @property
    def words(self) -> str:
        """The range in words: what to give."""
        kind = "a whole number" if self.whole else "a number"
        low, high = (
            f"{int(end):,}" if end == int(end) else f"{end:g}" for end in (self.low, self.high)
        )
        start = f"above {low}" if self.above_low else f"from {low}"
        end = f"below {high}" if self.below_high else f"up to {high}"
        all_too = f", or {ALL} for all" if self.all_too else ""
        return f"{kind} {start} {end}{all_too}"


def _real(low: float, high: float, *, above_low: bool = False, below_high: bool = False) -> Range:
    return Range(low, high, False, above_low, below_high)


_STEPS = Range(0, 10_000_000)
_BATCH = Range(1, 100_000, all_too=True)  # of 2,048 features: 800 MB
_RATE = _real(1e-12, 1000)  # below, float32 does not move
_PERCENT = Range(0, 99)
_SHARE = _real(0, 1, above_low=True)
_SIDE = Range(1, 4096)  # pixels
_VALUE = _real(-1e6, 1e6)  # of a pixel, as a network takes it

RANGES = {
    "testing_percentage": _PERCENT,
    "validation_percentage": _PERCENT,
    "how_many_training_steps": _STEPS,
    "learning_rate": _RATE,
    "fine_tune_learning_rate": _RATE,
    "train_batch_size": _BATCH,
    "validation_batch_size": _BATCH,
    "test_batch_size": _BATCH,
    "eval_step_interval": Range(1, 10_000_000),
    "intermediate_store_frequency": _STEPS,
    "l2": _real(0, 1e6),
    "label_smoothing": _real(0, 1, below_high=True),
    "hidden_units": Range(0, 10_000),
    "dropout": _real(0, 1, below_high=True),
    "fine_tune": Range(1, 1_000_000),  # layers; a module with fewer is trained as a whole
    "epochs": Range(1, 100_000),
    "seed": Range(0, 2**64 - 1),
    "random_crop": Range(0, 200),
    "random_scale": Range(0, 200),
    "random_brightness": Range(0, 100),
    "random_rotation": Range(0, 360),
    "random_erase": Range(0, 100),
    "color_jitter": Range(0, 100),
    "distortion_copies": Range(1, 1000),
    "parity_min_agreement": _real(0, 1),
    "reject_precision": _SHARE,
    "assert_accuracy": _SHARE,
    "assert_recall": _SHARE,
    "max_leaks": Range(0, 1_000_000_000),
    "input_size": _SIDE,
    "input_range": _VALUE,
    # Of other people's graphs, and of labelling.
    "input_height": _SIDE,
    "input_width": _SIDE,
    "input_mean": _VALUE,
    "input_std": _real(1e-6, 1e6),
    "top_k": Range(1, 1_000_000),
    "threshold": _real(0, 1),
}

CHOICES = {
    "split": ("content", "legacy"),
    "engine": ("auto", "openvino", "tensorflow"),
    "precision": ("f32", "bf16"),
    "solver": ("sgd", "momentum", "adam", "lbfgs"),
    "learning_rate_schedule": ("constant", "cosine"),
    "class_weight": ("none", "balanced"),
    "sampling": ("balanced", "uniform"),
    "tflite_quantization": ("float32", "float16", "dynamic", "int8"),
}


def number_of(name: str, value: object, flag: str | None = None) -> int | float:
    """Return `value` as a plain number, an int where RANGES has whole ones for `name`.

    Texts are no numbers here (see `parse_number`), nor are true and false. Raises UsageFault, with
    the name of the `flag`, for what is none or out of range.
    """
    wanted = RANGES[name]
    kind = numbers.Integral if wanted.whole else numbers.Real
    if not isinstance(value, kind) or isinstance(value, bool):
        raise _fault(name, value, flag)
    try:
        number = int(value) if wanted.whole else float(value)  # type: ignore[call-overload]
    except OverflowError:  # an int that no float can hold
        raise _fault(name, value, flag) from None
    if not wanted.holds(number):
        raise _fault(name, value, flag)
    return number


def parse_number(name: str, text: str, flag: str | None = None) -> int | float:
    """Parse a text into the number of a setting; raise UsageFault as `number_of` does."""
    try:
        number = int(text) if RANGES[name].whole else float(text)
    except ValueError:  # also for more digits than Python turns into a number
        raise _fault(name, text, flag) from None
    try:
        return number_of(name, number, flag)
    except UsageFault:
        raise _fault(name, text, flag) from None  # with the text as it was typed


def check_choice(name: str, value: object) -> None:
    """Raise UsageFault for a word that the setting `name` cannot be."""
    if value not in CHOICES[name]:
        raise UsageFault(f"--{name} {shown(value)}: give one of {', '.join(CHOICES[name])}")


def shown(value: object) -> str:
    """Return a user's value for an error message: on one line, and at most SHOWN characters."""
    try:
        text = f"{value:g}" if isinstance(value, float) else str(value)
    except ValueError:  # an int with more digits than Python writes
        text = "of thousands of digits"
    text = printable(text)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


def _fault(name: str, value: object, flag: str | None) -> UsageFault:
    text = shown(value) if not isinstance(value, str) or value.strip() else repr(value)
    place = flag or f"--{name}"
    gap = "" if place.endswith("=") else " "
    return UsageFault(f"{place}{gap}{text}: give {RANGES[name].words}")
