"""The last screen of a run: ten lines at 80 columns that say how good it is and what to do."""

import logging
from pathlib import Path

import numpy as np
import pytest

from retrain.cli.closing import say_verdict
from retrain.evaluation.metrics import compute_metrics
from retrain.evaluation.next_steps import Places, Step
from retrain.evaluation.verdict import judge

STEPS = (
    Step("Check the labels of 9 photos", "retrain audit --image_dir examples/flowers", "labels"),
    Step("See if a larger network does better",
         "retrain modules compare mobilenet_v1_100_224 efficientnet_lite0 --image_dir flowers/"),
)  # fmt: skip


@pytest.mark.parametrize(
    "label", ["roses", "photographed from above in the greenhouse of the old town"]
)
@pytest.mark.parametrize("classes", [2, 250])
def test_ten_lines_at_80_columns(
    label: str, classes: int, tmp_path: Path,
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    labels = [f"{label} {number}" for number in range(classes)]
    truth = np.repeat(np.arange(classes), 5)
    answers = (truth + (np.arange(len(truth)) % 5 == 0)) % classes
    metrics = compute_metrics(
        np.eye(classes)[answers] * 0.9 + 0.1 / classes, truth, labels,
        rng=np.random.default_rng(0),
    )  # fmt: skip
    folds = np.diag(np.bincount(np.arange(149) % classes, minlength=classes))
    folds[1, 0] = 26
    use = Places("flowers", Path("output_graph.pb")).use
    found = judge(metrics, STEPS, use, folds=folds)
    page = tmp_path / "report.html"
    with caplog.at_level(logging.INFO, logger="retrain"):
        say_verdict(found, metrics, page=page)
    figures = capsys.readouterr().out.splitlines()
    said = figures + caplog.messages
    assert len(said) <= 10
    commands = {f"  {step.command}" for step in STEPS}
    cut = [line for line in said if line not in commands and not line.startswith("Report: ")]
    assert max(map(len, cut)) <= 80
    assert figures[0].startswith("80.0 % of ") and "95 % interval" in figures[0]
    assert figures[1].startswith("Macro F1 ") and "log loss " in figures[1]
    assert figures[2].startswith("By folds 85.1 % of 175 photos are recognised")
    assert figures[3].startswith("Weakest by folds: ") and "taken for" in figures[3]
    assert figures[4] == f"Report: {page}"
    assert caplog.messages == [
        "Check the labels of 9 photos: retrain audit --image_dir examples/flowers",
        "See if a larger network does better:",
        f"  {STEPS[1].command}",
        "Use it: label-image --graph output_graph.pb PHOTO",
    ]


def test_without_a_report_no_step_names_it(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    metrics = compute_metrics(
        np.eye(2)[[0, 1] * 20], np.array([0, 1] * 19 + [1, 0]), ["a", "b"],
        rng=np.random.default_rng(0),
    )  # fmt: skip
    look = Step("Look at 2 mistakes", section="mistakes")
    found = judge(metrics, (look,), Places("ab", Path("g.pb")).use)
    with caplog.at_level(logging.INFO, logger="retrain"):
        say_verdict(found, metrics, page=None)
        assert caplog.messages == ["Use it: label-image --graph g.pb PHOTO"]
        assert "Report" not in capsys.readouterr().out
        say_verdict(found, metrics, page=Path("report.html"))
    assert "Look at 2 mistakes: see mistakes in the report" in caplog.messages
