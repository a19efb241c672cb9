"""What the tests of whole documents share."""

import pytest

from retrain.cli.compare_heads import command as compare_heads
from retrain.cli.modules import compare_command
from retrain.cli.train import retrain

STEPS = 200


@pytest.fixture
def few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands that do not say how many steps take 200: that they run is tested, not how well."""
    for command in (retrain, compare_heads, compare_command):
        (option,) = (one for one in command.params if one.name == "how_many_training_steps")
        monkeypatch.setattr(option, "default", STEPS)
