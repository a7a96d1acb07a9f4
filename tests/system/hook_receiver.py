"""A receiver of webhooks over HTTPS, with a certificate of its own authority, that answers as a test wants."""

import base64
import hashlib
import hmac
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from wherry.iam.certificates import Authority

WAIT_S = 60.0


@dataclass(frozen=True)
class Hook:
    """A request as it came."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def event(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found

    def is_signed_by(self, secret: str) -> bool:
        """Check the signature as Standard Webhooks tells receivers to."""
        content = f"{self.id}.{self.headers['webhook-timestamp']}.".encode() + self.body
        key = base64.b64decode(secret.removeprefix("whsec_"))
        expected = "v1," + base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
        return hmac.compare_digest(expected, self.headers["webhook-signature"])


@dataclass
class HookReceiver:
    """What has come. `answer` says with which status and body a hook is answered; it may take its time."""

    url: str
    authority: Path
    hooks: list[Hook] = field(default_factory=list)
    answer: Callable[[Hook], tuple[int, bytes]] = lambda _hook: (204, b"")
    headers: dict[str, str] = field(default_factory=dict)
    came: threading.Condition = field(default_factory=threading.Condition)

    def until(self, enough: Callable[[list[Hook]], bool]) -> list[Hook]:
        """Return the hooks once they're *enough*."""
        with self.came:
            assert self.came.wait_for(lambda: enough(self.hooks), WAIT_S), [hook.event for hook in self.hooks]
            return list(self.hooks)

    def take(self, hook: Hook) -> None:
        with self.came:
            self.hooks.append(hook)
            self.came.notify_all()


@contextmanager
def hook_receiver(folder: Path, port: int = 0) -> Iterator[HookReceiver]:
    """Listen on loopback until the end; *port* 0: any free one. The certificates in *folder* are made once."""
    server = ThreadingHTTPServer(("127.0.0.1", port), _Handler)
    context, authority = certified(folder)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    receiver = HookReceiver(f"https://127.0.0.1:{server.server_address[1]}/in", authority)
    server.receiver = receiver  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def certified(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """Return the TLS context of a server on loopback, and the authority to trust; they're made in *folder* once."""
    folder.mkdir(exist_ok=True)
    chain = folder / "chain.pem"
    if not chain.exists():
        authority = Authority.create("hooks")
        (folder / "authority.pem").write_text(authority.certificate_pem)
        issued = authority.issue_server(["127.0.0.1", "localhost"])
        chain.write_text(issued.certificate + issued.private_key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    return context, folder / "authority.pem"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        receiver: HookReceiver = self.server.receiver  # type: ignore[attr-defined]
        body = self.rfile.read(int(self.headers["content-length"]))
        hook = Hook(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
        status, answer = receiver.answer(hook)
        receiver.take(hook)
        self.send_response(status)
        for name, value in receiver.headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        try:
            self.wfile.write(answer)
        except OSError:
            self.close_connection = True  # whoever asked has read enough

    def log_message(self, *_arguments: object) -> None:
        pass
