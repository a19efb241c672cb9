"""The solvers of a head. `--solver`, its help, checks and `compare-heads` come from SOLVERS.

Importing this must not import NumPy, because the command line's help needs the table: so a solver
says where its code is.
"""

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from retrain.training.l2_search import ClosedForm
    from retrain.training.optimizers import Update


@dataclass(frozen=True)
class Solver:
    """A way to train the softmax layer: by steps of a rule, or at once.

    Attributes:
        help: What the option's help says of it; empty where the name says all.
        rule: Name of a class of `optimizers`, for a solver that takes steps.
        closed_form: Name of a function of `l2_search`, for one that finds the optimum at once.
        rate: The usual learning rate of the steps.
    """

    help: str
    rule: str | None = None
    closed_form: str | None = None
    rate: float = 0.01

    def new_rule(self) -> "Update":
        """Return a new rule, with the memory of one training, of a solver that takes steps."""
        assert self.rule is not None
        rule: Update = getattr(import_module("retrain.training.optimizers"), self.rule)()
        return rule

    def load_closed_form(self) -> "ClosedForm":
        """Return the function of a solver that takes no steps."""
        assert self.closed_form is not None
        solve: ClosedForm = getattr(import_module("retrain.training.l2_search"), self.closed_form)
        return solve


SOLVERS = {  # by the names that --solver takes, the default first
    "sgd": Solver("the old script's", rule="Descent"),
    "momentum": Solver("", rule="Momentum"),
    "adam": Solver("wants a rate near 0.001", rule="Adam", rate=0.001),  # Kingma and Ba's rate
    "lbfgs": Solver(
        "the optimum of penalised logistic regression, the same each time", closed_form="optimum"
    ),
}
DEFAULT = next(iter(SOLVERS))
CLOSED_FORMS = [name for name, solver in SOLVERS.items() if solver.closed_form]


def solvers_help() -> str:
    """Return one sentence on every solver, for the option's help."""
    said = (f"{name}: {one.help}" if one.help else name for name, one in SOLVERS.items())
    return f"{'; '.join(said)}."
