"""Checkpoints: the state of a network's training on disk, to go on as if nothing had happened."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from retrain.errors import RetrainError, one_line
from retrain.training.early_stopping import EarlyStopping
from retrain.utils.files import atomic_path
from retrain.utils.kept import Say, damaged, has_broken_seal, make_way, seal_file

FILE = "checkpoint.npz"
Arrays = dict[str, list[np.ndarray]]


@dataclass
class TrainingProgress(EarlyStopping):
    """How far a training is, beside the lowest loss on its selection photos so far.

    Attributes:
        epoch: The epoch at work, from 1.
        done: Training photos of this epoch that are trained.
        step: Steps in all.
        loss: The sum over the photos of this epoch so far.
    """

    epoch: int = 1
    done: int = 0
    step: int = 0
    loss: float = 0.0

    def over(self, epochs: int, patience: int) -> bool:
        """Tell whether training ends: after `epochs`, or `patience` of them in vain.

        An epoch in vain does not lower the loss. A patience of 0 is endless.
        """
        return self.epoch > epochs or self.stops(patience)


@dataclass
class Checkpoint:
    """How far a training is, and its arrays by name, in the order in which it has them."""

    standing: TrainingProgress = field(default_factory=TrainingProgress)
    arrays: Arrays = field(default_factory=dict)


def write_checkpoint(folder: Path, checkpoint: Checkpoint, belongs: Mapping[str, str]) -> None:
    """Replace the checkpoint in a folder, whole or not at all.

    `belongs`: digests or texts of all that the training depends on, by their names for users.
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
    """Read the checkpoint in a folder; None if there is none or it is damaged.

    Damage is told to `say`. Raises RetrainError if it is of a training that differs in what
    `belongs` lists.
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
        standing, written = TrainingProgress(**facts["standing"]), facts["belongs"]
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
