"""Which formats a classifier is exported to, besides its frozen graph."""

from dataclasses import dataclass
from pathlib import Path

from retrain.errors import UsageFault
from retrain.utils.ranges import CHOICES, number_of

QUANTIZATIONS = CHOICES["tflite_quantization"]
FLOAT32, FLOAT16, DYNAMIC, INT8 = QUANTIZATIONS

# Shares of the photos that must get the frozen graph's own answer. Rounded weights turn a photo
# whose best two classes are close, now and then, without anything being wrong.
LEAST_AGREEMENT = {FLOAT32: 1.0, FLOAT16: 0.99, DYNAMIC: 0.97, INT8: 0.97}
SUFFIXES = {"TFLite": ".tflite", "ONNX": ".onnx"}


@dataclass(frozen=True)
class Target:
    """One file, or SavedModel folder, to be made.

    Attributes:
        format: SavedModel, TFLite or ONNX.
        path: Of the file or folder.
        flag: How the user named it.
        numbers: How its weights are kept.
    """

    format: str
    path: Path
    flag: str
    numbers: str = FLOAT32

    @property
    def kind(self) -> str:
        """Format and numbers, in words."""
        return f"{self.format} {self.numbers}" if self.format == "TFLite" else self.format


@dataclass(frozen=True)
class Wanted:
    """The exports that the user asked for; None: not that one.

    Attributes:
        saved_model: The SavedModel's folder.
        tflite: The TFLite file.
        quantization: Of the TFLite file.
        onnx: The ONNX file.
        least_agreement: Share of photos that must get the graph's answer; None: LEAST_AGREEMENT, by
            the kind of numbers.
        flag: How the user named the files, if not by a flag for each.
    """

    saved_model: Path | None = None
    tflite: Path | None = None
    quantization: str = FLOAT32
    onnx: Path | None = None
    least_agreement: float | None = None
    flag: str | None = None

    def targets(self) -> tuple[Target, ...]:
        """Return the files to make, in the order in which they are made."""
        every = (
            (self.saved_model, "SavedModel", "--saved_model_dir", FLOAT32),
            (self.tflite, "TFLite", "--tflite_output_file", self.quantization),
            (self.onnx, "ONNX", "--onnx_output_file", FLOAT32),
        )
        return tuple(
            Target(format, path, self.flag or flag, numbers)
            for path, format, flag, numbers in every
            if path is not None
        )

    def least(self, target: Target) -> float:
        """Return the share of photos that must get the same answer from a target."""
        if self.least_agreement is not None:
            return self.least_agreement
        return LEAST_AGREEMENT[target.numbers]

    def check(self) -> None:
        """Raise UsageFault for settings that contradict each other."""
        if self.quantization != FLOAT32 and self.tflite is None:
            raise UsageFault(
                f"--tflite_quantization {self.quantization} is for TFLite files: name one"
            )
        for target in self.targets():
            suffix = SUFFIXES.get(target.format)
            if suffix and target.path.suffix.lower() != suffix:
                raise UsageFault(
                    f"{target.flag} {target.path}: such a file is known by its name, give one that "
                    f"ends in {suffix}"
                )
        if self.least_agreement is not None:
            number_of("parity_min_agreement", self.least_agreement)
