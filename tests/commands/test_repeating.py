"""`--config` on photos that are not those of the run which wrote the record."""

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import TINY, Run, age, write_colour_tree, write_picture

from retrain.commands.run_record import read_recorded_photos

FAST = (
    "--tfhub_module",
    TINY,
    "--how_many_training_steps",
    5,
    "--no-report",
    "--summaries_dir",
    "",
)


def test_config_says_when_the_photos_are_other_ones(run: Run, tmp_path: Path) -> None:
    tree, work = write_colour_tree(tmp_path / "colours", photos=6), tmp_path / "work"
    assert run("retrain", "--image_dir", tree, *FAST).returncode == 0
    again = ("retrain", "--config", work / "run.json", "--output_graph", "again/g.pb")
    done = run(*again)
    assert done.returncode == 0 and "the photos differ" not in done.stderr

    def said(how: str) -> None:
        done = run(*again)
        line = f"the photos differ from those of {work / 'run.json'} ({how}), so its result is not"
        assert done.returncode == 0 and line in done.stderr, done.stderr

    (tree / "red" / "000.png").rename(tree / "red" / "renamed.png")  # the same photo
    done = run(*again)
    assert done.returncode == 0 and "the photos differ" not in done.stderr
    (tree / "red" / "renamed.png").rename(tree / "blue" / "moved.png")
    said("as many, but not the same")
    write_picture(tree / "red" / "new.png", (200, 40, 40), 99)
    age(tree)
    said("18 then, 19 now")


@pytest.mark.parametrize("data", [None, [], 3, {}, {"digest": 5, "photos": 3}, {"digest": "ab"},
                                  {"digest": "ab", "photos": "3"}])  # fmt: skip
def test_a_record_that_says_nothing_of_its_photos(data: Any, tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_text(json.dumps({"format": 1, "settings": {}, "data": data}))
    assert read_recorded_photos(path) is None
