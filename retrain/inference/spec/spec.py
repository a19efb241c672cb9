"""The input spec of a graph: how it is fed, and how its answers are read."""

from dataclasses import dataclass

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
