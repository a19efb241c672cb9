"""The settings of a training run: the stages' sections together, and their flat names.

Only here are settings flat, by the names of the flags: as `run.json` keeps them, and as the command
line and `retrain.train` give them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from os import PathLike
from pathlib import Path
from typing import Any, get_type_hints

from retrain.data.config import AugmentConfig, DataConfig, DistortionAmounts
from retrain.errors import UsageFault
from retrain.evaluation.config import EvalConfig, GateConfig
from retrain.export.config import DEFAULT_GRAPH, ExportConfig, GraphConfig, in_folder, rejected
from retrain.features.config import ExtractConfig
from retrain.reporting.config import ReportConfig
from retrain.training.config import BatchConfig, HeadConfig, NetworkConfig, SnapshotConfig
from retrain.utils.settings import Section, Setting, check_names, settings_in

MOST_ENLARGED = 8192  # pixels a side of a picture that a distorted copy is cut out of
NO_GRAPHS_ON_THE_WAY = ("intermediate_store_frequency", "checkpoint_path")
NOT_FROM_SCRATCH = (
    "keep_together",
    "learning_rate_schedule",
    "l2",
    "sampling",
    *settings_in(DistortionAmounts),
)


@dataclass(frozen=True)
class TrainConfig:
    """One section for each stage; raises UsageFault for sections that do not go together."""

    data: DataConfig
    extract: ExtractConfig = ExtractConfig()
    head: HeadConfig = HeadConfig()
    network: NetworkConfig = NetworkConfig()
    batches: BatchConfig = BatchConfig()
    evaluation: EvalConfig = EvalConfig()
    augment: AugmentConfig = AugmentConfig()
    graph: GraphConfig = GraphConfig()
    exports: ExportConfig = ExportConfig()
    snapshots: SnapshotConfig = SnapshotConfig()
    report: ReportConfig = ReportConfig()
    gates: GateConfig = GateConfig()

    @classmethod
    def from_flat(cls, image_dir: str | PathLike[str], **given: Any) -> "TrainConfig":
        """Return the sections with the settings that are `given` by their flat names.

        Values may be plainer than their fields: text for paths, lists for tuples, NumPy's numbers.
        Raises UsageFault for a value that a setting cannot have, and TypeError for a name that is
        no setting.
        """
        given["image_dir"] = image_dir
        check_names(given, SETTINGS)
        given.update(_places(given))
        sections: dict[str, Any] = {
            section: kind(**{name: given[name] for name in settings_in(kind) if name in given})
            for section, kind in SECTIONS.items()
        }
        return cls(**sections)

    def __post_init__(self) -> None:
        for clash, said in _clashes(self):
            if clash:
                raise UsageFault(said)

    def flat(self) -> dict[str, Any]:
        """Return the value of every setting, by its flat name."""
        return {
            name: getattr(getattr(self, section), name)
            for section, kind in SECTIONS.items()
            for name in settings_in(kind)
        }

    def recorded(self) -> dict[str, Any]:
        """Return the settings that a graph's manifest says, by their flat names."""
        return {name: value for name, value in self.flat().items() if SETTINGS[name].recorded}

    def rejected(self) -> "TrainConfig":
        """Return the settings with the names for the files of a run that missed a gate.

        All of them lie beside those of the earlier run, none of which is replaced.
        """
        page = self.report.report_file
        return replace(
            self,
            graph=self.graph.rejected(),
            exports=self.exports.rejected(),
            report=replace(self.report, report_file=page if page is None else rejected(page)),
        )

    @property
    def page(self) -> Path | None:
        """Where the report goes: beside the graph, unless said otherwise; None: nowhere."""
        if not self.report.report:
            return None
        return self.report.report_file or self.graph.beside("report.html")


