"""Settings of the photos: where they are, how they are divided and distorted."""

from dataclasses import dataclass
from typing import Any

from retrain.errors import UsageFault
from retrain.utils.handles import Handle
from retrain.utils.settings import DISTORTIONS, PHOTOS, Range, Section, real, setting, text_of

PERCENT = Range(0, 99)
SIDE = Range(1, 4096)  # of a picture, in pixels
VALUE = real(-1e6, 1e6)  # of a pixel, as a network takes it
DEVIATION = real(1e-6, 1e6)  # that pixels are divided by


def check_percentages(testing: int, validation: int) -> None:
    """Raise UsageFault unless both are percentages that leave something to train on."""
    PERCENT.number(testing, "--testing_percentage")
    PERCENT.number(validation, "--validation_percentage")
    if testing + validation >= 100:
        raise UsageFault(
            f"--testing_percentage {testing} and --validation_percentage {validation} "
            "leave nothing to train on: their sum must be under 100"
        )


def _image_dir(value: Any) -> str:
    text = text_of("image_dir", value)
    return Handle(text) if "://" in text else text


@dataclass(frozen=True)
class DataConfig(Section, group=PHOTOS):
    """The photos of a run, and what becomes of those that cannot be used."""

    image_dir: str = setting(
        help="A folder of photos per class; or a .zip, a URL.",
        everyday=True,
        metavar="DIR",
        recorded=False,
        check=_image_dir,
    )
    testing_percentage: int = setting(
        10, help="Photos kept for the final test.", range=PERCENT, everyday=True
    )
    validation_percentage: int = setting(
        10, help="Photos to watch training with.", range=PERCENT, everyday=True
    )
    split: str = setting(
        "content",
        help="Rule that divides the photos: a hash of their content, or the old script's hash of "
        "their path.",
        choices=("content", "legacy"),
    )
    keep_together: str = setting(
        "copies",
        help="Photos that share a set: equal files; or duplicates, which are the same picture "
        "saved anew, crops and shots of a burst, too.",
        choices=("copies", "duplicates"),
        recorded=False,
    )
    strict: bool = setting(
        False,
        help="Stop if a file cannot be used, instead of setting it aside.",
        recorded=False,
    )
    legacy_labels: bool = setting(
        False,
        help="Labels in the old script's form: lower case, a-z and 0-9 only.",
        recorded=False,
    )

    def check(self) -> None:
        """Raise UsageFault for percentages that leave nothing to train on."""
        check_percentages(self.testing_percentage, self.validation_percentage)
        if self.split == "legacy" and self.keeps_duplicates:
            raise UsageFault(
                "--keep_together duplicates does not go with --split legacy, which divides by "
                "names: leave one of them out"
            )

    @property
    def keeps_duplicates(self) -> bool:
        """Whether photos of the same picture or scene share a set."""
        return self.keep_together == "duplicates"


@dataclass(frozen=True)
class DistortionAmounts(Section, group=DISTORTIONS):
    """How much a distorted copy of a photo may differ from it; see augment.Distortion."""

    flip_left_right: bool = setting(False, help="Mirror copies with probability one half.")
    random_crop: int = setting(0, help="Cut copies out of a frame N % larger.", range=Range(0, 200))
    random_scale: int = setting(0, help="Enlarge copies by up to N %.", range=Range(0, 200))
    random_brightness: int = setting(
        0, help="Brighten or darken copies by up to N %.", range=Range(0, 100)
    )
    random_rotation: int = setting(0, help="Turn copies by up to N degrees.", range=Range(0, 360))
    random_erase: int = setting(
        0, help="Paint over up to N % of every other copy.", range=Range(0, 100)
    )
    color_jitter: int = setting(
        0, help="Change contrast and saturation of copies by up to N %.", range=Range(0, 100)
    )


@dataclass(frozen=True)
class AugmentConfig(DistortionAmounts):
    """The distorted copies that are trained on besides the photos; none unless asked for."""

    distortion_copies: int = setting(
        4,
        help="Distorted copies of each training photo, made once, kept, and mixed with the "
        "originals.",
        range=Range(1, 1000),
    )
