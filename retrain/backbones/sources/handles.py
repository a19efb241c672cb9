"""What a user calls a module by, as anyone may see it: passwords and tokens are masked here, once.

A URL may carry a password (`https://name:password@host/...`) or a signature in its query. All that
is shown, written and kept uses the masked text; only what opens the connection asks for the whole.
"""

import re
from typing import Any
from urllib.parse import urlsplit

CUT = "..."
ANY_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://\S+")
ANY_QUERY = re.compile(r"(?<=/)([^\s?]*)\?\S+")
# What only asks for a form of the same file, and is no secret.
HARMLESS = re.compile(
    r"(?:tf-hub-format|raw|download|dl|v|version)=(?:compressed|uncompressed|true|false|[0-9]{1,3})"
)


class Handle(str):
    """A module's name, path or URL without its secrets; `whole` is what was given."""

    whole: str

    def __new__(cls, given: str) -> "Handle":
        self = super().__new__(cls, masked(whole(given)))
        self.whole = whole(given)
        return self

    def __reduce__(self) -> Any:  # copies, and other processes, get both
        return Handle, (self.whole,)


def whole(handle: str) -> str:
    """The handle as it was given, with its secrets."""
    return handle.whole if isinstance(handle, Handle) else str(handle)


def masked(handle: str) -> str:
    """A URL without name and password, without a fragment, and with dots for a query, unless that
    only asks for a form of the file; any other handle as it is."""
    scheme, found, rest = handle.partition("://")
    if not found:
        return handle
    host = re.split("[/?#]", rest)[0]
    if "@" in host or not _may_be_host(host):
        # A password may hold the signs that end a host; what comes before the last @ is cut.
        address = re.split("[?#]", rest)[0] if "@" in host else rest
        if "@" in address:
            rest = rest[address.rindex("@") + 1 :]
    rest, _, query = rest.partition("#")[0].partition("?")
    plain = all(HARMLESS.fullmatch(part) for part in query.split("&"))
    return f"{scheme}://{rest}" + (f"?{query if plain else CUT}" if query else "")


def lacks_secret(handle: str) -> bool:
    """Whether the handle's query was cut before it was given, as a run record has it."""
    given = whole(handle)
    return "://" in given and given.endswith(f"?{CUT}")


def without_secrets(text: str) -> str:
    """A text of other libraries with each URL, and each query after a path, masked."""
    return ANY_QUERY.sub(rf"\1?{CUT}", ANY_URL.sub(lambda found: masked(found[0]), text))


def cautiously_masked(handle: str) -> str:
    """What is no URL, and may have been meant as one, without what would be a secret in one."""
    return re.sub(r"[^/@\s]*:[^@\s]*@", "", without_secrets(handle))


def _may_be_host(host: str) -> bool:
    try:
        return urlsplit(f"//{host}").port is not False
    except ValueError:
        return False
