"""How a graph is fed and what a user may say about it."""

from dataclasses import dataclass

from retrain.data.decoding.decode import Recipe
from retrain.utils.ranges import number_of

NHWC, NCHW = "NHWC", "NCHW"  # the order of batch, channels, height and width
SOFTMAX_APPLIED = "the graph ends without a softmax; one is applied to its scores"


@dataclass(frozen=True)
class GraphInput:
    """How to feed a graph: pixels (x - mean) / std at `input_layer`, after `recipe`.

    `labels`: those that the graph carries. `logits`: the output is not yet a probability. A photo
    whose best score is under `unknown_below` is unknown. `guesses`: what nobody said and the graph
    does not know, in words for the user. `layout`: NHWC or NCHW, as the graph takes it;
    `channels`: 3, or 1 for grey; `batch`: how many pictures it takes at a time, all of which get
    the same photo. `fixed`: numbers for its other inputs. `last`: the kind of operation that makes
    the scores, "" for a graph whose manifest says that they are probabilities.
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
    """What the user says about a graph; None where nothing was said (0 is a value).

    Layers may be given as nodes or, as TensorFlow calls their first output, with `:0`.
    """

    input_layer: str | None = None
    output_layer: str | None = None
    height: int | None = None
    width: int | None = None
    mean: float | None = None
    std: float | None = None

    def __post_init__(self) -> None:
        for name in ("height", "width", "mean", "std"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, number_of(f"input_{name}", getattr(self, name)))
        for layer in ("input_layer", "output_layer"):
            name = getattr(self, layer)
            if name is not None:
                object.__setattr__(self, layer, name.removesuffix(":0"))
