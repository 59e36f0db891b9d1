"""Servers on loopback that alerts are sent to: a web server that can be in a bad mood, and a small mail server."""

from __future__ import annotations

import json
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.waiting import unused_port


def until(holds: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait until something holds."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it does not come"
        time.sleep(0.005)


@dataclass
class Hook:
    """A web server: what it was sent, and what it answers next (an empty list: 200)."""

    port: int = 0
    bodies: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    raw: list[str] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    answer_headers: dict[str, str] = field(default_factory=dict)
    usual: int = 200
    hangs: threading.Event | None = None

    @property
    def url(self) -> str:
        """Return its address."""
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def hook_server() -> Iterator[Hook]:
    """Serve a hook."""
    hook = Hook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            if hook.hangs is not None:
                hook.hangs.wait(30)
            raw = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            hook.raw.append(raw)
            hook.paths.append(self.path)
            hook.headers.append(dict(self.headers))
            status = hook.answers.pop(0) if hook.answers else hook.usual
            if 200 <= status < 300 and raw.startswith("{"):
                hook.bodies.append(json.loads(raw))
            answer = b'{"ok": true, "result": {}}'
            try:
                self.send_response(status)
                for name, value in hook.answer_headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)
            except OSError:
                return

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    hook.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield hook
    finally:
        if hook.hangs is not None:
            hook.hangs.set()
        server.shutdown()
        server.server_close()
        thread.join(5)


@dataclass
class Mailbox:
    """A mail server: what it was sent; ``refuses`` is said to every letter."""

    port: int = 0
    letters: list[str] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)
    refuses: str = ""


@contextmanager
def mail_server() -> Iterator[Mailbox]:
    """Serve a mailbox that speaks as much SMTP as a client needs."""
    box = Mailbox()

    class Handler(socketserver.StreamRequestHandler):
        def say(self, text: str) -> None:
            self.wfile.write(text.encode() + b"\r\n")

        def handle(self) -> None:
            self.say("220 mailbox")
            while line := self.rfile.readline().decode().rstrip("\r\n"):
                verb = line.split(" ")[0].upper()
                if verb == "EHLO":
                    self.say("250-mailbox")
                    self.say("250 AUTH PLAIN LOGIN")
                elif verb == "AUTH":
                    box.logins.append(line)
                    self.say("235 welcome")
                elif verb == "MAIL" and box.refuses:
                    self.say(f"550 {box.refuses}")
                elif verb == "DATA":
                    self.say("354 go on")
                    text = []
                    while (part := self.rfile.readline().decode()) not in (".\r\n", ""):
                        text.append(part)
                    box.letters.append("".join(text))
                    self.say("250 kept")
                elif verb == "QUIT":
                    self.say("221 bye")
                    return
                else:
                    self.say("250 fine")

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    box.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield box
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def closed_port() -> int:
    """Return a port on which nobody listens."""
    return unused_port()
