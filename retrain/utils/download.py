"""Downloading one file over HTTP: tried again where that may help, with a limit on every wait.

Proxies come from the environment (`https_proxy`, `no_proxy`, ...) as `requests` reads them.
"""

import errno
import logging
import os
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event, Thread
from typing import BinaryIO, TypeVar
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError
from urllib3.util import Retry

from retrain._version import __version__
from retrain.errors import RetrainError, one_line
from retrain.utils.archive import MODULE, Limits
from retrain.utils.files import atomic_path
from retrain.utils.handles import Handle, whole, without_secrets
from retrain.utils.progress import progress

log = logging.getLogger(__name__)

CONNECT_S = 3.0  # for looking the name up and connecting, together
READ_S = 20.0  # between two blocks from the server
BODY_PAUSES_S = (0.5, 1.0, 2.0)  # before each new try after a body broke off
STALL_S = 60.0  # for an answer, and for each block: slower than 1 kB/s is given up
BLOCK_BYTES = 1 << 16
# Retry-After is not respected: it may ask for an hour.
RETRIES = Retry(
    total=4,
    connect=1,
    read=1,
    backoff_factor=0.5,
    status_forcelist=(429, 500, 502, 503, 504),
    allowed_methods=("GET",),
    raise_on_status=False,
    respect_retry_after_header=False,
)
T = TypeVar("T")
WHY_REFUSED = {403: "the server forbids it (403)", 404: "the server has no such file (404)"}


class NoNetwork(RetrainError):
    """The host, or the proxy to it, accepts no connection."""


class _Refused(Exception):
    """There is no download; the message says why, as a part of a sentence."""


class _Stalled(_Refused):
    """Too little came in too long a time."""


class _BrokenOff(_Refused):
    """A body ended before its end: the next try may be luckier."""


def download(url: str, target: Path, advice: str, *, limits: Limits = MODULE) -> None:
    """Write the bytes that an http(s) URL serves to `target`, whole or not at all.

    They are stored as they are sent: an archive that a server declares as gzip-encoded stays one.
    Another host that it is sent on to is said; a password goes to the host of the URL only.
    Raises RetrainError, in a line that ends in `advice` and holds no secret of the URL: within
    CONNECT_S if there is no network, within STALL_S when less than a block comes in that time, and
    for more than the `limits` allow.
    """
    url = Handle(url)
    try:
        unreachable = why_unreachable(url)
        if unreachable is not None:
            raise NoNetwork(f"cannot download {url}: {unreachable}; {advice}")
        with atomic_path(target) as temporary, open(temporary, "wb") as file, _session() as session:
            _Transfer(session, url, file, most=limits.packed).run()
    except _Refused as reason:
        why = without_secrets(str(reason))
        raise RetrainError(f"cannot download {url}: {why}; {advice}") from None


def why_unreachable(url: str) -> str | None:
    """Say why the URL's host, or the proxy to it, accepts no connection; None if it does.

    Takes at most CONNECT_S. Without this, a name server or a firewall that swallows packets would
    cost half a minute: the system's look-up of names has no time-out that we could set.
    """
    try:
        host, port, who = _peer(whole(url))
    except ValueError:
        return "this is no URL that can be fetched"
    outcome: list[OSError | None] = []

    def connect() -> None:
        for pause in (CONNECT_S / 6, None):
            try:
                _connect(host, port)
                outcome.append(None)
                return
            except (OSError, UnicodeError) as error:
                if pause is None:
                    outcome.append(error if isinstance(error, OSError) else socket.gaierror())
                else:
                    time.sleep(pause)

    thread = Thread(target=connect, daemon=True)  # a daemon, so that the process can end without it
    thread.start()
    thread.join(CONNECT_S)
    fault = outcome[0] if outcome else TimeoutError()
    if fault is None:
        return None
    if isinstance(fault, socket.gaierror):
        return f"the name of {who} is not known: is this machine online?"
    if isinstance(fault, TimeoutError):
        return f"{who} did not answer within {CONNECT_S:g} s: is this machine online?"
    return f"{who} cannot be reached: {fault.strerror or one_line(fault)}"


