"""Settings of the training: the head, a network below it, and the batches of photos."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from retrain.errors import UsageFault
from retrain.training.solvers import CLOSED_FORMS, DEFAULT, SOLVERS, solvers_help
from retrain.utils.settings import (
    OUTPUTS,
    STEPS,
    TRAINING,
    Range,
    Section,
    real,
    setting,
    shown,
    text_of,
)

EARLY_STOPPING_PATIENCE = 20  # evaluations without a smaller validation loss
BATCH = Range(1, 100_000, all_too=True)  # of 2,048 features: 800 MB
RATE = real(1e-12, 1000)  # below, float32 does not move
PENALTY = real(0, 1e6)
LAYERS = Range(1, 1_000_000)  # a module with fewer is trained as a whole


def parse_depth(text: str) -> int | None:
    """Return `all` as None, `LAST_3` or `3` as 3: so many last layers. Raises UsageFault."""
    wanted = text.strip().lower()
    if wanted == "all":
        return None
    number = wanted.removeprefix("last_")
    if not (number.isascii() and number.isdigit() and number.strip("0")):
        raise UsageFault(
            f"--fine_tune {shown(text)}: give all, or LAST_3 for the last three layers"
        )
    return int(LAYERS.parse(number, "--fine_tune"))


def _depth(value: Any) -> str:
    parse_depth(str(value))
    return str(value)


def _prefix(value: Any) -> Path:
    """Return a file's name without the suffix that it gets anyway."""
    path = Path(text_of("checkpoint_path", value, "path"))
    return path.with_suffix("") if path.suffix.lower() == ".npz" else path


def _l2(value: Any) -> str:
    text = str(value)
    return text if text == "auto" else str(PENALTY.parse(text, "--l2"))


@dataclass(frozen=True)
class HeadConfig(Section, group=TRAINING):
    """How the head is trained, with a hidden layer below it if there are `hidden_units`."""

    how_many_training_steps: int = setting(4000, help="Random batches.", range=STEPS, everyday=True)
    learning_rate: float | None = setting(
        None,
        help="Size of a step.",
        range=RATE,
        shown_default="0.01",
        everyday=True,
        recorded=False,  # the manifest has `rate`
    )
    solver: str = setting(
        DEFAULT,
        help=solvers_help(),
        choices=tuple(SOLVERS),
    )
    learning_rate_schedule: str = setting(
        "constant",
        help="cosine: the rate falls to 0 along half a wave.",
        choices=("constant", "cosine"),
    )
    early_stopping: bool = setting(
        False,
        help=f"End when {EARLY_STOPPING_PATIENCE} validations in a row found no smaller loss, and "
        "keep the best head.",
    )
    l2: str | None = setting(
        None,
        help="Penalty on the weights: half of this times the sum of their squares; auto: chosen by "
        "validation photos.",
        metavar="X|auto",
        shown_default=f"0; auto for {', '.join(CLOSED_FORMS)}",
        check=_l2,
    )
    label_smoothing: float = setting(
        0.0, help="Share of each label given to all classes.", range=real(0, 1, below_high=True)
    )
    class_weight: str = setting(
        "none",
        help="balanced: photos of small classes count more.",
        choices=("none", "balanced"),
    )
    hidden_units: int = setting(
        0,
        help="Width of a ReLU layer before the softmax, trained with Adam; 0: none.",
        range=Range(0, 10_000),
    )
    dropout: float = setting(
        0.2,
        help="Share of the hidden layer that a step leaves out.",
        range=real(0, 1, below_high=True),
    )

    @property
    def rate(self) -> float:
        """The size of a step: as given, or what is usual for the way of training."""
        if self.learning_rate is not None:
            return self.learning_rate
        return SOLVERS["adam" if self.hidden_units else self.solver].rate

    @property
    def l2_strength(self) -> float | None:
        """The number given as `l2`; None for `auto`, the default of closed forms; else 0."""
        text = self.l2 or ("0" if self.takes_steps else "auto")
        return None if text == "auto" else float(text)

    @property
    def takes_steps(self) -> bool:
        """Whether the solver goes in steps, rather than finding the optimum at once."""
        return self.solver not in CLOSED_FORMS

    @property
    def patience(self) -> int:
        """After how many evaluations without a smaller loss training ends; 0: never."""
        return EARLY_STOPPING_PATIENCE if self.early_stopping else 0

    def check(self) -> None:
        """Raise UsageFault for what the solver cannot do."""
        if self.l2_strength is None and self.takes_steps:
            solvers = " or ".join(CLOSED_FORMS)
            raise UsageFault(f"--l2 auto is for --solver {solvers}: give a number, or that solver")
        for name, plain in (("learning_rate_schedule", "constant"), ("early_stopping", False)):
            if not self.takes_steps and getattr(self, name) != plain:
                raise UsageFault(f"--solver {self.solver} takes no steps: leave out --{name}")


