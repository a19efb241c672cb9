"""Handles: a user's names for modules, in which passwords and tokens are masked.

A URL may carry a password (`https://name:password@host/...`) or a signature in its query. All that
is shown, written and kept uses the masked text; only what opens the connection asks for the whole.
"""

import re
from typing import Any
from urllib.parse import urlsplit

CUT = "..."
ANY_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://\S+")
ANY_QUERY = re.compile(r"(?<=/)([^\s?]*)\?\S+")
# Queries that ask for a form of the same file, and hold no secret.
HARMLESS = re.compile(
    r"(?:tf-hub-format|raw|download|dl|v|version)=(?:compressed|uncompressed|true|false|[0-9]{1,3})"
)


class Handle(str):
    """A module's name, path or URL without its secrets; `whole` is what was given."""

    whole: str

    def __new__(cls, given: str) -> "Handle":
        """Mask what was given, and keep that as `whole`."""
        self = super().__new__(cls, masked(whole(given)))
        self.whole = whole(given)
        return self

    def __reduce__(self) -> Any:  # so that copies and pickles have both
        return Handle, (self.whole,)


def whole(handle: str) -> str:
    """Return the handle as it was given, with its secrets."""
    return handle.whole if isinstance(handle, Handle) else str(handle)


def masked(handle: str) -> str:
    """Return a URL without name, password and fragment; any other handle as it is.

    Dots stand for a query, unless that only asks for a form of the file.
    """
    scheme, found, rest = handle.partition("://")
    if not found:
        return handle
    host = re.split("[/?#]", rest)[0]
    if "@" in host or not _may_be_host(host):
        # A password may hold signs that end a host, so all before the last @ is cut.
        address = re.split("[?#]", rest)[0] if "@" in host else rest
        if "@" in address:
            rest = rest[address.rindex("@") + 1 :]
    rest, _, query = rest.partition("#")[0].partition("?")
    plain = all(HARMLESS.fullmatch(part) for part in query.split("&"))
    return f"{scheme}://{rest}" + (f"?{query if plain else CUT}" if query else "")


def lacks_secret(handle: str) -> bool:
    """Tell whether the handle's query was cut before it was given, as a run record has it."""
    given = whole(handle)
    return "://" in given and given.endswith(f"?{CUT}")


def without_secrets(text: str) -> str:
    """Mask each URL, and each query after a path, in a text of other libraries."""
    return ANY_QUERY.sub(rf"\1?{CUT}", ANY_URL.sub(lambda found: masked(found[0]), text))


def cautiously_masked(handle: str) -> str:
    """Mask what would be a secret if this text, which is no URL, was meant as one."""
    return re.sub(r"[^/@\s]*:[^@\s]*@", "", without_secrets(handle))


def _may_be_host(host: str) -> bool:
    try:
        return urlsplit(f"//{host}").port is not False
    except ValueError:
        return False
