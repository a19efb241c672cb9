"""Sections of labelling: how a graph is fed where it does not say so, and what is wanted of it."""

from dataclasses import dataclass
from pathlib import Path

from retrain.data.config import DEVIATION, SIDE, VALUE
from retrain.inference.writers import FORMATS, TEXT, choose_format
from retrain.utils.settings import Range, Section, real, setting

TOP_K = Range(1, 1_000_000)  # labels of a photo
COPY, LINK = "copy", "link"


@dataclass(frozen=True)
class Overrides(Section, group="Graph"):
    """The user's overrides of an input spec; None where nothing was said (0 is a value).

    Layers may be given as nodes or, as TensorFlow calls their first output, with `:0`.
    """

    input_layer: str | None = setting(None, help="Name of the graph's input.", metavar="NAME")
    output_layer: str | None = setting(None, help="Name of the graph's output.", metavar="NAME")
    height: int | None = setting(
        None, flag="--input_height", help="Height that photos are resized to.", range=SIDE
    )
    width: int | None = setting(
        None, flag="--input_width", help="Width that photos are resized to.", range=SIDE
    )
    mean: float | None = setting(
        None,
        flag="--input_mean",
        help="The graph gets (pixel - mean) / std, pixels from 0 to 255.",
        range=VALUE,
    )
    std: float | None = setting(None, flag="--input_std", help="See --input_mean.", range=DEVIATION)

    def __post_init__(self) -> None:
        super().__post_init__()
        for layer in ("input_layer", "output_layer"):
            name = getattr(self, layer)
            if name is not None:
                object.__setattr__(self, layer, name.removesuffix(":0"))


@dataclass(frozen=True)
class LabelConfig(Section, group="Results"):
    """What `label-image` does with the labels of photos."""

    top_k: int = setting(
        5,
        older_flag="--num_top_predictions",
        help="How many labels to give for a photo.",
        range=TOP_K,
        everyday=True,
    )
    threshold: float = setting(
        0.0,
        help="Give only labels with a score of at least X; a photo may have none.",
        range=real(0, 1),
        everyday=True,
    )
    format: str | None = setting(
        None,
        shown_default=f"as --output ends, else {TEXT}",
        help="A row for each photo; csv: path,label,score,error,label_2,score_2...",
        choices=tuple(FORMATS),
        everyday=True,
    )
    csv_safe: bool = setting(
        False,
        help="In csv and tsv, put ' before a name that a spreadsheet would compute (= + - @).",
        everyday=True,
    )
    output: Path | None = setting(
        None,
        help="Write the rows here, instead of printing them; the name's end says the format.",
        metavar="FILE",
        everyday=True,
    )
    resume: bool = setting(
        False,
        help="Go on after the rows that a labelling which was ended left beside --output.",
        everyday=True,
    )
    sort_into: Path | None = setting(
        None,
        help="Also put a copy of each photo into DIR/LABEL, or DIR/unknown.",
        metavar="DIR",
        everyday=True,
    )
    sort_by: str = setting(
        COPY,
        help="For --sort_into: copies, or symbolic links to the photos.",
        choices=(COPY, LINK),
        everyday=True,
    )
    explain: Path | None = setting(
        None,
        help="Draw into this .png or .jpg which parts of the photo speak for its label.",
        metavar="FILE",
        everyday=True,
    )

    def check(self) -> None:
        """Raise UsageFault if --format and the name of --output contradict each other."""
        choose_format(self.output, self.format)

    @property
    def row_format(self) -> str:
        """The format of the rows, one of `writers.FORMATS`."""
        return choose_format(self.output, self.format)
