"""Figures beside the accuracy: one entry of the table is shown everywhere."""

import numpy as np
import pytest

from retrain.evaluation import headline as table
from retrain.evaluation.headline import Shown, headline, scalars
from retrain.evaluation.metrics import Metrics, compute_metrics


def metrics(classes: int, photos: int = 40) -> Metrics:
    rng = np.random.default_rng(7)
    probabilities = rng.dirichlet(np.ones(classes), photos)
    truth = rng.integers(classes, size=photos)
    labels = [f"class {number}" for number in range(classes)]
    return compute_metrics(probabilities, truth, labels, rng=rng)


def test_one_entry_shows_a_figure_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    found = metrics(3)
    monkeypatch.setattr(table, "SHOWN", (*table.SHOWN, Shown("top1_error", "Top-1 error")))
    last = headline(found)[-1]
    assert (last.name, last.text, last.terse) == (
        "Top-1 error", f"{100 * (found.top1_error or 0):.1f}\N{NO-BREAK SPACE}%", True
    )  # fmt: skip
    assert scalars(found)["top1_error"] == found.top1_error


def test_top_5_is_said_where_it_says_something() -> None:
    assert "Top-5 error" not in {figure.name for figure in headline(metrics(5))}
    assert "Top-5 error" in {figure.name for figure in headline(metrics(6))}


def test_nothing_is_shown_of_no_photos() -> None:
    assert headline(metrics(3, photos=0)) == [] and scalars(metrics(3, photos=0)) == {}
