"""Running all checks of the audit on a set of photos."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from retrain.data.decoding.decode import Recipe
from retrain.data.folder import Index
from retrain.errors import counted
from retrain.evaluation.audit.balance import Balance, balance
from retrain.evaluation.audit.checks import CHECKS
from retrain.evaluation.audit.evidence import gather
from retrain.evaluation.audit.finding import Finding
from retrain.features.matrix import FeatureMatrix
from retrain.utils.notebook import paragraph_html, table_html

SHOWN = 50  # findings in a notebook


@dataclass(frozen=True, repr=False)
class Audit:
    """Findings in the order of CHECKS, within a kind the worst first."""

    photos: int
    classes: tuple[str, ...]
    balance: Balance
    findings: tuple[Finding, ...]

    def __repr__(self) -> str:
        kinds = Counter(finding.kind.replace("_", " ") for finding in self.findings)
        found = ", ".join(f"{kind} {count}" for kind, count in kinds.items())
        return f"<audit of {counted(self.photos, 'photo')}: {found or 'nothing odd'}>"

    def _repr_html_(self) -> str:
        rows = [
            (found.kind.replace("_", " "), found.severity, found.path, found.other or "")
            for found in self.findings[:SHOWN]
        ]
        more = len(self.findings) - len(rows)
        said = f"{self!r}" + (f", of which {len(rows)} are shown" if more else "")
        table = table_html(["found", "how bad", "photo", "and"], rows) if rows else ""
        return paragraph_html(said) + table

    def of_kind(self, kind: str) -> list[Finding]:
        """List the findings of one kind."""
        return [finding for finding in self.findings if finding.kind == kind]


def leaks(audit: Audit) -> list[Finding]:
    """List the pairs of equal pictures in two sets; those of the same scene are none."""
    return [f for f in audit.findings if f.other and f.severity == "error"]


def run_audit(
    index: Index,
    keys: Sequence[bytes],
    features: FeatureMatrix,
    *,
    sets: np.ndarray,
    recipe: Recipe,
    looks: Path,
) -> Audit:
    """Audit the photos of an index and return the findings.

    Args:
        index: The photos.
        keys: Digest of each photo's bytes.
        features: Row i belongs to photo i; further rows are ignored.
        sets: The set of each photo.
        recipe: Knows the size of the network's input.
        looks: The folder of features, where looks at photos are kept; photos without are opened.

    Returns:
        The findings.

    Raises:
        RetrainError: A photo has gone.
    """
    evidence = gather(index, keys, features, sets=sets, recipe=recipe, looks=looks)
    found = [finding for check in CHECKS.values() for finding in check.find(evidence)]
    shares = balance(index.classes, index.counts())
    return Audit(len(index.photos), index.classes, shares, tuple(found))
