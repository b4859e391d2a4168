"""`GET /.well-known/nocontent-receipt-keys`: anybody reads the public keys, and only those."""

from pathlib import Path

import msgspec

from ingest.rights.receipts import keys
from tests.support import service
from tests.support.receipts import KEY, KEYS
from tests.support.service import Server
from tests.support.wire import Sender

PATH = "/.well-known/nocontent-receipt-keys"


def test_the_public_keys_are_read_without_a_token_and_may_be_cached(database: str, tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_bytes(keys.encode(KEYS))
    with service.serving(database, tmp_path / "log", workers=1, receipt_public_keys_file=str(file)) as server:
        sender = server.sender()
        answer = sender.get(PATH)
        assert (answer.status, answer.headers["content-type"]) == (200, "application/jwk-set+json")
        assert answer.headers["cache-control"] == "public, max-age=300"
        assert answer.json == {"keys": [msgspec.to_builtins(KEY.public)]}
        assert sender.get(PATH, {"If-None-Match": answer.headers["etag"]}).status == 304
        sender.close()


def test_without_a_setting_there_are_no_keys(server: Server) -> None:
    sender: Sender = server.sender()
    assert sender.get(PATH).json == {"keys": []}
    sender.close()


def test_a_private_key_in_the_place_of_public_ones_stops_the_start(database: str, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_bytes(KEY.pem())
    binds = {
        f"{kind}bind": f"127.0.0.1:{port}" for kind, port in zip(("", "metrics_"), service.free_ports(2), strict=True)
    }
    env = service.environment(database, receipt_public_keys_file=str(file), **binds)
    ended = service.command("serve", env=env)
    assert ended.returncode != 0
    assert b"not a set of Ed25519 public keys" in ended.stderr
