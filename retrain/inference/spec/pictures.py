"""How a graph's input takes pictures: the order of its axes, its channels, its batch."""

from dataclasses import dataclass
from pathlib import Path

from retrain.errors import RetrainError
from retrain.inference.config import Overrides
from retrain.inference.spec.spec import NCHW, NHWC
from retrain.inference.spec.traits import Traits

CHANNELS = (3, 1)
MOST_CHANNELS = 16  # a shorter axis is one of channels, not height or width


@dataclass(frozen=True)
class PictureInput:
    """How an input takes pictures.

    Attributes:
        layout: NHWC or NCHW.
        channels: 3, or 1 for grey.
        batch: How many pictures it takes at a time.
        size: (height, width), 0 where left open.
    """

    layout: str
    channels: int
    batch: int
    size: tuple[int, int]

    def wanted_size(self, path: Path, overrides: Overrides) -> tuple[int, int]:
        """Return the size, with the user's overrides for what is left open.

        Raises RetrainError if a size is still open.
        """
        height, width = self.size[0] or overrides.height, self.size[1] or overrides.width
        if not height or not width:
            raise RetrainError(
                f"{path.absolute()} does not fix the size of its input: "
                "give --input_height and --input_width"
            )
        return height, width


def picture_input(
    path: Path, layer: str, shape: tuple[int, ...] | None, *, traits: Traits | None
) -> PictureInput:
    """Find out how an input takes pictures.

    Args:
        path: The graph's file or folder, for errors.
        layer: The input's name, for errors.
        shape: Its shape, -1 where open; None if nothing is known of it.
        traits: What the first convolution tells, which is used where the shape is open.

    Returns:
        How the input takes pictures.

    Raises:
        RetrainError: The input takes no batch of grey or RGB pictures.
    """
    known = traits or Traits()
    if shape is None:
        return PictureInput(known.layout or NHWC, known.channels or 3, 1, (0, 0))
    if len(shape) != 4:
        raise _no_pictures(path, layer, shape, takes=_why(shape))
    first, last = shape[1], shape[3]
    if last in CHANNELS or first in CHANNELS:
        layout = NHWC if last in CHANNELS else NCHW
    elif known.layout:
        layout = known.layout
    else:
        layout = NCHW if last > MOST_CHANNELS >= first > 0 else NHWC
    open_channels = first if layout == NCHW else last
    channels = open_channels if open_channels > 0 else known.channels or 3
    if channels not in CHANNELS:
        few = channels <= MOST_CHANNELS
        reason = f"pictures of {channels} channels" if few else "something else"
        raise _no_pictures(path, layer, shape, takes=reason)
    height, width = shape[2:] if layout == NCHW else shape[1:3]
    return PictureInput(layout, channels, max(shape[0], 1), (max(height, 0), max(width, 0)))


def _why(shape: tuple[int, ...]) -> str:
    if len(shape) == 3 and shape[2] in CHANNELS:
        return "one picture without a batch around it"
    if len(shape) == 5:
        return "films or volumes"
    return "rows of numbers" if len(shape) == 2 else "something else"


def _no_pictures(path: Path, layer: str, shape: tuple[int, ...], *, takes: str) -> RetrainError:
    sizes = ", ".join("?" if size < 0 else str(size) for size in shape)
    return RetrainError(
        f"{path.absolute()} takes {takes} at {layer} [{sizes}], but photos come as batches of RGB "
        "or grey pictures, [n, height, width, 3 or 1] or with the channels first: give "
        "--input_layer, or a graph that takes those"
    )