@dataclass(frozen=True)
class NetworkConfig(Section, group=TRAINING):
    """How the network below the head is trained, if it is: a module's, or simple_cnn."""

    fine_tune: str | None = setting(
        None,
        help="After the head, train the module itself: all of it, or its last N layers.",
        metavar="all|LAST_N",
        check=_depth,
    )
    fine_tune_learning_rate: float | None = setting(
        None,
        help="Its largest step; it rises in a tenth of the time and falls along half a cosine.",
        range=RATE,
        shown_default="0.001, less for larger modules",
        recorded=False,
    )
    epochs: int | None = setting(
        None,
        help="Passes over the photos, of --fine_tune or simple_cnn.",
        range=Range(1, 100_000),
        shown_default="20; simple_cnn: 200",
    )
    resume: bool = setting(
        False, help="Go on with a --fine_tune or simple_cnn that was killed.", recorded=False
    )
    grayscale: bool = setting(False, help="simple_cnn sees brightness only.")


@dataclass(frozen=True)
class BatchConfig(Section, group=TRAINING):
    """How photos are drawn: for training, for validations and for the final test."""

    train_batch_size: int = setting(100, help="Photos in a batch; -1: all.", range=BATCH)
    validation_batch_size: int = setting(
        100, help="Photos in a validation; -1: all.", range=BATCH, recorded=False
    )
    test_batch_size: int = setting(
        -1, help="Photos in the final test; -1: all.", range=BATCH, recorded=False
    )
    eval_step_interval: int = setting(
        10, help="Validate every N steps.", range=Range(1, STEPS.high), recorded=False
    )
    log_every: int | None = setting(
        None,
        help="Where there is no terminal, log a step in every N; 10 is what retrain.py did.",
        range=Range(1, STEPS.high),
        shown_default="about 20 lines in all",
        recorded=False,
    )
    sampling: str = setting(
        "balanced",
        help="balanced: classes are drawn equally often; uniform: photos are.",
        choices=("balanced", "uniform"),
    )
    seed: int = setting(0, help="Same seed, same head.", range=Range(0, 2**64 - 1), everyday=True)


@dataclass(frozen=True)
class SnapshotConfig(Section, group=OUTPUTS, recorded=False):
    """What is kept of a training that is still under way; `checkpoint_path` None: nothing."""

    intermediate_output_graphs_dir: Path = setting(
        Path("intermediate_graph"),
        help="Folder for graphs saved while training.",
        metavar="DIR",
        place=True,
        shown_default="intermediate_graph in the graph's folder",
    )
    intermediate_store_frequency: int = setting(
        0, help="Save such a graph every N steps; 0: never.", range=STEPS
    )
    checkpoint_path: Path | None = setting(
        None,
        help="Also write the head's weights to PREFIX.npz.",
        metavar="PREFIX",
        place=True,
        check=_prefix,
    )
