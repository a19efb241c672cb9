"""Packages that only some uses need, and that an extra of retrain brings."""

from importlib.util import find_spec

from retrain.errors import RetrainError


def require(package: str, extra: str, what: str) -> None:
    """Raise RetrainError, with the line that installs it, unless the package is there.

    Nothing is imported. `what`: what the package is needed for, as the start of the sentence.
    """
    if find_spec(package.replace("-", "_")) is None:
        raise RetrainError(f'{what} needs the package {package}: pip install "retrain[{extra}]"')
