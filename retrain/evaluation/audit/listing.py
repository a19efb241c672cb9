"""The audit as a table, as JSON, and as a few lines for the terminal."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from retrain.errors import counted
from retrain.evaluation.audit.audit import Audit, leaks
from retrain.evaluation.audit.balance import Balance
from retrain.evaluation.audit.checks import CHECKS
from retrain.evaluation.audit.finding import Finding
from retrain.utils.files import write_bytes
from retrain.utils.text import csv_row, plain

SHOWN = 3  # findings of a kind on the terminal


def write_audit_csv(audit: Audit, path: Path, *, csv_safe: bool = False) -> None:
    """Write one row for each finding, with columns named as Finding's fields.

    `csv_safe`: see `text.csv_row`. Raises RetrainError if the file cannot be written.
    """
    names = [field.name for field in fields(Finding)]
    rows = [names]
    for finding in audit.findings:
        values = [getattr(finding, name) for name in names]
        rows.append([_cell(value) for value in values])
    table = "".join(csv_row(row, safe=csv_safe) for row in rows)
    write_bytes(path, table.encode("utf-8", "surrogateescape"))


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else ""
    if value is None:
        return ""
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def write_audit_json(audit: Audit, path: Path) -> None:
    """Write the findings and their counts as JSON; raise RetrainError if that fails.

    `score` is null where there is none.
    """
    text = json.dumps(audit_to_json(audit), indent=1, ensure_ascii=False) + "\n"
    write_bytes(path, text.encode("utf-8", "surrogateescape"))


def audit_to_json(audit: Audit) -> dict[str, Any]:
    """Return the audit in types that JSON has."""
    return {
        "photos": audit.photos,
        "classes": list(audit.classes),
        "balance": {**asdict(audit.balance), "ratio": audit.balance.ratio},
        **audit_counts(audit),
        "findings": [asdict(finding) for finding in audit.findings],
    }


def audit_counts(audit: Audit) -> dict[str, Any]:
    """Count the `leaks`, and the findings of each kind as `counts`."""
    kinds = Counter(finding.kind for finding in audit.findings)
    return {"leaks": len(leaks(audit)), "counts": {kind: kinds[kind] for kind in CHECKS}}


def audit_from_json(facts: Mapping[str, Any]) -> Audit:
    """Return the audit that `audit_to_json` gave; raise KeyError or TypeError for anything else."""
    balance = {field.name: facts["balance"][field.name] for field in fields(Balance)}
    findings = tuple(Finding(**finding) for finding in facts["findings"])
    return Audit(facts["photos"], tuple(facts["classes"]), Balance(**balance), findings)


def audit_lines(audit: Audit, listed: Path, unseen: str = "") -> list[str]:
    """Return a line for each kind that was found, then its worst; leaks come first.

    Args:
        audit: The findings.
        listed: Where the others are.
        unseen: What the accuracy is without the test photos that are seen in training, if known.

    Returns:
        The lines.
    """
    lines = []
    leaking = leaks(audit)
    if leaking:
        lines.append(f"ERROR: {counted(len(leaking), 'pair')} of equal pictures in two sets")
        lines += _worst(leaking, listed)
    if unseen:
        lines.append(f"{'warning' if leaking else 'note'}: {unseen}")
    for kind, check in CHECKS.items():
        found = [f for f in audit.of_kind(kind) if f.severity != "error"]
        if found:
            severities = {finding.severity for finding in found}
            severity = "warning" if "warning" in severities else "note"
            name = kind.replace("_", " ")
            more = plain(f", {sum_up(kind, audit)}") if check.sum_up else ""
            lines.append(f"{severity}: {name} ({check.meaning}): {len(found)}{more}")
            found.sort(key=lambda finding: finding.severity != "warning")
            lines += _worst(found, listed)
    if not lines:
        lines.append(f"nothing odd about {counted(audit.photos, 'photo')}")
    return lines


def sum_up(kind: str, audit: Audit) -> str:
    """Say what the check says of all its findings together; empty without any."""
    found, say = audit.of_kind(kind), CHECKS[kind].sum_up
    return say(found) if found and say is not None else ""


def _worst(findings: list[Finding], listed: Path) -> list[str]:
    lines = []
    for finding in findings[:SHOWN]:
        what = " and ".join(path for path in (finding.path, finding.other) if path)
        lines.append(f"  {what}: {finding.detail}" if what else f"  {finding.detail}")
    if len(findings) > SHOWN:
        lines.append(f"  and {len(findings) - SHOWN} more in {listed.absolute()}")
    return lines
