"""`retrain audit`: what is wrong with the photos, before anything is trained."""

from pathlib import Path
from typing import Any

import click

from retrain.cli.command import GroupedCommand, start_console
from retrain.cli.options import (
    logging_options,
    module_options,
    option,
    photos_folder,
    split_options,
    take_architecture,
)
from retrain.config import TrainConfig
from retrain.utils.logs import print_result


@click.command(cls=GroupedCommand, name="retrain audit")
@photos_folder()
@split_options
@module_options
@option("output_dir", help="Where audit.csv and audit.json go.", show_default="here")
@option("csv_safe")
@option("max_leaks")
@logging_options
@click.pass_context
def command(
    ctx: click.Context,
    /,
    *,
    architecture: str | None,
    output_dir: Path | None,
    logging_verbosity: str,
    **given: Any,
) -> None:
    """Look for photos that harm: copies, leaks, wrong labels, outliers, files that are no use.

    \b
    retrain audit --image_dir flowers/

    Leaks are equal pictures in two sets; of no use are broken, blank, tiny and oversized files.
    Needs no training. With the default module it finds more wrong labels than with a tiny one.
    """
    take_architecture(ctx, architecture, given)
    config = TrainConfig.from_flat(**given)
    start_console(logging_verbosity)

    from retrain.commands.audit import audit_photos, write_audit
    from retrain.evaluation.audit.audit import leaks
    from retrain.evaluation.audit.listing import audit_lines
    from retrain.evaluation.gates import check_gates
    from retrain.reporting.records import AUDIT_CSV, AUDIT_JSON
    from retrain.utils.files import check_folder_can_be_written

    folder = output_dir or Path()
    check_folder_can_be_written(folder, "--output_dir")
    audit = audit_photos(config)
    for line in audit_lines(audit, folder / AUDIT_CSV):
        print_result(line)
    write_audit(audit, folder, csv_safe=config.report.csv_safe)
    for name in (AUDIT_CSV, AUDIT_JSON):
        print_result(f"Audit: {(folder / name).absolute()}")
    check_gates(config.gates, None, leaks=len(leaks(audit)))
