"""Serves a Stripe account over HTTP, and misbehaves as told: the real SDK is its client.

Faults, by name. Before the work: `429`, `500` (kept with the key, as Stripe keeps it), `503`, `cut`, `slow`, `kill`.
After the work, whose answer is lost: `500-after`, `cut-after`, `slow-after`, `kill-after`, `garbled`. And `twice`: one
request is answered two times.
"""

import contextlib
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

from tests.support.stripe_account import Account, ApiError, Json

KEY = "sk_test_standin" + "4" * 20
SLOW_S = 0.6
BEFORE = ("429", "500", "503", "cut", "slow", "kill")
AFTER = ("500-after", "cut-after", "slow-after", "kill-after", "garbled", "twice")


class _Cut(Exception):
    """The connection ends without an answer."""


@dataclass
class Server:
    """`fault` names one by the number and the method of a request; `victim` is the process that `kill` kills."""

    account: Account = field(default_factory=Account)
    fault: Callable[[int, str], str] = lambda _number, _method: ""
    victim: int = 0
    base: str = ""
    requests: list[tuple[str, str, str]] = field(default_factory=list)  # Method, path and key.
    bodies: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, method: str, target: str, body: str, headers: dict[str, str]) -> tuple[int, Json, str]:
        """Return status, body and the fault of the answer; raise _Cut for none."""
        path, key = urlsplit(target).path, headers.get("idempotency-key", "")
        with self.lock:
            number = len(self.requests)
            self.requests.append((method, path, key))
            self.bodies.append(body)
            if headers.get("authorization") != f"Bearer {KEY}":
                return 401, ApiError(401, "invalid_request_error", "api_key_invalid").body(), ""
            fault = self.fault(number, method)
            form = dict(parse_qsl(body, keep_blank_values=True))
            if fault in BEFORE:
                return self._fail(fault, path, form, key)
            try:
                if method == "POST":
                    status, made = self.account.post(path, form, key)
                else:
                    status, made = 200, self.account.get(path, dict(parse_qsl(urlsplit(target).query)))
            except ApiError as error:
                status, made = error.status, error.body()
            made = json.loads(json.dumps(made))
        return self._spoil(fault, status, made)

    def _fail(self, fault: str, path: str, form: dict[str, str], key: str) -> tuple[int, Json, str]:
        if fault == "500" and key:
            self.account.fail(path, form, key)
        if fault in {"429", "500", "503"}:
            return int(fault), ApiError(int(fault), "api_error", "planted").body(), ""
        self._stop(fault)
        raise _Cut

    def _spoil(self, fault: str, status: int, made: Json) -> tuple[int, Json, str]:
        if fault == "500-after":
            return 500, ApiError(500, "api_error", "planted").body(), ""
        if fault in {"cut-after", "slow-after", "kill-after"}:
            self._stop(fault.removesuffix("-after"))
            raise _Cut
        return status, made, fault

    def _stop(self, fault: str) -> None:
        if fault == "slow":
            time.sleep(SLOW_S)
        if fault == "kill":
            os.kill(self.victim, signal.SIGKILL)


@contextlib.contextmanager
def serving(account: Account | None = None) -> Iterator[Server]:
    """Serve an account from a thread."""
    server = Server(account or Account())

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._do()

        def do_POST(self) -> None:
            self._do()

        def log_message(self, *_args: object) -> None:
            pass

        def _do(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", "0"))).decode()
            headers = {name.lower(): value for name, value in self.headers.items()}
            try:
                status, made, fault = server.answer(self.command, self.path, body, headers)
            except _Cut:
                self.close_connection = True
                return
            raw = b"{" if fault == "garbled" else json.dumps(made).encode()
            head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(raw)}\r\n"
            whole = head.encode() + b"Request-Id: req_standin\r\n\r\n" + raw
            with contextlib.suppress(OSError):
                self.wfile.write(whole * (2 if fault == "twice" else 1))

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listener.daemon_threads = True
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    server.base = f"http://127.0.0.1:{listener.server_address[1]}"
    try:
        yield server
    finally:
        listener.shutdown()
        thread.join()
        listener.server_close()
