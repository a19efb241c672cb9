"""A damaged index of variables is refused before OpenVINO reads it, which would end the process."""

import shutil
from pathlib import Path

import graph_kinds
import pytest
from damage import DAMAGES

from retrain import load
from retrain.artifacts.variables_index import INDEX, check_variables_index
from retrain.backbones.bundled import BUNDLED, BUNDLED_FOLDER
from retrain.errors import RetrainError


@pytest.mark.parametrize("name", BUNDLED)
def test_whole_ones_pass(name: str) -> None:
    check_variables_index(BUNDLED_FOLDER / name)


def test_none_is_none(tmp_path: Path) -> None:
    check_variables_index(tmp_path)


@pytest.mark.parametrize("damage", sorted(set(DAMAGES) - {"delete"}))
def test_a_damaged_one_is_named(damage: str, tmp_path: Path) -> None:
    target = tmp_path / INDEX
    target.parent.mkdir()
    shutil.copy(BUNDLED_FOLDER / BUNDLED[0] / INDEX, target)
    DAMAGES[damage](target)
    with pytest.raises(RetrainError, match="is damaged: get the SavedModel again|cannot read"):
        check_variables_index(tmp_path)


def test_each_byte_counts(tmp_path: Path) -> None:
    """Whichever byte of the blocks is another one, it is seen."""
    whole = (BUNDLED_FOLDER / BUNDLED[1] / INDEX).read_bytes()
    target = tmp_path / INDEX
    target.parent.mkdir()
    passed = []
    for at in range(0, len(whole), 97):
        target.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        try:
            check_variables_index(tmp_path)
        except RetrainError:
            continue
        passed.append(at)
    # The block of filters, and what pads the footer, are not used by anybody.
    assert all(at >= len(whole) - 100 for at in passed)


@pytest.mark.slow
def test_a_damaged_one_is_one_line_for_who_labels(tmp_path: Path) -> None:
    graph_kinds.saved_model_tf1(tmp_path / "graph")
    content = bytearray((tmp_path / "graph" / INDEX).read_bytes())
    content[len(content) // 2] ^= 64
    (tmp_path / "graph" / INDEX).write_bytes(bytes(content))
    with pytest.raises(RetrainError, match="is damaged: get the SavedModel again"):
        load(tmp_path / "graph").open(1, lambda text: None)
