"""Settings of the records of a run."""

from dataclasses import dataclass
from pathlib import Path

from retrain.utils.settings import OUTPUTS, Section, setting

CSV_SAFE = "put ' before a name that a spreadsheet would compute: one that begins with = + - or @"


@dataclass(frozen=True)
class ReportConfig(Section, group=OUTPUTS, recorded=False):
    """The records for people and programs; `report_file` None: beside the graph.

    What is None otherwise is not written or not done.
    """

    summaries_dir: Path | None = setting(
        Path("retrain_logs"),
        help="For TensorBoard; '': none.",
        metavar="DIR",
        everyday=True,
        place=True,
        shown_default="retrain_logs in the graph's folder",
    )
    tensorboard_projector: bool = setting(False, help="Also show the features there.")
    compare_with: Path | None = setting(
        None, help="An earlier graph, to be asked about the same test photos.", metavar="FILE"
    )
    report_file: Path | None = setting(
        None,
        help="The report, a page for the browser.",
        flag="--report",
        metavar="FILE",
        place=True,
        shown_default="report.html beside the graph",
        suffixes=(".html", ".htm"),
        what="a page",
    )
    report: bool = setting(True, help="No report.", flag="--no-report")
    csv_safe: bool = setting(False, help=f"In CSV files, {CSV_SAFE}.")
    print_misclassified_test_images: bool = setting(
        False, help="List the test photos that it gets wrong.", everyday=True
    )
