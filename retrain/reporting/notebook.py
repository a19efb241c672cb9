"""A verdict with its figures, as notebooks show it."""

from html import escape
from pathlib import Path

from retrain.evaluation.metrics import Metrics
from retrain.evaluation.verdict import Verdict
from retrain.utils.notebook import paragraph_html, table_html, text_html

MOST = 50  # classes in the table


def verdict_html(verdict: Verdict, metrics: Metrics, *, page: Path | None = None) -> str:
    """Return the verdict in words, the classes with their figures, and a link to the page."""
    said = [verdict.tested.sentence(), verdict.usable, verdict.sure]
    if verdict.folds is not None:
        said.insert(1, f"By folds {verdict.folds.sentence()}")
    if verdict.weakest is not None:
        said.append(f"Weakest: {verdict.weakest.sentence()}")
    parts = [paragraph_html(text) for text in said if text]
    for step in verdict.steps:
        command = f": <code>{text_html(step.command)}</code>" if step.command else ""
        parts.append(f"<p>{text_html(step.what)}{command}</p>")
    rows = [
        (each.label, str(each.support), each.recall, each.precision)
        for each in metrics.classes[:MOST]
    ]
    parts.append(table_html(["class", "photos", "recall", "precision"], rows))
    if page is not None:
        parts.append(f'<p><a href="{escape(page.absolute().as_uri())}">{text_html(page.name)}</a>')
    return "".join(parts)
