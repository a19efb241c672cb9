"""Where a training of a network stands, on disk: enough to go on as if nothing had happened."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from retrain.errors import RetrainError, one_line
from retrain.utils.files import atomic_path
from retrain.utils.kept import Say, damaged, has_broken_seal, make_way, seal_file

FILE = "checkpoint.npz"
Arrays = dict[str, list[np.ndarray]]


@dataclass
class Standing:
    """`done` training photos of epoch `epoch` (from 1) are trained, in `step` steps in all;
    `loss` is the sum over these photos. `least`: the lowest loss of the judges so far, that of the
    weights after `best_epoch`, 0 being the start; `in_vain` epochs have passed since."""

    epoch: int = 1
    done: int = 0
    step: int = 0
    loss: float = 0.0
    least: float = float("inf")
    best_epoch: int = 0
    in_vain: int = 0

    def over(self, epochs: int, patience: int) -> bool:
        """After so many epochs, or so many in a row that did not lower the judges' loss (0:
        however many)."""
        return self.epoch > epochs or 0 < patience <= self.in_vain

    def judge(self, epoch: int, loss: float) -> bool:
        """Takes note of the judges' loss after `epoch`; whether it is the lowest so far."""
        self.in_vain += 1
        if not loss < self.least:
            return False
        self.least, self.in_vain, self.best_epoch = loss, 0, epoch
        return True


@dataclass
class Checkpoint:
    """`arrays`: by what they are, in the order in which the training has them."""

    standing: Standing = field(default_factory=Standing)
    arrays: Arrays = field(default_factory=dict)


def write_checkpoint(folder: Path, checkpoint: Checkpoint, belongs: Mapping[str, str]) -> None:
    """Replaces the checkpoint in `folder`, whole or not at all.

    `belongs`: digests or texts of all that the training follows from, by their names for users.
    """
    arrays = {
        f"{name}/{number}": array
        for name, group in checkpoint.arrays.items()
        for number, array in enumerate(group)
    }
    facts = json.dumps({"belongs": dict(belongs), "standing": asdict(checkpoint.standing)})
    make_way(folder / FILE)
    with atomic_path(folder / FILE) as temporary, open(temporary, "wb") as file:
        np.savez(file, allow_pickle=False, facts=np.array(facts), **arrays)
        file.close()
        seal_file(temporary, FILE)


def read_checkpoint(folder: Path, belongs: Mapping[str, str], say: Say) -> Checkpoint | None:
    """The checkpoint in `folder`; None if there is none, or if it is damaged, which is said.

    Raises RetrainError if it is of a training that differs in what `belongs` lists.
    """
    path = folder / FILE
    if not path.exists():
        return None
    try:
        if has_broken_seal(path):  # one without a seal is of an earlier version
            raise ValueError("not what was written")
        with open(path, "rb") as file, np.load(file) as stored:
            facts = json.loads(str(stored["facts"]))
            arrays: Arrays = {}
            for key in stored.files:
                name, _, number = key.partition("/")
                if number:  # in their order, as they were written
                    arrays.setdefault(name, []).append(stored[key])
        standing, written = Standing(**facts["standing"]), facts["belongs"]
    except Exception as error:  # np.load raises many kinds
        say(damaged(path, one_line(error)))
        return None
    other = [name for name, text in belongs.items() if written.get(name) != text]
    if other:
        raise RetrainError(
            f"{path.absolute()} is of a training with other {' and '.join(other)}: "
            "give the same ones again, or run without --resume to start anew"
        )
    return Checkpoint(standing, arrays)
