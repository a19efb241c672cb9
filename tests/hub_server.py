"""A server on 127.0.0.1 that serves modules as TensorFlow Hub does, and misbehaves where asked."""

import io
import json
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Lock, Thread
from urllib.parse import urlsplit

from conftest import TINY
from run_commands import PATIENCE_S

from retrain.backbones.bundled import BUNDLED_FOLDER
from retrain.backbones.sources.cache import fingerprint_of

TINY_FINGERPRINT = fingerprint_of(BUNDLED_FOLDER / TINY)
KAGGLE_FILES = (
    "saved_model.pb",
    "variables/variables.index",
    "variables/variables.data-00000-of-00001",
)


def module_archive(
    top: str = "", leave_out: str = "no such file", root: Path = BUNDLED_FOLDER / TINY
) -> bytes:
    """A .tar.gz of a module's own files, under the folder `top`."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz", compresslevel=1) as tar:
        variables = root / "variables"
        for path in [root / "saved_model.pb", variables, *sorted(variables.iterdir())]:
            if leave_out not in path.name:
                tar.add(path, Path(top, path.relative_to(root)), recursive=False)
    return packed.getvalue()


class HubServer:
    """`requests` lists (path, headers) of what was asked for; paths with a plan misbehave:

    /hub/...     serves the module only if asked in the hub's protocol, after a redirect
    /files/NAME  serves `files[NAME]` with `headers[NAME]`
    /status/N    answers N; /twice/N answers N twice, then the module
    /moved       redirects to `redirect`; /loop to itself
    /page        a web page; /page-as-gzip one that claims to be an archive
    /breaks      breaks the body off, each time further on; /breaks-always never comes far
    /resumes     breaks off twice, and goes on where a Range says
    /api/...     Kaggle's own protocol (POST): the module as version 2, its files at /kaggle/...;
                 `kaggle` says what to do instead: "", a status, "hangs" or "breaks"
    /slow        sends half of the module, and the rest when `going` is set
    /unsized     sends the module in pieces without its length
    /drips sends a byte now and then; /drips-head does so before the body; /endless never ends
    /hangs says nothing; /stalls stops in the body while `stalling`
    """

    def __init__(self) -> None:
        self.module = module_archive()
        self.files: dict[str, bytes] = {}
        self.headers: dict[str, dict[str, str]] = {}
        self.redirect = ""
        self.stalling = True
        self.kaggle = ""
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.going = Event()
        self.stopping = Event()
        self.lock = Lock()
        hub = self

        class Handler(_Handler):
            server_plan = hub

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def asked(self, start: str) -> int:
        """How many requests came for paths that begin so."""
        with self.lock:
            return sum(path.startswith(start) for path, _ in self.requests)

    @contextmanager
    def running(self) -> Iterator["HubServer"]:
        thread = Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield self
        finally:
            self.going.set()
            self.stopping.set()
            self.server.shutdown()
            self.server.server_close()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    server_plan: HubServer

    def do_GET(self) -> None:
        plan = self.server_plan
        parts = urlsplit(self.path)  # a whole URL where this server is used as a proxy
        with plan.lock:
            plan.requests.append((parts.path, dict(self.headers)))
        name, _, rest = parts.path.strip("/").partition("/")
        if name == "hub" and "tf-hub-format=compressed" in parts.query.split("&"):
            self.send(303, b"", Location="/module.tar.gz")
        elif name == "module.tar.gz":
            self.send(200, plan.module, Content_Type="application/gzip")
        elif name == "files":
            self.send(200, plan.files[rest], **plan.headers.get(rest, {}))
        elif name == "status":
            self.send(int(rest), b"no")
        elif name == "twice":
            late = plan.asked(parts.path) > 2
            self.send(200 if late else int(rest), plan.module if late else b"no")
        elif name == "loop":
            self.send(302, b"", Location="/loop")
        elif name == "moved":
            self.send(302, b"", Location=plan.redirect)
        elif name in ("hub", "page"):
            page = b"<html>Welcome to the hotel</html>"
            self.send(200, page, Content_Type="text/html; charset=utf-8")
        elif name == "page-as-gzip":
            page = b"\n <!DOCTYPE HTML><html></html>"
            self.send(200, page, Content_Type="application/gzip")
        elif name == "breaks":
            self.send_part(plan.module, 0, plan.asked("/breaks") / 3)
        elif name == "breaks-always":
            self.send_part(plan.module, 0, 0.1)
        elif name == "resumes":
            self.resume(plan.module, plan.asked("/resumes"))
        elif name == "kaggle":
            self.send(200, (BUNDLED_FOLDER / TINY / rest).read_bytes())
        elif name == "slow":
            self.send(200, plan.module, piece=len(plan.module) // 2 + 1, between=plan.going)
        elif name == "unsized":
            self.send_response(200)
            self.end_headers()
            for start in range(0, len(plan.module), 1 << 18):
                self.wfile.write(plan.module[start : start + (1 << 18)])
        elif name in ("drips", "drips-head", "endless"):
            self.drip(name)
        elif name == "hangs":
            plan.stopping.wait(PATIENCE_S)
        elif name == "stalls":
            self.send_part(plan.module, 0, 0.5 if plan.stalling else 1.0)
            if plan.stalling:
                plan.stopping.wait(PATIENCE_S)
        else:
            self.send(404, b"no")

    def drip(self, name: str) -> None:
        """Sends a little at a time, in the head or in the body, until nobody listens."""
        if name != "drips-head":
            self.send_response(200)
            self.send_header("Content-Length", str(1 << 40 if name == "endless" else 1 << 20))
            self.end_headers()
        piece = bytes(1 << 16) if name == "endless" else b"x"
        with suppress(OSError):
            while not self.server_plan.stopping.wait(0 if name == "endless" else 0.02):
                self.wfile.write(piece)

    def do_POST(self) -> None:
        plan = self.server_plan
        path = urlsplit(self.path).path
        with plan.lock:
            plan.requests.append((path, dict(self.headers)))
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        _, _, call = path.partition("/models.ModelApiService/")
        if plan.kaggle == "hangs":
            plan.stopping.wait(PATIENCE_S)
        elif plan.kaggle == "breaks" and call == "DownloadModelInstanceVersion":
            self.send_part(plan.module, 0, 0.5)
        elif plan.kaggle.isdigit():
            answer = {"code": int(plan.kaggle), "message": "line one\nline two"}
            self.send_json(int(plan.kaggle), answer)
        elif call == "GetModelInstance":
            self.send_json(200, {"slug": asked["instanceSlug"], "versionNumber": 2})
        elif call == "ListModelInstanceVersionFiles":
            self.send_json(200, {"files": [{"name": name} for name in KAGGLE_FILES]})
        elif call == "DownloadModelInstanceVersion":
            self.send(302, b"", Location=f"/kaggle/{asked['path']}")
        else:
            self.send(404, b"no")

    def send_json(self, status: int, answer: dict[str, object]) -> None:
        body = json.dumps(answer).encode()
        self.send(status, body, Content_Type="application/json; charset=utf-8")

    def send(
        self,
        status: int,
        body: bytes,
        piece: int = 1 << 20,
        between: Event | None = None,
        **headers: str,
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        for start in range(0, len(body), piece):
            if start and between is not None:
                self.wfile.flush()
                between.wait(PATIENCE_S)
            self.wfile.write(body[start : start + piece])

    def send_part(self, body: bytes, start: int, until: float) -> None:
        """Promises all from `start` on and sends as far as this share of the body."""
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body) - start))
        self.send_header("ETag", '"1"')
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        self.end_headers()
        self.wfile.write(body[start : int(len(body) * min(until, 1.0))])
        self.wfile.flush()

    def resume(self, body: bytes, attempt: int) -> None:
        start = 0
        if self.headers.get("If-Range") == '"1"':
            start = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))
        self.send_part(body, start, attempt / 3)

    def log_message(self, format: str, *args: object) -> None:
        pass
