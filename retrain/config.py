"""Every setting of a training run, with its default. The command's options are made from it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from os import PathLike
from pathlib import Path
from typing import Any, get_type_hints

from retrain.backbones.bundled import DEFAULT_MODULE
from retrain.backbones.freeze.input_config import InputWanted
from retrain.backbones.sources.handles import Handle
from retrain.data.decoding.augment import Distortion
from retrain.errors import UsageFault
from retrain.export.config import FLOAT32, Wanted
from retrain.setting_values import checked
from retrain.training.finetune.config import parse_depth
from retrain.utils.files import user_cache_dir

SIMPLE_CNN = "simple_cnn"
EPOCHS_FOR = {
    "--grayscale": "--architecture simple_cnn",
    "--epochs": "--fine_tune or --architecture simple_cnn",
    "--resume": "--fine_tune or --architecture simple_cnn",
    "--fine_tune_learning_rate": "--fine_tune",
}
EARLY_STOPPING_PATIENCE = 20  # evaluations without a smaller validation loss
MOST_ENLARGED = 8192  # pixels a side


@dataclass(frozen=True)
class TrainSettings:
    """Fields have the names of the flags; `retrain --help-all` explains each.

    Folders that are None lie in the user's cache folder; `saved_model_dir`, `tflite_output_file`,
    `onnx_output_file`, `checkpoint_path` and `summaries_dir` are not written when None.
    `input_size` is (height, width), `input_range` (low, high); None: as the module says.
    `report_file` None: beside the graph. Gates that are None or empty are not there;
    `assert_recall` holds (class, least recall).
    """

    image_dir: str
    tfhub_module: str = DEFAULT_MODULE
    input_size: tuple[int, int] | None = None
    input_range: tuple[float, float] | None = None
    engine: str = "auto"
    precision: str = "f32"
    model_dir: Path | None = None
    allow_unsafe_module: bool = False
    bottleneck_dir: Path | None = None
    testing_percentage: int = 10
    validation_percentage: int = 10
    split: str = "content"
    strict: bool = False
    legacy_labels: bool = False
    how_many_training_steps: int = 4000
    learning_rate: float | None = None
    train_batch_size: int = 100
    validation_batch_size: int = 100
    test_batch_size: int = -1
    eval_step_interval: int = 10
    sampling: str = "balanced"
    solver: str = "sgd"
    learning_rate_schedule: str = "constant"
    early_stopping: bool = False
    l2: str | None = None
    label_smoothing: float = 0.0
    class_weight: str = "none"
    hidden_units: int = 0
    dropout: float = 0.2
    fine_tune: str | None = None
    fine_tune_learning_rate: float | None = None
    epochs: int | None = None
    grayscale: bool = False
    resume: bool = False
    seed: int = 0
    flip_left_right: bool = False
    random_crop: int = 0
    random_scale: int = 0
    random_brightness: int = 0
    random_rotation: int = 0
    random_erase: int = 0
    color_jitter: int = 0
    distortion_copies: int = 4
    output_graph: Path = Path("output_graph.pb")
    output_labels: Path = Path("output_labels.txt")
    final_tensor_name: str = "final_result"
    saved_model_dir: Path | None = None
    tflite_output_file: Path | None = None
    tflite_quantization: str = FLOAT32
    onnx_output_file: Path | None = None
    parity_min_agreement: float | None = None
    intermediate_output_graphs_dir: Path = Path("intermediate_graph")
    intermediate_store_frequency: int = 0
    checkpoint_path: Path | None = None
    summaries_dir: Path | None = Path("retrain_logs")
    print_misclassified_test_images: bool = False
    calibration: bool = True
    reject_precision: float | None = None
    compare_with: Path | None = None
    report: bool = True
    report_file: Path | None = None
    tensorboard_projector: bool = False
    csv_safe: bool = False
    assert_accuracy: float | None = None
    assert_recall: tuple[tuple[str, float], ...] = ()
    max_leaks: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "tfhub_module", Handle(self.tfhub_module))

    @property
    def rate(self) -> float:
        """The size of a step: as given, or what is usual for the way of training."""
        if self.learning_rate is not None:
            return self.learning_rate
        return 0.001 if self.solver == "adam" or self.hidden_units else 0.01

    @property
    def from_scratch(self) -> bool:
        """Whether the network itself is trained, on pixels, and no module is used."""
        return self.tfhub_module.lower().replace("-", "_") == SIMPLE_CNN

    @property
    def l2_strength(self) -> float | None:
        """The number given as `l2`; None for `auto`, which is lbfgs' default; else 0."""
        text = self.l2 or ("auto" if self.solver == "lbfgs" else "0")
        return None if text == "auto" else float(text)

    @property
    def page(self) -> Path | None:
        """Where the report goes: beside the graph, unless said otherwise; None: nowhere."""
        return (self.report_file or self.beside("report.html")) if self.report else None

    @property
    def exports(self) -> Wanted:
        """What the classifier is exported as, besides the frozen graph."""
        return Wanted(
            saved_model=self.saved_model_dir,
            tflite=self.tflite_output_file,
            quantization=self.tflite_quantization,
            onnx=self.onnx_output_file,
            least_agreement=self.parity_min_agreement,
        )

    def beside(self, name: str) -> Path:
        """A file in the folder of the graph."""
        return self.output_graph.parent / name

    @property
    def features_folder(self) -> Path:
        return self.bottleneck_dir or user_cache_dir() / "bottlenecks"

    def distortions(self) -> list[Distortion]:
        """One for each distorted copy of the training photos; none if nothing is asked for."""
        kind = Distortion(
            flip_left_right=self.flip_left_right,
            random_crop=self.random_crop,
            random_scale=self.random_scale,
            random_brightness=self.random_brightness,
            random_rotation=self.random_rotation,
            random_erase=self.random_erase,
            color_jitter=self.color_jitter,
        )
        if kind == Distortion():
            return []
        copies = range(self.distortion_copies)
        return [replace(kind, copy=copy, seed=self.seed) for copy in copies]

    @property
    def modules_folder(self) -> Path:
        return self.model_dir or default_modules_folder()

    @property
    def input_wanted(self) -> InputWanted:
        return InputWanted(self.input_size, self.input_range)

    def check_numbers(self) -> None:
        """Raises UsageFault for a value that no run can use, or two that do not go together."""
        checked(asdict(self), KINDS)
        self._check_solver()
        self._check_network()
        self._check_distortions()

    def _check_distortions(self) -> None:
        """Each distorted copy is cut out of a larger picture, which has to fit into memory."""
        side = max(self.input_size or (0,))
        factor = (1 + self.random_crop / 100) * (1 + self.random_scale / 100)
        if factor > 1 and side * factor > MOST_ENLARGED:
            raise UsageFault(
                f"--input_size {side} with --random_crop {self.random_crop} and --random_scale "
                f"{self.random_scale} makes pictures of {side * factor:.0f} pixels a side: give "
                f"smaller ones, up to {MOST_ENLARGED} in all"
            )

    def _check_network(self) -> None:
        """What belongs to which way of training a network."""
        if self.fine_tune is not None:
            parse_depth(self.fine_tune)
        ways = {"--hidden_units": self.hidden_units > 0, "--fine_tune": self.fine_tune is not None,
                "--architecture simple_cnn": self.from_scratch,
                f"--solver {self.solver}": self.solver != "sgd"}  # fmt: skip
        chosen = [way for way, asked in ways.items() if asked]
        if len(chosen) > 1 and set(chosen) != {"--fine_tune", f"--solver {self.solver}"}:
            raise UsageFault(f"{' and '.join(chosen)} do not go together: give one")
        trained = self.from_scratch or self.fine_tune is not None
        for flag, asked, possible in (
            ("--grayscale", self.grayscale, self.from_scratch),
            ("--epochs", self.epochs is not None, trained),
            ("--resume", self.resume, trained),
            (
                "--fine_tune_learning_rate",
                self.fine_tune_learning_rate is not None,
                self.fine_tune is not None,
            ),
        ):
            if asked and not possible:
                raise UsageFault(f"{flag} is for {EPOCHS_FOR[flag]}: leave it out, or give that")
        if not (self.hidden_units or self.from_scratch):
            return
        network = "--hidden_units" if self.hidden_units else "--architecture simple_cnn"
        plain = ["intermediate_store_frequency", "checkpoint_path"]
        if self.from_scratch:
            plain += ["learning_rate_schedule", "l2", "sampling", "flip_left_right", "random_crop",
                      "random_scale", "random_brightness", "random_rotation", "random_erase",
                      "color_jitter"]  # fmt: skip
        usual = {field.name: field.default for field in fields(self)}
        for name in plain:
            if getattr(self, name) != usual[name]:
                raise UsageFault(f"{network} does not go with --{name}: leave one of them out")

    def _check_solver(self) -> None:
        """What each solver can do."""
        if self.l2_strength is None and self.solver != "lbfgs":
            raise UsageFault("--l2 auto is for --solver lbfgs: give a number, or that solver")
        stepping = {"learning_rate_schedule": "constant", "early_stopping": False,
                    "intermediate_store_frequency": 0}  # fmt: skip
        for name, plain in stepping.items():
            if self.solver == "lbfgs" and getattr(self, name) != plain:
                raise UsageFault(f"--solver lbfgs takes no steps: leave out --{name}")
        if self.class_weight == "balanced" and self.sampling == "balanced":
            if self.solver != "lbfgs" and not self.from_scratch:  # which draw no batches
                raise UsageFault(
                    "--class_weight balanced with --sampling balanced would correct twice for "
                    "small classes: give --sampling uniform"
                )


KINDS = get_type_hints(TrainSettings)


def settings_of(image_dir: str | PathLike[str], given: Mapping[str, Any]) -> TrainSettings:
    """Settings from values that may be plainer than their fields: text for paths, lists for tuples,
    NumPy's numbers.

    Raises UsageFault for a value that a setting cannot have, and TypeError for a name that is no
    setting.
    """
    known = {name: value for name, value in given.items() if name in KINDS}
    strange = {name: value for name, value in given.items() if name not in KINDS}
    return TrainSettings(**checked({"image_dir": image_dir, **known}, KINDS), **strange)


def default_modules_folder() -> Path:
    """Where modules are kept when no flag says otherwise."""
    return user_cache_dir() / "modules"
