"""Matching names of classes from two places: which of them mean the same class.

Asked for folders of sets, folders and a graph's labels, the labels of two graphs, names on the
command line. The same name may be written in two sequences of code points (Unicode's NFC, as Linux
and Windows have it, and NFD, as macOS does), with other case or a blank at its end, or in the form
of TF Hub's retrain.py, which keeps a-z and 0-9 only.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence


def composed(name: str) -> str:
    """Return the name in NFC: two names are the same to the eye if these are equal."""
    return unicodedata.normalize("NFC", name)


def loose(name: str) -> str:
    """Return the name without case and without blanks at its ends."""
    return composed(composed(name).strip().casefold())


def legacy_label(name: str) -> str:
    """Return retrain.py's form of a name: lower case, each run of non-letters one blank.

    Letters are a-z and 0-9.
    """
    return re.sub(r"[^a-z0-9]+", " ", name.lower())


def match_names(names: Sequence[str], known: Sequence[str]) -> dict[int, int]:
    """Return the position in `known` of each of `names` that has its like there, by its position.

    Equal code points come first, then equal names in NFC, then those that differ in case or blanks
    at their ends, then one that is the other in retrain.py's form. What a closer name has taken is
    no longer to be had; where two could have it, neither gets it.
    """
    found = {}
    positions = {name: position for position, name in enumerate(known)}
    for number, name in enumerate(names):
        if name in positions:
            found[number] = positions[name]
    for of_name, of_known in (
        (_composed, _composed), (_loose, _loose), (_legacy, _plain), (_plain, _legacy)
    ):  # fmt: skip
        asking = [number for number in range(len(names)) if number not in found]
        if not asking:
            break
        taken = set(found.values())
        free = [position for position in positions.values() if position not in taken]
        owners = _by_form(free, known, of_known)
        claims: dict[int, list[int]] = {}
        for number in asking:
            owned = {
                position for form in of_name(names[number]) for position in owners.get(form, ())
            }
            if len(owned) == 1:
                claims.setdefault(owned.pop(), []).append(number)
        found |= {numbers[0]: position for position, numbers in claims.items() if len(numbers) == 1}
    return found


def match_name(name: str, known: Sequence[str]) -> int | None:
    """Return the position in `known` of the name that means the same as `name`, or None."""
    return match_names([name], known).get(0)


_Form = Callable[[str], set[str]]


def _by_form(positions: Iterable[int], known: Sequence[str], form: _Form) -> dict[str, set[int]]:
    owners: dict[str, set[int]] = {}
    for position in positions:
        for each in form(known[position]):
            owners.setdefault(each, set()).add(position)
    return owners


def _composed(name: str) -> set[str]:
    return {composed(name)}


def _loose(name: str) -> set[str]:
    return {loose(name)}


def _plain(name: str) -> set[str]:
    return {name.strip() or name}


def _legacy(name: str) -> set[str]:
    """Return the forms that retrain.py may have made: it saw the folder's own code points."""
    forms = (legacy_label(unicodedata.normalize(kind, name)) for kind in ("NFC", "NFD"))
    return {form.strip() or form for form in forms}
