"""Sections of settings: each stage declares its own once, and all else is derived from that.

A section is a frozen dataclass whose fields are made by `setting(...)`: default, help, range or
words, and more where needed. From these fields come the options of the command line, the settings
of `run.json` and of a graph's manifest, and the checks of values, whoever gave them: a number that
no run can use ends in one line before any work, not in a full memory hours later.
"""

import dataclasses
import numbers
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, dataclass
from pathlib import Path
from typing import Any, ClassVar, get_type_hints

from retrain.errors import UsageFault
from retrain.utils.nearest import nearest
from retrain.utils.suffixes import check_suffix
from retrain.utils.text import printable

ALL = -1  # a batch of all photos
SHOWN = 40  # characters of a value that a fault repeats

# The groups of the help that options stand in.
PHOTOS, MODULE, TRAINING = "Photos", "Module and features", "Training"
DISTORTIONS, OUTPUTS = "Distortions of training photos", "Outputs"
GATES = "Gates (exit code 3)"


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

    def number(self, value: object, flag: str) -> int | float:
        """Return `value` as a plain number, an int if the range is whole.

        Texts are no numbers here (see `parse`), nor are true and false. Raises UsageFault, with the
        name of the `flag`, for what is none or out of range.
        """
        kind = numbers.Integral if self.whole else numbers.Real
        if not isinstance(value, kind) or isinstance(value, bool):
            raise self._fault(value, flag)
        try:
            number = int(value) if self.whole else float(value)  # type: ignore[call-overload]
        except OverflowError:  # an int that no float can hold
            raise self._fault(value, flag) from None
        if not self.holds(number):
            raise self._fault(value, flag)
        return number

    def parse(self, text: str, flag: str) -> int | float:
        """Parse a text into a number; raise UsageFault as `number` does."""
        try:
            return self.number(int(text) if self.whole else float(text), flag)
        except (ValueError, UsageFault):  # also for more digits than Python turns into a number
            raise self._fault(text, flag) from None  # with the text as it was typed

    def _fault(self, value: object, flag: str) -> UsageFault:
        text = shown(value) if not isinstance(value, str) or value.strip() else repr(value)
        gap = "" if flag.endswith("=") else " "
        return UsageFault(f"{flag}{gap}{text}: give {self.words}")


def real(low: float, high: float, *, above_low: bool = False, below_high: bool = False) -> Range:
    """Return a range of any numbers, not whole ones only.

    Args:
        low: The least.
        high: The largest.
        above_low: `low` itself is not allowed.
        below_high: `high` itself is not allowed.

    Returns:
        The range.
    """
    return Range(low, high, whole=False, above_low=above_low, below_high=below_high)


STEPS = Range(0, 10_000_000)
SHARE = real(0, 1, above_low=True)


@dataclass(frozen=True)
class Setting:
    """One setting of a section, as declared by `setting` and its field.

    Attributes:
        name: The field's, the flag's and the key's in `run.json`.
        kind: The type of its values.
        default: MISSING for one that must be given.
        help: Of the option.
        group: The option's place in the help.
        recorded: A graph's manifest has it.
        range: Of a number.
        choices: The words that it may be.
        check: Makes the field's value of what a caller gives, where type, range and choices do not
            say enough.
        parse: Makes the field's value of the command line's text.
        flag: The option's name, if it is not the field's.
        older_flag: Another name of the option, which older tools had.
        metavar: Stands for the option's value in the help.
        shown_default: The default in the help.
        everyday: The short help has it.
        place: It is where something of the run is written, so that it follows `--output_dir`.
        suffixes: Of an output file: those that its name may end in.
        what: Is written there, as `a frozen graph`.
    """

    name: str
    kind: Any
    default: Any
    help: str
    group: str
    recorded: bool
    range: Range | None = None
    choices: tuple[str, ...] = ()
    check: Callable[[Any], Any] | None = None
    parse: Callable[[str], Any] | None = None
    flag: str | None = None
    older_flag: str | None = None
    metavar: str | None = None
    shown_default: str | None = None
    everyday: bool = False
    place: bool = False
    suffixes: tuple[str, ...] = ()
    what: str = ""

    def value(self, given: Any) -> Any:
        """Return the value as the field has it: text becomes a path, NumPy's number a plain one.

        Raises UsageFault for one of another type, out of the range or none of the choices.
        """
        if given is None and "None" in str(self.kind):
            return None
        if self.check is not None:
            return self.check(given)
        if self.range is not None:
            return self.range.number(given, self.flag or f"--{self.name}")
        if self.choices:
            if given not in self.choices:
                words = ", ".join(self.choices)
                raise UsageFault(f"--{self.name} {shown(given)}: give one of {words}")
            return given
        if self.kind is bool:
            if type(given).__name__ not in ("bool", "bool_"):  # NumPy's too
                raise UsageFault(f"{self.name} {shown(given)}: give true or false")
            return bool(given)
        if "Path" in str(self.kind):
            path = Path(text_of(self.name, given, "path"))
            if self.suffixes:
                check_suffix(path, self.flag or f"--{self.name}", self.suffixes, what=self.what)
            return path
        return text_of(self.name, given)


