"""Export: files of trained classifiers that run elsewhere."""

import sys
from types import ModuleType
from typing import Any


class _Callable(ModuleType):
    """This package, which can be called, too.

    Python puts it in the place of the function `retrain.export` when it is first imported.
    """

    def __call__(self, *given: Any, **named: Any) -> Any:
        """Do what the function does."""
        return vars(sys.modules["retrain"])["_export"](*given, **named)


sys.modules[__name__].__class__ = _Callable
