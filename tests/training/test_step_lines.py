"""How many steps of a training are logged where there is no bar."""

import numpy as np
import pytest

from retrain.training.sgd import BatchResult, StepResult
from retrain.training.solver import watched


@pytest.mark.parametrize(
    ("steps", "last", "log_every", "said"),
    [
        (4000, 3999, None, [0, 670, 1340, 2010, 2670, 3340, 3999]),  # 7 x 3 lines, not 1,200
        (50, 49, None, [0, 10, 20, 30, 40, 49]),
        (4000, 260, None, [0, 260]),  # stopped early
        (200, 199, 10, [*range(0, 200, 10), 199]),  # as retrain.py did
        (200, 199, 50, [0, 50, 100, 150, 199]),
        (1, 0, None, [0]),
    ],
)
def test_about_twenty_lines_unless_more_are_asked_for(
    steps: int, last: int, log_every: int | None, said: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    checked = BatchResult(np.zeros((10, 2)), accuracy=0.5, cross_entropy=1.0, count=10)
    with (
        caplog.at_level("INFO", logger="retrain"),
        watched(None, steps, log_every=log_every) as watch,
    ):
        for step in sorted({*range(0, last, 10), last}):
            watch.evaluation(StepResult(step, None, checked, checked, None))  # type: ignore[arg-type]
    lines = [line for line in caplog.messages if "Train accuracy" in line]
    assert [int(line.split("Step ")[1].split(":")[0]) for line in lines] == said
    assert len(caplog.messages) == 3 * len(said)