SECTIONS: dict[str, type[Section]] = {
    field.name: get_type_hints(TrainConfig)[field.name] for field in fields(TrainConfig)
}
SETTINGS: dict[str, Setting] = {
    name: setting for kind in SECTIONS.values() for name, setting in settings_in(kind).items()
}
PLACES = {name: setting for name, setting in SETTINGS.items() if setting.place}


def _places(given: Mapping[str, Any]) -> dict[str, Path | None]:
    """Return where the outputs of a run go, of which some are `given`; raise UsageFault.

    Bare names lie in the output folder. What nobody named lies beside the graph.
    """
    folder = SETTINGS["output_dir"].value(given.get("output_dir"))
    places: dict[str, Path | None] = {}
    for name, place in {"output_graph": DEFAULT_GRAPH, **given}.items():
        if name in PLACES:
            path = PLACES[name].value(place)
            places[name] = path if path is None else in_folder(path, folder)
    graph = GraphConfig(folder, places["output_graph"] or DEFAULT_GRAPH)
    for name in PLACES.keys() - places.keys():
        usual = PLACES[name].default
        places[name] = usual if usual is None else graph.beside(usual.name)
    return places


def _clashes(config: TrainConfig) -> Iterator[tuple[bool, str]]:
    """Yield what does not go together across sections: whether it was given, and what to say."""
    head, network, batches = config.head, config.network, config.batches
    scratch, tuned = config.extract.from_scratch, network.fine_tune is not None
    solver = f"--solver {head.solver}"
    yield (
        not head.takes_steps and config.snapshots.intermediate_store_frequency != 0,
        f"--solver {head.solver} takes no steps: leave out --intermediate_store_frequency",
    )
    # Closed forms and simple_cnn draw no batches.
    draws = head.takes_steps and not scratch
    yield (
        head.class_weight == batches.sampling == "balanced" and draws,
        "--class_weight balanced with --sampling balanced would correct twice for small classes: "
        "give --sampling uniform",
    )
    ways = {"--hidden_units": head.hidden_units > 0, "--fine_tune": tuned,
            "--architecture simple_cnn": scratch, solver: head.solver != "sgd"}  # fmt: skip
    chosen = [way for way, asked in ways.items() if asked]
    yield (
        len(chosen) > 1 and set(chosen) != {"--fine_tune", solver},
        f"{' and '.join(chosen)} do not go together: give one",
    )
    for flag, asked, possible, needed in (
        ("--grayscale", network.grayscale, scratch, "--architecture simple_cnn"),
        ("--epochs", network.epochs is not None, scratch or tuned,
         "--fine_tune or --architecture simple_cnn"),
        ("--resume", network.resume, scratch or tuned, "--fine_tune or --architecture simple_cnn"),
        ("--fine_tune_learning_rate", network.fine_tune_learning_rate is not None, tuned,
         "--fine_tune"),
    ):  # fmt: skip
        yield asked and not possible, f"{flag} is for {needed}: leave it out, or give that"
    flat = config.flat()
    for way, asked, plain in (
        ("--hidden_units", head.hidden_units > 0, NO_GRAPHS_ON_THE_WAY),
        ("--architecture simple_cnn", scratch, NO_GRAPHS_ON_THE_WAY + NOT_FROM_SCRATCH),
    ):
        for name in plain:
            yield (
                asked and flat[name] != SETTINGS[name].default,
                f"{way} does not go with --{name}: leave one of them out",
            )
    yield (
        config.gates.assert_not_worse and config.report.compare_with is None,
        "--assert_not_worse needs --compare_with, the earlier graph: give both",
    )
    augment, side = config.augment, max(config.extract.input_size or (0,))
    factor = (1 + augment.random_crop / 100) * (1 + augment.random_scale / 100)
    yield (
        factor > 1 and side * factor > MOST_ENLARGED,
        f"--input_size {side} with --random_crop {augment.random_crop} and --random_scale "
        f"{augment.random_scale} makes pictures of {side * factor:.0f} pixels a side: give "
        f"smaller ones, up to {MOST_ENLARGED} in all",
    )