def setting(default: Any = MISSING, *, help: str, **more: Any) -> Any:
    """Declare a field of a section; `more` are further fields of Setting."""
    return dataclasses.field(default=default, metadata={"help": help, **more})


class Section:
    """The settings of a stage: a frozen dataclass, checked when it is made.

    Attributes:
        group: The group of the help that its options stand in.
        recorded: A graph's manifest has the settings that do not say otherwise.
    """

    group: ClassVar[str]
    recorded: ClassVar[bool]

    def __init_subclass__(cls, *, group: str | None = None, recorded: bool | None = None) -> None:
        if group is not None:
            cls.group = group
            cls.recorded = recorded is not False

    def __post_init__(self) -> None:
        for name, each in settings_in(type(self)).items():
            object.__setattr__(self, name, each.value(getattr(self, name)))
        self.check()

    def check(self) -> None:
        """Raise UsageFault for values that do not go together."""


_FOUND: dict[type, dict[str, Setting]] = {}  # by section


def settings_in(section: type[Any]) -> dict[str, Setting]:
    """Return the settings that a section declares, by name, in their order."""
    if section not in _FOUND:
        kinds = get_type_hints(section)
        usual = {"group": section.group, "recorded": section.recorded}
        _FOUND[section] = {
            field.name: Setting(
                **{**usual, **field.metadata},
                name=field.name,
                kind=kinds[field.name],
                default=field.default,
            )
            for field in dataclasses.fields(section)
            if "help" in field.metadata
        }
    return _FOUND[section]


def check_names(given: Iterable[str], known: Mapping[str, Setting]) -> None:
    """Raise TypeError, with the nearest name, for a name that is no setting.

    The name of a setting's option is nearest to it, where the two differ.
    """
    names = {
        other.removeprefix("--"): name
        for name, each in known.items()
        for other in filter(None, (name, each.flag, each.older_flag))
    }
    near = [(name, nearest(name, names)) for name in sorted(set(given) - known.keys())]
    if near:
        said = [f"{name} (did you mean {names[one]}?)" if one else name for name, one in near]
        raise TypeError(f"no such setting: {', '.join(said)}")


def text_of(name: str, value: Any, kind: str = "text") -> str:
    """Return the text of a setting that is a text or a path; raise UsageFault for another."""
    try:
        text = os.fsdecode(value)
    except TypeError:
        raise UsageFault(f"{name} {shown(value)}: give a {kind}") from None
    if "\0" in text:
        raise UsageFault(f"{name} {shown(text)}: no name can have a null character, leave it out")
    return text


def shown(value: object) -> str:
    """Return a user's value for an error message: on one line, and at most SHOWN characters."""
    try:
        text = f"{value:g}" if isinstance(value, float) else str(value)
    except ValueError:  # an int with more digits than Python writes
        text = "of thousands of digits"
    text = printable(text)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
