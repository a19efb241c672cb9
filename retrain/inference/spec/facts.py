"""The facts that make up an input spec, each with its source."""

from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from retrain.data.decoding.decode import Recipe
from retrain.errors import RetrainError
from retrain.inference.config import Overrides
from retrain.inference.spec.other_inputs import OtherInput
from retrain.inference.spec.spec import NHWC, SOFTMAX_APPLIED, InputSpec

T = TypeVar("T")
PROBABILITIES = "as the graph gives them"
SOFTMAX = "softmax of what the graph gives"


@dataclass(frozen=True)
class Fact(Generic[T]):
    """A value and, in words, where it comes from or, for a guess, why it was taken."""

    value: T
    source: str
    guessed: bool = False


@dataclass(frozen=True)
class GraphFacts:
    """The facts of a graph's input spec; see `spec.InputSpec`.

    Attributes:
        format: The artefact's format, in words.
        input: The input layer's name.
        size: (height, width) of its pictures.
        scaling: (mean, std).
        output: The output layer's name.
        logits: Whether a softmax has to be applied.
        labels: Those that the graph carries.
        unknown_below: The best score below which a photo is unknown.
        layout: NHWC or NCHW.
        channels: 3, or 1 for grey.
        batch: How many pictures it takes at a time.
        others: What its further inputs are fed.
        last: The operation that makes the scores.
    """

    format: str
    input: Fact[str]
    size: Fact[tuple[int, int]]
    scaling: Fact[tuple[float, float]]
    output: Fact[str]
    logits: Fact[bool]
    labels: Fact[tuple[str, ...]] | None = None
    unknown_below: float | None = None
    layout: str = NHWC
    channels: int = 3
    batch: int = 1
    others: tuple[OtherInput, ...] = ()
    last: str = ""

    @property
    def recipe(self) -> Recipe:
        """How photos are decoded and resized for this graph."""
        return Recipe(*self.size.value)

    @property
    def spec(self) -> InputSpec:
        """The input spec that these facts give."""
        mean, std = self.scaling.value
        return InputSpec(
            self.input.value,
            self.output.value,
            self.recipe,
            mean,
            std,
            self.labels.value if self.labels else None,
            self.logits.value,
            self.unknown_below,
            self._guesses(),
            self.layout,
            self.channels,
            self.batch,
            tuple((other.name, other.value) for other in self.others),
            self.last,
        )

    def _guesses(self) -> tuple[str, ...]:
        mean, std = self.scaling.value
        said = []
        if self.scaling.guessed:
            said.append(
                f"the graph does not say how its pixels are scaled; taken (x - {mean:g}) / "
                f"{std:g}, {self.scaling.source} (--input_mean and --input_std set it)"
            )
        if self.output.guessed:
            said.append(
                f"taken {self.output.value!r} for the output, {self.output.source} "
                "(--output_layer names another)"
            )
        said += [
            f"the graph also takes {other.name!r}; fed {other.value:g}, {other.source}"
            for other in self.others
        ]
        if self.logits.value:
            said.append(SOFTMAX_APPLIED)
        elif self.logits.guessed:
            said.append(f"scores are taken {PROBABILITIES}: {self.logits.source}")
        return tuple(said)


def with_overrides(facts: GraphFacts, overrides: Overrides) -> GraphFacts:
    """Return the facts with the user's overrides of size and scaling.

    Raises RetrainError for a std of 0.
    """
    if overrides.std == 0:
        raise RetrainError("--input_std 0 would divide by zero: give the scale of the pixels")
    return replace(
        facts,
        size=_overridden_pair(
            facts.size, (overrides.height, overrides.width), ("--input_height", "--input_width")
        ),
        scaling=_overridden_pair(
            facts.scaling, (overrides.mean, overrides.std), ("--input_mean", "--input_std")
        ),
    )


def _overridden_pair(
    fact: Fact[tuple[T, T]], pair: tuple[T | None, T | None], flags: tuple[str, str]
) -> Fact[tuple[T, T]]:
    """Return a pair of values with the user's overrides; the rest of a guess stays a guess."""
    first, second = pair
    if first is None and second is None:
        return fact
    if first is not None and second is not None:
        return Fact((first, second), " and ".join(flags))
    flag = flags[0] if second is None else flags[1]
    value = (fact.value[0] if first is None else first, fact.value[1] if second is None else second)
    return Fact(value, f"{flag}; the other: {fact.source}", fact.guessed)