def _peer(url: str) -> tuple[str, int, str]:
    """Return host, port and description of what the first connection goes to; raise ValueError."""
    proxy = requests.utils.select_proxy(url, requests.utils.get_environ_proxies(url))
    if proxy:
        parts = urlsplit(requests.utils.prepend_scheme_if_needed(proxy, "http"))
    else:
        parts = urlsplit(url)
    if not parts.hostname:
        raise ValueError(url)
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme, 1080)
    who = f"{parts.hostname}:{port}"
    return parts.hostname, port, f"the proxy {who} (from the environment)" if proxy else who


def _connect(host: str, port: int) -> None:
    """Try the host's first address of each family, since IPv6 may be broken where IPv4 works."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = {family: address for family, *_, address in reversed(found)}
    for number, (family, address) in enumerate(reversed(addresses.items()), 1):
        with socket.socket(family, socket.SOCK_STREAM) as connection:
            connection.settimeout(CONNECT_S / 2)
            try:
                connection.connect(address)
                return
            except OSError:
                if number == len(addresses):
                    raise


def _session() -> requests.Session:
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # its warnings show whole URLs
    session = requests.Session()
    session.headers["User-Agent"] = f"retrain/{__version__}"
    for scheme in ("http://", "https://"):
        session.mount(scheme, HTTPAdapter(max_retries=RETRIES))
    return session


class _Transfer:
    """One file on its way.

    A new try goes on where the last broke off, if the server can do that and says (by its ETag)
    that the file is still the same.
    """

    def __init__(self, session: requests.Session, url: str, file: BinaryIO, *, most: int) -> None:
        self.session, self.url, self.file, self.most = session, url, file, most
        self.tag = ""
        self.told = ""  # the host of the last redirect that was logged

    def run(self) -> None:
        for pause in (*BODY_PAUSES_S, None):
            try:
                self._attempt()
                break
            except _BrokenOff as reason:
                if pause is None:
                    tries = len(BODY_PAUSES_S) + 1
                    raise _Refused(f"it broke off {tries} times ({reason})") from reason
                megabytes = self.file.tell() / 1e6
                log.info(f"The download broke off after {megabytes:.1f} MB; trying again")
                time.sleep(pause)
        if not self.file.tell():
            raise _Refused("the server sent an empty file")

    def _attempt(self) -> None:
        headers = {"Accept-Encoding": "identity"}
        held = self.file.tell() if self.tag else 0
        if held:
            headers |= {"Range": f"bytes={held}-", "If-Range": self.tag}
        response = _in_time(lambda: self._get(headers), "no answer", requests.Response.close)
        try:
            self._take(response, held)
        except _Stalled:  # the abandoned reader closes it; closing here would wait
            raise
        except BaseException:
            response.close()
            raise
        response.close()

    def _take(self, response: requests.Response, held: int) -> None:
        """Add the body to the `held` bytes, or begin anew where the server does."""
        self._say_redirect(response)
        if response.status_code != 206:
            held = 0
        self.file.seek(held)
        self.file.truncate()
        tag = response.headers.get("ETag", "")
        self.tag = "" if tag.startswith("W/") else tag
        self._receive(response, held)

    def _get(self, headers: dict[str, str]) -> requests.Response:
        try:
            response = self.session.get(
                whole(self.url), headers=headers, stream=True, timeout=(CONNECT_S, READ_S)
            )
        except requests.RequestException as error:
            # The host may be another one than the URL's, after a redirect.
            host = urlsplit(str(error.request.url)).hostname if error.request else None
            # The fault itself holds the whole URL, which --debug would show.
            raise _Refused(f"{host}: {root_of(error)}" if host else root_of(error)) from None
        if response.status_code not in (200, 206):
            response.close()
            status = f"the server answered {response.status_code} {response.reason}"
            raise _Refused(WHY_REFUSED.get(response.status_code, status))
        return response

    def _say_redirect(self, response: requests.Response) -> None:
        start, *_, end = (urlsplit(each.url) for each in (*response.history, response, response))
        if end.hostname == start.hostname and end.scheme == start.scheme:
            return
        here = f"{end.scheme}://{end.hostname}"
        if here != self.told:
            self.told = here
            log.info(f"{start.hostname} sends the download on to {here}")

    def _receive(self, response: requests.Response, held: int) -> None:
        declared = response.headers.get("Content-Length", "")
        total = held + int(declared) if declared.isascii() and declared.isdigit() else 0
        self._check_size(total)
        name = urlsplit(self.url).path.rstrip("/").rsplit("/", 1)[-1] or self.url
        with progress(f"Downloading {name}", total // 1000, "kB") as meter:
            meter.advance(held // 1000)
            blocks = _blocks(response)
            little = f"less than {BLOCK_BYTES >> 10} kB"
            while block := _in_time(lambda: next(blocks, b""), little, lambda _: response.close()):
                if not self.file.tell():
                    _check_no_page(response, block)
                before = self.file.tell()
                self._check_size(before + len(block))
                self.file.write(block)
                meter.advance(self.file.tell() // 1000 - before // 1000)
        if total and self.file.tell() < total:
            raise _BrokenOff(f"{self.file.tell()} of {total} bytes came")

    def _check_size(self, size: int) -> None:
        """Raise _Refused for more than is allowed, OSError for more than the disk has."""
        if size > self.most:
            raise _Refused(f"it is larger than {self.most >> 30} GB")
        room = shutil.disk_usage(os.path.dirname(os.path.abspath(self.file.name))).free
        if size - self.file.tell() > room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _in_time(work: Callable[[], T], what: str, discard: Callable[[T], object]) -> T:
    """Return what `work` gives within STALL_S; else raise _Stalled, which says that `what` came.

    Time-outs of sockets begin again with each byte, so a byte now and then would hold us for ever.
    The work is left to a daemon thread; what it gives too late is discarded.
    """
    outcome: list[T] = []
    fault: list[Exception] = []
    left = Event()

    def run() -> None:
        try:
            outcome.append(work())
        except Exception as error:
            fault.append(error)
        if left.is_set() and outcome:
            discard(outcome[0])

    thread = Thread(target=run, daemon=True)
    thread.start()
    thread.join(STALL_S)
    if thread.is_alive():
        left.set()
        raise _Stalled(f"{what} came within {STALL_S:g} s")
    if fault:
        raise fault[0]
    return outcome[0]


def _blocks(response: requests.Response) -> Iterator[bytes]:
    """Yield the body's bytes without undoing its Content-Encoding.

    That may be the archive's own.
    """
    try:
        yield from response.raw.stream(BLOCK_BYTES, decode_content=False)
    except (HTTPError, OSError) as error:
        raise _BrokenOff(root_of(error)) from None


def _check_no_page(response: requests.Response, block: bytes) -> None:
    """Raise _Refused if a web page came in place of a file.

    Portals of hotels and sites that have moved answer so.
    """
    start = block[:512].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    kind = response.headers.get("Content-Type", "").lower()
    if kind.startswith("text/html") or start.startswith((b"<!doctype html", b"<html")):
        raise _Refused("the server sent a web page in place of a file")


def root_of(error: BaseException) -> str:
    """Return the first line of the error inside those that requests and urllib3 wrapped."""
    while True:
        wrapped = (getattr(error, "reason", None), error.__cause__, *error.args)
        inner = next((one for one in wrapped if isinstance(one, Exception)), None)
        if inner is None:
            return getattr(error, "strerror", None) or one_line(error)
        error = inner
