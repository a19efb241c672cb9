"""The input spec of a graph, and the user's overrides of it."""

from dataclasses import dataclass

from retrain.data.config import DEVIATION, SIDE, VALUE
from retrain.data.decoding.decode import Recipe

NHWC, NCHW = "NHWC", "NCHW"  # the order of batch, channels, height and width
SOFTMAX_APPLIED = "the graph ends without a softmax; one is applied to its scores"


@dataclass(frozen=True)
class InputSpec:
    """An input spec: how to feed a graph and read its answers.

    Attributes:
        input_layer: Is fed pixels as (x - mean) / std, after `recipe`.
        output_layer: Gives the scores.
        recipe: How photos are decoded and resized.
        mean: See `input_layer`.
        std: See `input_layer`.
        labels: Those that the graph carries, in class order.
        logits: The output is not yet a probability; a softmax is applied.
        unknown_below: A photo whose best score is below it is unknown.
        guesses: What nobody said and the graph does not know, in words for the user.
        layout: NHWC or NCHW, as the graph takes pictures.
        channels: 3, or 1 for grey.
        batch: How many pictures it takes at a time; all of them get the same photo.
        fixed: Numbers for its other inputs.
        last: The kind of operation that makes the scores; "" where a manifest says that they are
            probabilities.
    """

    input_layer: str
    output_layer: str
    recipe: Recipe
    mean: float
    std: float
    labels: tuple[str, ...] | None
    logits: bool = False
    unknown_below: float | None = None
    guesses: tuple[str, ...] = ()
    layout: str = NHWC
    channels: int = 3
    batch: int = 1
    fixed: tuple[tuple[str, float], ...] = ()
    last: str = ""


@dataclass(frozen=True)
class Overrides:
    """The user's overrides of an input spec; None where nothing was said (0 is a value).

    Layers may be given as nodes or, as TensorFlow calls their first output, with `:0`.
    """

    input_layer: str | None = None
    output_layer: str | None = None
    height: int | None = None
    width: int | None = None
    mean: float | None = None
    std: float | None = None

    def __post_init__(self) -> None:
        ranges = {"height": SIDE, "width": SIDE, "mean": VALUE, "std": DEVIATION}
        for name, within in ranges.items():
            if getattr(self, name) is not None:
                number = within.number(getattr(self, name), f"--input_{name}")
                object.__setattr__(self, name, number)
        for layer in ("input_layer", "output_layer"):
            name = getattr(self, layer)
            if name is not None:
                object.__setattr__(self, layer, name.removesuffix(":0"))
