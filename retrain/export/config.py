"""Settings of the files that a classifier is written to."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from retrain.errors import UsageFault
from retrain.export.formats import FLOAT32, FORMATS, ONNX, TFLITE, ExportFormat, format_of
from retrain.utils.settings import OUTPUTS, Section, real, setting, text_of
from retrain.utils.suffixes import check_folder_name, check_suffix, either

QUANTIZATIONS = tuple(TFLITE.agreement)
FILE_SUFFIXES = [one.suffix for one in FORMATS if one.suffix is not None]
GRAPH_SUFFIXES = (".pb", ONNX.suffix or "")  # the latter of an ONNX module


def _graph_path(value: Any) -> Path:
    path = Path(text_of("output_graph", value, "path"))
    other = format_of(path)
    instead = f"--{other.setting} {path} writes that" if other.suffix else ""
    check_suffix(path, "--output_graph", GRAPH_SUFFIXES, what="a frozen graph", instead=instead)
    return path


DEFAULT_GRAPH = Path("output_graph.pb")
REJECTED = ".rejected"


@dataclass(frozen=True)
class GraphConfig(Section, group=OUTPUTS, recorded=False):
    """The graph that every run writes, its labels, and where a run's other files go.

    `is_rejected`: The names are those `rejected` gives.
    """

    output_dir: Path | None = setting(
        None,
        help="Folder for all that a run writes.",
        metavar="DIR",
        everyday=True,
        shown_default="the graph's folder",
    )
    output_graph: Path = setting(
        DEFAULT_GRAPH,
        help="The classifier.",
        metavar="FILE",
        everyday=True,
        place=True,
        check=_graph_path,
    )
    output_labels: Path = setting(
        Path("output_labels.txt"),
        help="Its labels.",
        metavar="FILE",
        everyday=True,
        place=True,
        shown_default="output_labels.txt",
        suffixes=(".txt",),
        what="a list of labels",
    )
    final_tensor_name: str = setting(
        "final_result", help="Name of the graph's output.", metavar="NAME"
    )

    is_rejected: bool = False

    def rejected(self) -> "GraphConfig":
        """Return the names for the files of a run that missed a gate."""
        graph, labels = rejected(self.output_graph), rejected(self.output_labels)
        return replace(self, output_graph=graph, output_labels=labels, is_rejected=True)

    def beside(self, name: str) -> Path:
        """Return where a file of this run goes that no setting names.

        Into the output folder, else the graph's. Its name begins with that of the graph
        (`tiny_report.html`), so that two graphs in one folder keep their files; with the default
        graph it is `name` alone.
        """
        folder = self.output_graph.parent if self.output_dir is None else self.output_dir
        stem = self.output_graph.stem
        if self.is_rejected:
            stem = stem.removesuffix(REJECTED).removesuffix(f"_{REJECTED[1:]}")
        if stem != DEFAULT_GRAPH.stem:
            name = f"{stem}_{name.removeprefix('output_')}"
        return rejected(folder / name) if self.is_rejected else folder / name


def in_folder(path: Path, folder: Path | None) -> Path:
    """Return a place in the folder if it is a bare name, else as it is."""
    bare = str(path) == path.name != ".."
    return folder / path if folder is not None and bare else path


def rejected(file: Path) -> Path:
    """Return the name beside a file for one that missed a gate: `output_graph.rejected.pb`."""
    mark = REJECTED if file.suffix else f"_{REJECTED[1:]}"  # which is no suffix itself
    return file.with_name(f"{file.stem}{mark}{file.suffix}")


def _rejected_folder(folder: Path) -> Path:
    """Return the folder for versions that missed a gate, beside that of the others.

    A server would serve one that lay among them. `folder` may name a version itself.
    """
    whole = folder.absolute()
    versions = whole.parent if whole.name.isdecimal() else whole
    return versions.with_name(f"{versions.name}_{REJECTED[1:]}")  # folders have no suffix


@dataclass(frozen=True)
class Target:
    """One file, or folder, to be made.

    Attributes:
        format: Of FORMATS.
        path: Of the file or folder.
        flag: How the user named it.
        numbers: How its weights are kept.
    """

    format: ExportFormat
    path: Path
    flag: str
    numbers: str = FLOAT32

    @property
    def kind(self) -> str:
        """The format as users are told it."""
        name = self.format.name
        return f"{name} {self.numbers}" if self.format.numbers_setting else name


@dataclass(frozen=True)
class ExportConfig(Section, group=OUTPUTS, recorded=False):
    """What a classifier is exported as, besides its frozen graph; None: not as that.

    `parity_min_agreement` None: the `agreement` of each format, by the kind of numbers. `flag`: how
    the user named the files, if not by a flag for each. `is_rejected`: as of GraphConfig.
    """

    saved_model_dir: Path | None = setting(
        None,
        help="Also write a SavedModel, as a new version in this folder (DIR/1, DIR/2, ...).",
        metavar="DIR",
        place=True,
    )
    tflite_output_file: Path | None = setting(
        None, help="Also write a TFLite file.", metavar="FILE", place=True
    )
    tflite_quantization: str = setting(
        FLOAT32,
        help="Numbers in the TFLite file; int8 is a quarter of the size of float32 and the fastest "
        "on phones, dynamic as small without being shown photos.",
        choices=QUANTIZATIONS,
    )
    onnx_output_file: Path | None = setting(
        None, help="Also write an ONNX file.", metavar="FILE", place=True
    )
    parity_min_agreement: float | None = setting(
        None,
        help="Least share of photos that must get the frozen graph's answer from each exported "
        "file; exit code 4.",
        range=real(0, 1),
        shown_default="1; 0.99 for float16, 0.97 for dynamic and int8",
    )
    flag: str | None = None
    is_rejected: bool = False

    def rejected(self) -> "ExportConfig":
        """Return the names for exports of a run that missed a gate."""
        names: dict[str, Any] = {
            target.format.setting: rejected(target.path)
            if target.format.suffix
            else _rejected_folder(target.path)
            for target in self.targets()
        }
        return replace(self, **names, is_rejected=True)

    def targets(self) -> tuple[Target, ...]:
        """Return what is wanted, in the order in which it is made."""
        return tuple(
            Target(format, path, self.flag or f"--{format.setting}", self._numbers(format))
            for format in FORMATS
            if (path := getattr(self, format.setting)) is not None
        )

    def least(self, target: Target) -> float:
        """Return the share of photos that must get the same answer from it."""
        if self.parity_min_agreement is not None:
            return self.parity_min_agreement
        return target.format.agreement[target.numbers]

    def check(self) -> None:
        """Raise UsageFault for what contradicts itself."""
        for format in FORMATS:
            numbers = self._numbers(format)
            if numbers != FLOAT32 and getattr(self, format.setting) is None:
                raise UsageFault(
                    f"--{format.numbers_setting} {numbers} is for {format.name} files: name one"
                )
        for target in self.targets():
            suffix = target.format.suffix
            if suffix is None:
                check_folder_name(
                    target.path,
                    target.flag,
                    what=f"a {target.format.name}",
                    instead=f"files of other formats end in {either(FILE_SUFFIXES)}",
                )
            elif target.path.suffix.lower() != suffix:
                raise UsageFault(
                    f"{target.flag} {target.path}: such a file is known by its name, give one that "
                    f"ends in {suffix}"
                )

    def _numbers(self, format: ExportFormat) -> str:
        """Return how the weights are to be kept in files of a format."""
        if format.numbers_setting is None:
            return FLOAT32
        numbers: str = getattr(self, format.numbers_setting)
        return numbers
