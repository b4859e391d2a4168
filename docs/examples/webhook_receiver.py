"""Receives webhooks, verifies each, and drops what came before. Put it behind something that ends TLS.

    python webhook_receiver.py FILE_WITH_THE_SECRET

It needs the standard library alone. Any library of https://www.standardwebhooks.com does the same.
"""

import hmac
import json
import sys
import time
from base64 import b64decode, b64encode
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

AGE_S_MAX = 300
BODY_BYTES_MAX = 65_536


def is_ours(secret: str, headers: Mapping[str, str], body: bytes) -> bool:
    """Return whether a message was signed with the secret, not long ago."""
    message_id, at = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not at.isdecimal() or abs(time.time() - int(at)) > AGE_S_MAX:
        return False
    key = b64decode(secret.removeprefix("whsec_"))
    signed = b".".join((message_id.encode(), at.encode(), body))
    wanted = "v1," + b64encode(hmac.digest(key, signed, "sha256")).decode()
    # While keys are rotated there are two signatures.
    given = headers.get("webhook-signature", "").split()
    return any(hmac.compare_digest(each.encode(), wanted.encode()) for each in given)


class Receiver(BaseHTTPRequestHandler):
    """Answers 204 to a message of ours, the first time and whenever it comes again."""

    secret = ""
    seen: set[str] = set()  # noqa: RUF012 (of the process; keep yours where it outlives one)

    def do_POST(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        body = self.rfile.read(length) if length <= BODY_BYTES_MAX else b""
        if not is_ours(self.secret, {name.lower(): value for name, value in self.headers.items()}, body):
            self.send_response(401)
        else:
            message_id = self.headers["webhook-id"]
            if message_id not in self.seen:
                handle(json.loads(body))
                self.seen.add(message_id)
            self.send_response(204)
        self.end_headers()


def handle(message: Mapping[str, object]) -> None:
    """Do what is to be done; leave out types that you do not know."""
    print(message["type"], message["data"], flush=True)


if __name__ == "__main__":
    Receiver.secret = Path(sys.argv[1]).read_text("ascii").strip()
    HTTPServer(("127.0.0.1", 8787), Receiver).serve_forever()
